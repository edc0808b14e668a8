/** From the rows of the query to the rows of the answer. */
import type { Dimension } from './report-sql.ts';

export const MEASURE_NAMES = [
  'plays',
  'billable',
  'completed',
  'partial',
  'skipped',
  'error',
  'billable_seconds',
  'devices',
  'stores',
] as const;

export type Cell = string | number | null;
export type ReportRow = Readonly<Record<string, Cell>>;
export type RawRow = Readonly<Record<string, string | number>>;

/** The columns of the answer, in their order. */
export function columnsOf(by: readonly Dimension[]): readonly string[] {
  return [...by, ...MEASURE_NAMES];
}

export function reportRow(by: readonly Dimension[], raw: RawRow): ReportRow {
  const row: Record<string, Cell> = {};
  for (const [at, dimension] of by.entries()) row[dimension] = labelOf(dimension, raw[`d${at}`] ?? '', Number(raw[`d${at}_offset`] ?? 0));
  for (const name of MEASURE_NAMES) {
    row[name] = name === 'billable_seconds' ? Number(raw.ms_billable) / 1000 : Number(raw[`n_${name}`]);
  }
  return row;
}

function labelOf(dimension: Dimension, value: string | number, offset: number): Cell {
  // Stores without a region are one group, as null.
  if (dimension === 'region') return value === '' ? null : value;
  if (dimension === 'day') return new Date(Number(value) * 86_400_000).toISOString().slice(0, 10);
  if (dimension === 'hour') return `${new Date(Number(value) * 3_600_000).toISOString().slice(0, 19)}${offsetText(offset)}`;
  return value;
}

/** `+07:00`. Where the clocks show UTC the hour is written as every other instant: with milliseconds and `Z`. */
function offsetText(seconds: number): string {
  if (seconds === 0) return '.000Z';
  const minutes = Math.trunc(Math.abs(seconds) / 60);
  return `${seconds < 0 ? '-' : '+'}${two(Math.trunc(minutes / 60))}:${two(minutes % 60)}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
