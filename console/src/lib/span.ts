/** Spans of time as they stand in the address: relative (`24h`, `7d`, `today`) or two instants. */
import { VIEWER_ZONE } from './format.ts';

export interface Span {
  /** Milliseconds since 1970 UTC; `from` <= ended_at < `to`. */
  readonly from: number;
  readonly to: number;
}

export const SPANS = {
  '1h': 'Last hour',
  '24h': 'Last 24 hours',
  today: 'Today',
  yesterday: 'Yesterday',
  '7d': 'Last 7 days',
  '30d': 'Last 30 days',
  month: 'This month',
  'last-month': 'Last month',
} as const;
export type SpanName = keyof typeof SPANS;

const HOUR = 3_600_000;
/** A relative span ends at the next of these, so that its address asks the same for a while and caches hold. */
const GRAIN = 10_000;

export function isSpanName(text: string | null): text is SpanName {
  return text !== null && Object.hasOwn(SPANS, text);
}

export function spanOf(name: SpanName, now: number, timeZone: string): Span {
  const to = Math.ceil((now + 1) / GRAIN) * GRAIN;
  const today = partsOf(now, timeZone);
  const midnight = (days: number): number => instantOf({ ...today, day: today.day + days, hour: 0, minute: 0 }, timeZone);
  const monthStart = (months: number): number =>
    instantOf({ year: today.year, month: today.month + months, day: 1, hour: 0, minute: 0 }, timeZone);
  switch (name) {
    case '1h':
      return { from: to - HOUR, to };
    case '24h':
      return { from: to - 24 * HOUR, to };
    case '7d':
      return { from: midnight(-6), to };
    case '30d':
      return { from: midnight(-29), to };
    case 'today':
      return { from: midnight(0), to };
    case 'yesterday':
      return { from: midnight(-1), to: midnight(0) };
    case 'month':
      return { from: monthStart(0), to };
    default:
      return { from: monthStart(-1), to: monthStart(0) };
  }
}

interface Parts {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
}

function partsOf(instant: number, timeZone: string): Parts {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  });
  const parts = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
  return { year: parts.year ?? 1970, month: parts.month ?? 1, day: parts.day ?? 1, hour: parts.hour ?? 0, minute: parts.minute ?? 0 };
}

/** The instant at which clocks of the zone show this. Of a time that clocks skip, the one as much later. */
function instantOf({ year, month, day, hour, minute }: Parts, timeZone: string): number {
  const wall = Date.UTC(year, month - 1, day, hour, minute);
  let instant = wall;
  // Two rounds: the offset at the first guess, then the one that holds where that leads.
  for (let round = 0; round < 2; round += 1) {
    const shown = partsOf(instant, timeZone);
    instant += wall - Date.UTC(shown.year, shown.month - 1, shown.day, shown.hour, shown.minute);
  }
  return instant;
}

/** For `<input type="datetime-local">`. */
export function toLocal(instant: number, timeZone: string): string {
  const { year, month, day, hour, minute } = partsOf(instant, timeZone);
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** Null: not a date. */
export function fromLocal(text: string, timeZone: string): number | null {
  const found = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)/.exec(text);
  if (!found) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0] = found.slice(1).map(Number);
  return instantOf({ year, month, day, hour, minute }, timeZone);
}

export function isTimeZone(text: string): boolean {
  try {
    return Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** From the address: what cannot be read is the viewer's own. */
export function zoneOf(text: string | null): string {
  return text !== null && isTimeZone(text) ? text : VIEWER_ZONE;
}

/** @returns null where the address holds no readable instant. */
export function instantParam(text: string | null): number | null {
  if (text === null) return null;
  const instant = Date.parse(text);
  return Number.isFinite(instant) && instant > 0 && instant < 9e12 ? instant : null;
}
