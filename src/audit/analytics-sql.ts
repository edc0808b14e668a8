/** Analytics as the audit sees it, asked in ClickHouse's SQL: the same statements on chDB and on a server. */
import { PLAYS, POSITIONS } from '../analytics/schema.ts';
import type { AnalyticsQueries } from '../query/analytics-port.ts';
import type { AnalyticsCopy, AnalyticsRow, LoadedFeed } from './ports.ts';

// Other names than those of the columns, which they would hide in the conditions.
const SELECT =
  'p.feed_partition AS r_partition, p.feed_offset AS r_offset, toString(p.log_id) AS r_log_id, lower(hex(p.content_hash)) AS r_content_hash, ' +
  'toString(p.status) AS r_status, p.billable AS r_billable, toUnixTimestamp64Milli(p.ended_at) AS r_ended_at';

interface SqlRow {
  readonly r_partition: number;
  readonly r_offset: number;
  readonly r_log_id: string;
  readonly r_content_hash: string;
  readonly r_status: string;
  readonly r_billable: boolean;
  readonly r_ended_at: number;
}

export class SqlAnalyticsCopy implements AnalyticsCopy {
  readonly maxRows: number;
  readonly #queries: AnalyticsQueries;

  constructor(queries: AnalyticsQueries, maxRows: number) {
    this.#queries = queries;
    this.maxRows = maxRows;
  }

  loaded(): Promise<readonly LoadedFeed[]> {
    const sql = `SELECT feed_id AS feedId, toInt64(max(next_offset)) - 1 AS position FROM ${POSITIONS} WHERE feed_partition = 0 GROUP BY feed_id`;
    return this.#queries.rows<LoadedFeed>(sql, {});
  }

  /** Without FINAL, which would read and merge the whole table for each range; DISTINCT takes what was loaded twice as it was. */
  async stored(from: number, until: number | null): Promise<readonly AnalyticsRow[]> {
    const bound = until === null ? '' : 'AND p.feed_offset <= {until:UInt64} ';
    const sql =
      `SELECT DISTINCT ${SELECT} FROM ${PLAYS} AS p PREWHERE p.feed_offset >= {from:UInt64} ${bound}` +
      `ORDER BY r_offset, r_log_id LIMIT ${this.maxRows}`;
    return (await this.#queries.rows<SqlRow>(sql, { from, ...(until !== null && { until }) })).map(analyticsRow);
  }

  /** As reports read, with FINAL; the inner query finds the keys, so that FINAL has to look at few places only. */
  async counted(logIds: readonly string[]): Promise<readonly AnalyticsRow[]> {
    const sql =
      `SELECT ${SELECT} FROM ${PLAYS} AS p FINAL WHERE p.log_id IN {ids:Array(UUID)} ` +
      `AND p.ended_at IN (SELECT k.ended_at FROM ${PLAYS} AS k WHERE k.log_id IN {ids:Array(UUID)}) ` +
      `ORDER BY r_log_id, r_offset LIMIT ${this.maxRows}`;
    return (await this.#queries.rows<SqlRow>(sql, { ids: logIds })).map(analyticsRow);
  }
}

function analyticsRow(row: SqlRow): AnalyticsRow {
  return {
    partition: row.r_partition,
    offset: row.r_offset,
    logId: row.r_log_id,
    contentHash: row.r_content_hash,
    status: row.r_status,
    billable: row.r_billable,
    endedAt: row.r_ended_at,
  };
}
