/** Numbers, times and lengths of time as the viewer's language writes them. */
const LOCALE = navigator.languages[0] ?? 'en';

const whole = new Intl.NumberFormat(LOCALE);
const compact = new Intl.NumberFormat(LOCALE, { notation: 'compact', maximumFractionDigits: 1 });
const oneDecimal = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 1 });
const threeDecimals = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 3 });
const percents = new Intl.NumberFormat(LOCALE, { style: 'percent', maximumFractionDigits: 1 });
const relative = new Intl.RelativeTimeFormat(LOCALE, { numeric: 'auto', style: 'short' });

export const count = (value: number): string => whole.format(value);
export const short = (value: number): string => (Math.abs(value) < 10_000 ? whole.format(Math.round(value)) : compact.format(value));
export const decimal = (value: number): string => oneDecimal.format(value);
export const precise = (value: number): string => threeDecimals.format(value);
export const percent = (value: number): string => percents.format(value);
export const ratio = (part: number, all: number): string => (all === 0 ? '–' : percents.format(part / all));

/** 2 h 42 min; below a minute in seconds. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${threeDecimals.format(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return `${whole.format(hours)} h ${minutes % 60} min`;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function dateFormat(timeZone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${timeZone} ${JSON.stringify(options)}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat(LOCALE, { timeZone, ...options });
    formats.set(key, format);
  }
  return format;
}

export const VIEWER_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** A moment in a time zone; `fine` with milliseconds, for evidence. */
export function when(instant: string | number, timeZone: string = VIEWER_ZONE, fine = false): string {
  const time = typeof instant === 'number' ? instant : Date.parse(instant);
  if (!Number.isFinite(time)) return '–';
  return dateFormat(timeZone, {
    dateStyle: undefined,
    year: 'numeric',
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    ...(fine && { fractionalSecondDigits: 3 }),
  }).format(time);
}

export function clockTime(instant: string | number, timeZone: string = VIEWER_ZONE, seconds = true): string {
  const time = typeof instant === 'number' ? instant : Date.parse(instant);
  return dateFormat(timeZone, { hour: '2-digit', minute: '2-digit', ...(seconds && { second: '2-digit' }) }).format(time);
}

export function day(instant: number, timeZone: string): string {
  return dateFormat(timeZone, { weekday: 'short', month: 'short', day: 'numeric' }).format(instant);
}

const STEPS: readonly (readonly [number, Intl.RelativeTimeFormatUnit])[] = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1_000, 'second'],
];

/** “3 min ago”. */
export function ago(instant: string | number, now: number): string {
  const distance = (typeof instant === 'number' ? instant : Date.parse(instant)) - now;
  for (const [step, unit] of STEPS) if (Math.abs(distance) >= step) return relative.format(Math.trunc(distance / step), unit);
  return relative.format(0, 'second');
}

/** The first eight digits: enough for people to tell two apart. The whole id goes into titles and copies. */
export function shortId(id: string): string {
  return id.slice(0, 8);
}

/** “1.2 s ahead”. */
export function clockSkew(seconds: number): string {
  if (Math.abs(seconds) < 0.5) return 'right';
  return `${duration(Math.round(Math.abs(seconds) * 10) / 10)} ${seconds > 0 ? 'ahead' : 'behind'}`;
}
