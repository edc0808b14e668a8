/** Every play as reports count it, out of ClickHouse, page by page in the order of its own sort key. */
import { PLAYS, POSITIONS } from '../../analytics/schema.ts';
import type { QueryParams } from '../../query/analytics-port.ts';
import { instantParam } from '../../query/play-filter.ts';
import { analyticsRow, PLAY_COLUMNS, type PlayColumns } from '../play-columns.ts';
import { patiently } from './patience.ts';
import type { CountedRow, EngineAnalytics } from './ports.ts';

/** One query; rows are objects. Rejects with an error whose `code` is ClickHouse's number, as text. */
export type AskRows = <Row>(sql: string, params: QueryParams) => Promise<Row[]>;

const PAGE = 20_000;
/** UNKNOWN_TABLE and UNKNOWN_DATABASE: nothing was ever loaded. */
const NOTHING_THERE = new Set(['60', '81']);
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

const SELECT = `${PLAY_COLUMNS}, toUnixTimestamp64Milli(p.received_at) AS r_received_at`;

interface SqlRow extends PlayColumns {
  readonly r_received_at: number;
}

interface Cursor {
  readonly endedAt: number;
  readonly logId: string;
}

export class ClickHouseRows implements EngineAnalytics {
  readonly #ask: AskRows;
  readonly #page: number;

  constructor(ask: AskRows, page = PAGE) {
    this.#ask = ask;
    this.#page = page;
  }

  async loaded(): Promise<ReadonlyMap<string, ReadonlyMap<number, number>>> {
    const rows = await this.#rows<{ feed: string; part: number; next: number }>(
      `SELECT feed_id AS feed, feed_partition AS part, toInt64(max(next_offset)) AS next FROM ${POSITIONS} GROUP BY feed_id, feed_partition`,
      {},
    );
    const feeds = new Map<string, Map<number, number>>();
    for (const { feed, part, next } of rows) feeds.set(feed, (feeds.get(feed) ?? new Map<number, number>()).set(part, next));
    return feeds;
  }

  async count(): Promise<number> {
    return (await this.#rows<{ n: number }>(`SELECT toInt64(count()) AS n FROM ${PLAYS}`, {}))[0]?.n ?? 0;
  }

  /**
   * FINAL alone would read all of the table for each page. So the sort key alone is read first, which stops as soon as it has seen
   * enough, and FINAL then works on that stretch of time.
   */
  async *pages(): AsyncIterable<readonly CountedRow[]> {
    for (let after: Cursor | null = null; ; ) {
      const edge: number | null = await this.#edge(after);
      const rows: SqlRow[] = await this.#stretch(after, edge);
      yield rows.map(countedRow);
      const last = rows.at(-1);
      if (last && rows.length === this.#page) after = { endedAt: last.r_ended_at, logId: last.r_log_id };
      else if (edge === null) return;
      else after = { endedAt: edge, logId: LAST_ID };
    }
  }

  /** Where a stretch with enough stored rows ends; null: that is the rest. */
  async #edge(after: Cursor | null): Promise<number | null> {
    const { sql, params } = behind(after);
    const [row] = await this.#rows<{ edge: number }>(
      `SELECT toUnixTimestamp64Milli(p.ended_at) AS edge FROM ${PLAYS} AS p WHERE ${sql} ORDER BY p.ended_at LIMIT 1 OFFSET ${2 * this.#page}`,
      params,
    );
    return row?.edge ?? null;
  }

  #stretch(after: Cursor | null, edge: number | null): Promise<SqlRow[]> {
    const { sql, params } = behind(after);
    const until = edge === null ? '' : `AND p.ended_at <= ${instantParam('edge')} `;
    return this.#rows<SqlRow>(
      `SELECT ${SELECT} FROM ${PLAYS} AS p FINAL WHERE ${sql} ${until}ORDER BY p.ended_at, p.log_id LIMIT ${this.#page}`,
      { ...params, ...(edge !== null && { edge }) },
    );
  }

  #rows<Row>(sql: string, params: QueryParams): Promise<Row[]> {
    return patiently('analytics in ClickHouse', async () => {
      try {
        return await this.#ask<Row>(sql, params);
      } catch (error) {
        if (NOTHING_THERE.has(String((error as { code?: unknown }).code))) return [];
        throw error;
      }
    });
  }
}

function behind(after: Cursor | null): { readonly sql: string; readonly params: QueryParams } {
  if (!after) return { sql: '1', params: {} };
  const at = instantParam('after_at');
  return {
    sql: `p.ended_at >= ${at} AND (p.ended_at, p.log_id) > (${at}, {after_id:UUID})`,
    params: { after_at: after.endedAt, after_id: after.logId },
  };
}

function countedRow(row: SqlRow): CountedRow {
  return { ...analyticsRow(row), receivedAt: row.r_received_at, fingerprint: Buffer.from(row.r_fingerprint, 'hex') };
}
