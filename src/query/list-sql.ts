/** The list of plays, newest first, page by page. */
import type { Scope } from '../server/access.ts';
import { Problem } from '../server/problem.ts';
import { isUuid } from '../domain/uuid.ts';
import { conditionOf, instantParam, type PlayFilter, storable } from './play-filter.ts';
import type { Query } from './report-sql.ts';

/** The last play of the page before. */
export interface ListCursor {
  readonly endedAt: number;
  readonly logId: string;
}

export interface ListRequest {
  readonly filter: PlayFilter;
  readonly scope: Scope;
  readonly limit: number;
  readonly after: ListCursor | null;
}

export function writeCursor({ endedAt, logId }: ListCursor): string {
  return Buffer.from(JSON.stringify([endedAt, logId])).toString('base64url');
}

/** @throws Problem invalid_parameter */
export function readCursor(text: string): ListCursor {
  const wrong = new Problem(
    'invalid_parameter',
    'The parameter "cursor" must be the "next_cursor" of the page before; begin again without it.',
  );
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) throw wrong;
    throw error;
  }
  if (!Array.isArray(value) || value.length !== 2) throw wrong;
  const [endedAt, logId] = value as unknown[];
  if (typeof endedAt !== 'number' || !Number.isSafeInteger(endedAt) || storable(endedAt) !== endedAt) throw wrong;
  if (typeof logId !== 'string' || !isUuid(logId)) throw wrong;
  // Node reads base64 with junk in it; a cursor is taken only as it was given.
  if (writeCursor({ endedAt, logId }) !== text) throw wrong;
  return { endedAt, logId };
}

const UUIDS = ['log_id', 'device_id', 'campaign_id', 'content_id', 'store_id', 'supplier_id', 'advertiser_id'];
const INSTANTS = ['started_at', 'ended_at', 'received_at'];
const PLAIN = [
  'region',
  'status',
  'reported_status',
  'billable',
  'duration_actual_ms',
  'duration_expected_ms',
  'distance_m',
  'content_known',
  'clock_checked',
  'rule_version',
];

// The names of the answer differ from those of the columns, which an alias would otherwise hide in the conditions.
const SELECT = [
  ...UUIDS.map((name) => `toString(p.${name}) AS r_${name}`),
  ...INSTANTS.map((name) => `toUnixTimestamp64Milli(p.${name}) AS r_${name}`),
  ...PLAIN.map((name) => `p.${name} AS r_${name}`),
  'lower(hex(p.content_hash)) AS r_content_hash',
].join(', ');

export interface ListRow {
  readonly r_log_id: string;
  readonly r_device_id: string;
  readonly r_campaign_id: string;
  readonly r_content_id: string;
  readonly r_store_id: string;
  readonly r_supplier_id: string;
  readonly r_advertiser_id: string;
  readonly r_started_at: number;
  readonly r_ended_at: number;
  readonly r_received_at: number;
  readonly r_region: string;
  readonly r_status: string;
  readonly r_reported_status: string;
  readonly r_billable: boolean;
  readonly r_duration_actual_ms: number;
  readonly r_duration_expected_ms: number;
  /** Null where the log has no location. */
  readonly r_distance_m: number | null;
  readonly r_content_known: boolean;
  readonly r_clock_checked: boolean;
  readonly r_rule_version: number;
  readonly r_content_hash: string;
  /** 1: nothing older was left out of sight. */
  readonly whole: number;
}

/**
 * One row more than asked, to know whether there is a next page.
 *
 * FINAL alone would read every play for each page. So the sort key alone is read first, which stops as soon as it has seen enough,
 * and FINAL then works on that stretch of time. Copies of a log can make a stretch too short: where `whole` is 0 and the page is
 * not full, it is asked again with `stretch: false`.
 */
export function listQuery({ filter, scope, limit, after }: ListRequest, stretch: boolean): Query {
  const condition = conditionOf(filter, scope);
  const where = after
    ? `${condition.sql} AND p.ended_at <= ${instantParam('after_at')} AND (p.ended_at, p.log_id) < (${instantParam('after_at')}, {after_id:UUID})`
    : condition.sql;
  const params = { ...condition.params, ...(after && { after_at: after.endedAt, after_id: after.logId }) };
  const tail = `ORDER BY p.ended_at DESC, p.log_id DESC LIMIT ${limit + 1}`;
  if (!stretch) return { sql: `SELECT ${SELECT}, 1 AS whole FROM playproof.plays AS p FINAL WHERE ${where} ${tail}`, params };
  const edge = `SELECT p.ended_at FROM playproof.plays AS p WHERE ${where} ORDER BY p.ended_at DESC LIMIT 1 OFFSET ${2 * (limit + 1)}`;
  return {
    sql:
      `WITH (${edge}) AS edge SELECT ${SELECT}, isNull(edge) AS whole FROM playproof.plays AS p FINAL ` +
      `WHERE ${where} AND p.ended_at >= ifNull(edge, toDateTime64('1900-01-01 00:00:00', 3, 'UTC')) ${tail}`,
    params,
  };
}
