/** Analytics as the audit sees it, asked in ClickHouse's SQL: the same statements on chDB and on a server. */
import { PLAYS, POSITIONS } from '../analytics/schema.ts';
import type { AnalyticsQueries } from '../query/analytics-port.ts';
import { analyticsRow, PLAY_COLUMNS, type PlayColumns } from './play-columns.ts';
import type { AnalyticsCopy, AnalyticsRow, LoadedFeed } from './ports.ts';

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
      `SELECT DISTINCT ${PLAY_COLUMNS} FROM ${PLAYS} AS p PREWHERE p.feed_offset >= {from:UInt64} ${bound}` +
      `ORDER BY r_offset, r_log_id LIMIT ${this.maxRows}`;
    return (await this.#queries.rows<PlayColumns>(sql, { from, ...(until !== null && { until }) })).map(analyticsRow);
  }

  /** As reports read, with FINAL; the inner query finds the keys, so that FINAL has to look at few places only. */
  async counted(logIds: readonly string[]): Promise<readonly AnalyticsRow[]> {
    const sql =
      `SELECT ${PLAY_COLUMNS} FROM ${PLAYS} AS p FINAL WHERE p.log_id IN {ids:Array(UUID)} ` +
      `AND p.ended_at IN (SELECT k.ended_at FROM ${PLAYS} AS k WHERE k.log_id IN {ids:Array(UUID)}) ` +
      `ORDER BY r_log_id, r_offset LIMIT ${this.maxRows}`;
    return (await this.#queries.rows<PlayColumns>(sql, { ids: logIds })).map(analyticsRow);
  }
}
