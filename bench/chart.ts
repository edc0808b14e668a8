/** Charts as one HTML page that needs nothing else: lines over time, drawn as SVG. */

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Chart {
  readonly title: string;
  /** A sentence below the title. */
  readonly about: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** A logarithmic axis shows a median and its tail at once. Zeros are left out there. */
  readonly scale: 'linear' | 'log';
  readonly lines: readonly Line[];
}

const WIDTH = 960;
const HEIGHT = 300;
const LEFT = 76;
const RIGHT = 16;
const TOP = 12;
const BOTTOM = 44;
const TICKS = 5;
/** Told apart also by those who see few colours (Okabe and Ito, 2008). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];

export function chartPage(title: string, about: readonly string[], charts: readonly Chart[]): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escaped(title)}</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: ${WIDTH}px; padding: 0 1rem; color: #1a1a1a; background: #fff }
h1 { font-size: 1.4rem } h2 { font-size: 1.05rem; margin: 2rem 0 0 } p { margin: .2rem 0 .6rem; color: #444 }
svg { width: 100%; height: auto } text { font: 12px system-ui, sans-serif; fill: #444 }
</style>
<h1>${escaped(title)}</h1>
${about.map((sentence) => `<p>${escaped(sentence)}</p>`).join('\n')}
${charts.map((chart) => `<h2>${escaped(chart.title)}</h2>\n<p>${escaped(chart.about)}</p>\n${drawn(chart)}`).join('\n')}
</html>
`;
}

/** Round numbers that cover 0 to `highest`, or on a logarithmic axis the powers of ten around the values. */
export function ticksOf(values: readonly number[], scale: Chart['scale']): number[] {
  const usable = values.filter((value) => Number.isFinite(value) && (scale === 'linear' || value > 0));
  const highest = usable.reduce((most, value) => Math.max(most, value), 0);
  if (highest <= 0) return [0, 1];
  if (scale === 'linear') {
    const step = roundStep(highest / TICKS);
    return Array.from({ length: Math.ceil(highest / step - 1e-9) + 1 }, (_, i) => i * step);
  }
  const lowest = usable.reduce((least, value) => Math.min(least, value), highest);
  const from = Math.floor(Math.log10(lowest));
  const to = Math.max(from + 1, Math.ceil(Math.log10(highest)));
  return Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
}

/** The next 1, 2 or 5 times a power of ten. */
function roundStep(atLeast: number): number {
  const power = 10 ** Math.floor(Math.log10(atLeast));
  return ([1, 2, 5].find((factor) => factor * power >= atLeast * (1 - 1e-9)) ?? 10) * power;
}

function drawn({ title, xLabel, yLabel, scale, lines }: Chart): string {
  const points = lines.flatMap((line) => line.points);
  if (points.length === 0) return '<p>Nothing was measured.</p>';
  const xTicks = ticksOf(
    points.map(([x]) => x),
    'linear',
  );
  const yTicks = ticksOf(
    points.map(([, y]) => y),
    scale,
  );
  const x = (value: number): number => LEFT + (value / last(xTicks)) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => HEIGHT - BOTTOM - part(value, yTicks, scale) * (HEIGHT - TOP - BOTTOM);
  const grid = [
    ...yTicks.map(
      (tick) =>
        `<path d="M${LEFT} ${y(tick).toFixed(1)}H${WIDTH - RIGHT}" stroke="#ddd"/>` +
        `<text x="${LEFT - 8}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${figure(tick)}</text>`,
    ),
    ...xTicks.map((tick) => `<text x="${x(tick).toFixed(1)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${figure(tick)}</text>`),
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escaped(xLabel)}</text>`,
    `<text transform="translate(14 ${(HEIGHT - BOTTOM + TOP) / 2}) rotate(-90)" text-anchor="middle">${escaped(yLabel)}</text>`,
  ];
  const curves = lines.map((line, i) => {
    const shown = line.points.filter(([, value]) => Number.isFinite(value) && (scale === 'linear' || value > 0));
    const path = shown.map(([at, value], n) => `${n === 0 ? 'M' : 'L'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join('');
    const colour = COLOURS[i % COLOURS.length] as string;
    const legendX = LEFT + 10 + i * 130;
    return (
      `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.6"/>` +
      `<path d="M${legendX} ${TOP + 8}h18" stroke="${colour}" stroke-width="3"/>` +
      `<text x="${legendX + 24}" y="${TOP + 12}">${escaped(line.name)}</text>`
    );
  });
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">${grid.join('')}${curves.join('')}</svg>`;
}

/** Where a value lies between the first and the last tick, 0 to 1. */
function part(value: number, ticks: readonly number[], scale: Chart['scale']): number {
  const [first = 0] = ticks;
  if (scale === 'linear') return value / last(ticks);
  return Math.log10(value / first) / Math.log10(last(ticks) / first);
}

function last(ticks: readonly number[]): number {
  return ticks.at(-1) ?? 1;
}

function figure(value: number): string {
  if (value >= 1_000) return `${Number((value / 1_000).toPrecision(6))}k`;
  return String(Number(value.toPrecision(6)));
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
