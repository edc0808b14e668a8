/** ClickHouse as a server, over HTTP. */
import { Readable } from 'node:stream';
import { type ClickHouseClient, createClient } from '@clickhouse/client';
import type { AnalyticsQueries, QueryParams } from '../query/analytics-port.ts';
import { queryProblem } from './query-problem.ts';
import { QuerySlots } from './query-slots.ts';
import { queryLines } from './query.ts';
import type { InsertBatch } from './sink.ts';

const REQUEST_MS = 30_000;

/** @param url `http(s)://user:password@host:port` */
export function connectTo(url: string): ClickHouseClient {
  return createClient({ url, request_timeout: REQUEST_MS, compression: { request: false, response: true } });
}

/** The rows are RowBinary already and travel as they are. */
export const insertOverHttp: InsertBatch = async (client, table, names, batch) => {
  const { stream } = await client.exec({
    query: `INSERT INTO ${table} (${names}) SETTINGS async_insert = 0, max_partitions_per_insert_block = 0 FORMAT RowBinary`,
    values: Readable.from([Buffer.from(batch.bytes)]),
  });
  // The answer has no body; reading it to its end gives the connection back.
  for await (const _ of stream) continue;
};

export class HttpAnalytics implements AnalyticsQueries {
  readonly #url: string;
  readonly #slots = new QuerySlots();
  readonly #onFault: (message: string) => void;

  /** @param onFault Told of every query that failed, with the engine's own words. */
  constructor(url: string, onFault: (message: string) => void) {
    this.#url = url;
    this.#onFault = onFault;
  }

  async rows<Row>(sql: string, params: QueryParams): Promise<Row[]> {
    await this.#slots.take();
    try {
      const lines = await queryLines(() => connectTo(this.#url), sql, params);
      return lines
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Row);
    } catch (error) {
      const { code, message } = error as { code?: unknown; message?: unknown };
      this.#onFault(String(message));
      throw queryProblem(typeof code === 'string' ? code : null);
    } finally {
      this.#slots.give();
    }
  }
}
