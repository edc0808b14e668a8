/** Where the loader writes: rows first, then the position behind them. */
import type { ClickHouseClient } from '@clickhouse/client';
import type { FeedPositions, LoadedPlay } from './feed-source.ts';
import type { RowBatch } from './row-batch.ts';
import { LOADED_NAMES, PLAYS, POSITIONS } from './schema.ts';

/** Runs `statement` (`INSERT INTO ...`) with the batch as its data. How the bytes get there is the engine's matter. */
export type InsertBatch = (client: ClickHouseClient, table: string, names: string, batch: RowBatch) => Promise<void>;

export interface AnalyticsSink {
  /** What was loaded of each feed. */
  positions(): Promise<ReadonlyMap<string, FeedPositions>>;
  /** The play with the largest offset; null where there is none. */
  lastPlay(): Promise<LoadedPlay | null>;
  /** Durable when it resolves. When it rejects, any part of the batch may be there; the same rows again change nothing. */
  insert(batch: RowBatch): Promise<void>;
  /** Durable when it resolves. Only called for rows whose `insert` resolved. */
  savePositions(feedId: string, next: FeedPositions): Promise<void>;
  /** Drops the connection: chDB answers the next query on it with leftovers of one that failed. */
  discard(): Promise<void>;
}

export class ClickHouseSink implements AnalyticsSink {
  readonly #connect: () => ClickHouseClient;
  readonly #insert: InsertBatch;
  #client: ClickHouseClient | null = null;

  /** @param connect makes a connection that nobody else uses. */
  constructor(connect: () => ClickHouseClient, insert: InsertBatch) {
    this.#connect = connect;
    this.#insert = insert;
  }

  async positions(): Promise<ReadonlyMap<string, FeedPositions>> {
    const result = await this.#own().query({
      query: `SELECT feed_id, feed_partition, toString(max(next_offset)) AS next FROM ${POSITIONS} GROUP BY feed_id, feed_partition`,
      format: 'JSONEachRow',
    });
    const feeds = new Map<string, Map<number, number>>();
    for (const row of await result.json<{ feed_id: string; feed_partition: number; next: string }>()) {
      const feed = feeds.get(row.feed_id) ?? new Map<number, number>();
      feeds.set(row.feed_id, feed.set(row.feed_partition, Number(row.next)));
    }
    return feeds;
  }

  async lastPlay(): Promise<LoadedPlay | null> {
    const result = await this.#own().query({
      query:
        'SELECT feed_partition AS partition, toString(feed_offset) AS offset, toString(log_id) AS logId, lower(hex(content_hash)) AS contentHash ' +
        `FROM ${PLAYS} WHERE feed_offset = (SELECT max(feed_offset) FROM ${PLAYS}) LIMIT 1`,
      format: 'JSONEachRow',
    });
    const [row] = await result.json<Omit<LoadedPlay, 'offset'> & { readonly offset: string }>();
    return row ? { ...row, offset: Number(row.offset) } : null;
  }

  async insert(batch: RowBatch): Promise<void> {
    await this.#insert(this.#own(), PLAYS, LOADED_NAMES, batch);
  }

  async savePositions(feedId: string, next: FeedPositions): Promise<void> {
    await this.#own().command({
      query:
        `INSERT INTO ${POSITIONS} SELECT {feed:String}, pair.1, pair.2 FROM ` +
        '(SELECT arrayJoin(arrayZip({partitions:Array(UInt32)}, {offsets:Array(UInt64)})) AS pair) SETTINGS async_insert = 0',
      query_params: { feed: feedId, partitions: [...next.keys()], offsets: [...next.values()] },
    });
  }

  async discard(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.close();
  }

  #own(): ClickHouseClient {
    this.#client ??= this.#connect();
    return this.#client;
  }
}
