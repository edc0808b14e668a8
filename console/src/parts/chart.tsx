/** uPlot in React: drawn anew for other data or another size, its colours from the page's own. */
import { useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface Series {
  readonly label: string;
  /** A custom property of the page, such as `--good`. */
  readonly color: string;
  readonly values: readonly (number | null)[];
  readonly kind: 'line' | 'area' | 'bars';
  readonly dash?: readonly number[];
}

interface Props {
  /** Said to who cannot see it: what it shows, and its gist. */
  readonly label: string;
  /** Seconds since 1970 UTC. */
  readonly times: readonly number[];
  /** Bars: in the order of drawing, the largest first, so that the smaller stands in front. */
  readonly series: readonly Series[];
  readonly height?: number;
  readonly formatTime: (seconds: number) => string;
  readonly formatValue: (value: number) => string;
  readonly from?: number;
  readonly to?: number;
  /** The width of a bar, in seconds. */
  readonly barSeconds?: number;
}

export function Chart(props: Props) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const theme = useTheme();
  const { label, times, series, height = 220, from, to, barSeconds } = props;
  const latest = useRef(props);
  latest.current = props;
  const shape = series.map(({ label: name, kind, color }) => `${name}/${kind}/${color}`).join();

  useEffect(() => {
    const element = holder.current;
    if (!element) return undefined;
    const size = (): { width: number; height: number } => ({ width: Math.max(120, element.clientWidth), height });
    const made = new uPlot({ ...size(), ...optionsOf(latest, element) }, dataOf(latest.current), element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize(size()));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, height, theme, barSeconds]);

  useEffect(() => {
    plot.current?.setData(dataOf(latest.current));
  }, [times, series, from, to]);

  return (
    <figure className="chart">
      <div ref={holder} role="img" aria-label={label} />
      <figcaption>
        {series.map(({ label: name, color, kind }) => (
          <span key={name} className="key">
            <svg viewBox="0 0 14 10" width="14" height="10" aria-hidden="true" className={`swatch swatch${color}`}>
              {kind === 'line' ? <path d="M0 5h14" strokeWidth="2.5" /> : <rect width="14" height="10" rx="2" />}
            </svg>
            {name}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

function dataOf({ times, series }: Props): uPlot.AlignedData {
  return [[...times], ...series.map(({ values }) => [...values])];
}

function optionsOf(latest: { readonly current: Props }, element: HTMLElement): Omit<uPlot.Options, 'width' | 'height'> {
  const style = getComputedStyle(element);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  const { series, barSeconds } = latest.current;
  const axis = {
    stroke: color('--muted'),
    grid: { stroke: color('--line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  };
  return {
    legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    padding: [12, 12, 0, 0],
    scales: {
      x: {
        time: true,
        range: (_plot, min, max) => {
          const { from, to } = latest.current;
          const pad = (barSeconds ?? 0) / 2;
          return [from ?? (min ?? 0) - pad, to ?? (max ?? 1) + pad];
        },
      },
      y: { range: (_plot, _min, max) => [0, Math.max(1, (max ?? 0) * 1.1)] },
    },
    axes: [
      { ...axis, space: 80, size: 30, values: (_plot, splits) => splits.map((split) => latest.current.formatTime(split)) },
      { ...axis, size: 56, values: (_plot, splits) => splits.map((split) => latest.current.formatValue(split)) },
    ],
    series: [{}, ...series.map((one) => seriesOf(one, color(one.color), barSeconds))],
    hooks: { setCursor: [tooltip(latest, element)] },
  };
}

function seriesOf({ label, kind, dash }: Series, stroke: string, barSeconds: number | undefined): uPlot.Series {
  if (kind === 'bars') {
    return {
      label,
      stroke,
      fill: stroke,
      width: 0,
      points: { show: false },
      paths: uPlot.paths.bars?.({ size: [0.78, 64, 2], ...(barSeconds !== undefined && { align: 0 as const }) }) ?? null,
    } as uPlot.Series;
  }
  return {
    label,
    stroke,
    width: 2,
    points: { show: false },
    spanGaps: true,
    ...(kind === 'area' && { fill: `color-mix(in srgb, ${stroke} 18%, transparent)` }),
    ...(dash && { dash: [...dash] }),
  };
}

/** A box beside the pointer with the values of that moment. */
function tooltip(latest: { readonly current: Props }, element: HTMLElement): (plot: uPlot) => void {
  const box = document.createElement('div');
  box.className = 'tooltip';
  box.hidden = true;
  element.append(box);
  return (plot) => {
    const { idx, left = -1 } = plot.cursor;
    const { times, series, formatTime, formatValue } = latest.current;
    const time = idx === null || idx === undefined ? undefined : times[idx];
    if (time === undefined || left < 0) {
      box.hidden = true;
      return;
    }
    box.hidden = false;
    box.replaceChildren(line(formatTime(time), 'tooltip-time'));
    for (const { label, values } of series) {
      const value = values[idx ?? 0];
      box.append(line(`${label}: ${value === null || value === undefined ? '–' : formatValue(value)}`, ''));
    }
    const x = left + plot.bbox.left / devicePixelRatio;
    box.style.insetInlineStart = `${Math.min(x + 12, element.clientWidth - box.offsetWidth - 4)}px`;
  };
}

function line(text: string, className: string): HTMLElement {
  const made = document.createElement('div');
  made.textContent = text;
  if (className !== '') made.className = className;
  return made;
}

/** Changes when the colours of the page do. */
function useTheme(): string {
  const [theme, setTheme] = useState(currentTheme);
  useEffect(() => {
    const update = (): void => setTheme(currentTheme());
    const media = matchMedia('(prefers-color-scheme: dark)');
    const observer = new MutationObserver(update);
    observer.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    media.addEventListener('change', update);
    return () => {
      observer.disconnect();
      media.removeEventListener('change', update);
    };
  }, []);
  return theme;
}

function currentTheme(): string {
  return document.documentElement.dataset.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
}
