/** The proof-of-play report as ClickHouse's SQL. What a client sent is in the parameters; the text is made of our own pieces. */
import type { Scope } from '../server/access.ts';
import { Problem } from '../server/problem.ts';
import type { QueryParams } from './analytics-port.ts';
import { conditionOf, type FilterParts, type PlayFilter } from './play-filter.ts';
import type { ZoneSteps } from './zone-steps.ts';

/** The table as the loader fills it (analytics/schema.ts). FINAL counts a log once, however often it was loaded. */
const PLAYS = 'playproof.plays AS p';

const ID_DIMENSIONS = ['campaign_id', 'advertiser_id', 'supplier_id', 'store_id', 'content_id', 'device_id'] as const;
export const DIMENSIONS = [...ID_DIMENSIONS, 'region', 'status', 'reported_status', 'hour', 'day'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

export const MAX_REPORT_ROWS = 100_000;

export interface Report {
  readonly by: readonly Dimension[];
  readonly filter: PlayFilter;
  readonly scope: Scope;
}

export interface Query {
  readonly sql: string;
  readonly params: QueryParams;
}

/** @throws Problem invalid_parameter */
export function parseBy(text: string | undefined): Dimension[] {
  if (text === undefined) return [];
  const by: Dimension[] = [];
  for (const name of text.split(',')) {
    const dimension = DIMENSIONS.find((known) => known === name);
    if (!dimension) throw new Problem('invalid_parameter', `The parameter "by" takes, with commas between them: ${DIMENSIONS.join(', ')}.`);
    if (by.includes(dimension)) throw new Problem('invalid_parameter', `The parameter "by" names ${dimension} twice.`);
    by.push(dimension);
  }
  return by;
}

export function usesTime(by: readonly Dimension[]): boolean {
  return by.includes('day') || by.includes('hour');
}

const EPOCH_MS = 'toUnixTimestamp64Milli(p.ended_at)';
const OFFSET = `arrayElement({zone_offsets:Array(Int32)}, arrayCount(start -> start <= ${EPOCH_MS}, {zone_starts:Array(Int64)}))`;
const LOCAL_SECONDS = `(intDiv(${EPOCH_MS}, 1000) + ${OFFSET})`;

interface Piece {
  /** Columns of the answer, named after the place of the dimension. */
  readonly select: readonly string[];
  readonly groupBy: readonly string[];
  readonly orderBy: readonly string[];
}

/**
 * Days and hours come as numbers (days or hours since 1970 of local time) and get their names in report-row.ts. Hours are told apart
 * by their offset and sorted by when they were, so that the two 02:00 of an autumn night stay two, in their order.
 */
function pieceOf(dimension: Dimension, at: number): Piece {
  const name = `d${at}`;
  if (dimension === 'day') return simple(`intDiv(${LOCAL_SECONDS}, 86400)`, name);
  if (dimension === 'hour') {
    const hour = `intDiv(${LOCAL_SECONDS}, 3600)`;
    return {
      select: [`${hour} AS ${name}`, `${OFFSET} AS ${name}_offset`],
      groupBy: [hour, OFFSET],
      orderBy: [`${name} * 3600 - ${name}_offset`, `${name}_offset`],
    };
  }
  if (dimension === 'region') return simple('p.region', name);
  // Sorted as text: ClickHouse has an order of its own for UUIDs and for enumerations.
  return { select: [`toString(p.${dimension}) AS ${name}`], groupBy: [`p.${dimension}`], orderBy: [name] };
}

function simple(expression: string, name: string): Piece {
  return { select: [`${expression} AS ${name}`], groupBy: [expression], orderBy: [name] };
}

const MEASURES = [
  'count() AS n_plays',
  'countIf(p.billable) AS n_billable',
  "countIf(p.status = 'COMPLETED') AS n_completed",
  "countIf(p.status = 'PARTIAL') AS n_partial",
  "countIf(p.status = 'SKIPPED') AS n_skipped",
  "countIf(p.status = 'ERROR') AS n_error",
  'sumIf(p.duration_actual_ms, p.billable) AS ms_billable',
  'uniqExact(p.device_id) AS n_devices',
  'uniqExact(p.store_id) AS n_stores',
];

/** One row more than is allowed, so that too many are noticed. */
export function reportQuery({ by, filter, scope }: Report, zone: ZoneSteps | null): Query {
  const condition = conditionOf(filter, scope);
  const pieces = by.map(pieceOf);
  const select = [...pieces.flatMap((piece) => piece.select), ...MEASURES].join(', ');
  const grouping =
    pieces.length === 0
      ? ''
      : ` GROUP BY ${pieces.flatMap((piece) => piece.groupBy).join(', ')} ORDER BY ${pieces.flatMap((piece) => piece.orderBy).join(', ')}`;
  return {
    sql: `SELECT ${select} FROM ${PLAYS} FINAL WHERE ${condition.sql}${grouping} LIMIT ${MAX_REPORT_ROWS + 1}`,
    params: { ...condition.params, ...(zone && { zone_starts: zone.starts, zone_offsets: zone.offsets }) },
  };
}

/** How many rows there are (copies too), and from when to when. */
export function spanQuery({ filter, scope }: Report, parts?: FilterParts): Query {
  const condition = conditionOf(filter, scope, parts);
  return {
    sql:
      'SELECT count() AS n, toUnixTimestamp64Milli(min(p.ended_at)) AS first, toUnixTimestamp64Milli(max(p.ended_at)) AS last ' +
      `FROM ${PLAYS} WHERE ${condition.sql}`,
    params: condition.params,
  };
}

export interface SpanRow {
  readonly n: number;
  readonly first: number;
  readonly last: number;
}
