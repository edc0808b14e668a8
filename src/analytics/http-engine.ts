/** ClickHouse as a server, over HTTP. */
import { Readable } from 'node:stream';
import { type ClickHouseClient, createClient } from '@clickhouse/client';
import type { AnalyticsQueries, QueryParams } from '../query/analytics-port.ts';
import { queryProblem } from './query-problem.ts';
import { QuerySlots } from './query-slots.ts';
import { queryLines } from './query.ts';
import { migrate } from './schema.ts';
import type { InsertBatch } from './sink.ts';

const REQUEST_MS = 30_000;
const PING_MS = 5_000;

/** @param url `http(s)://user:password@host:port` */
export function connectTo(url: string, requestMs = REQUEST_MS): ClickHouseClient {
  return createClient({ url, request_timeout: requestMs, compression: { request: false, response: true } });
}

/** ClickHouse's REQUIRED_PASSWORD, ACCESS_DENIED, AUTHENTICATION_FAILED. */
const BAD_CREDENTIALS = new Set(['194', '497', '516']);

/** Names the setting that is to blame, where it is one. */
async function asking<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
    if (typeof code !== 'string' || !BAD_CREDENTIALS.has(code)) throw error;
    const told = `ClickHouse refuses the credentials of PLAYPROOF_CLICKHOUSE_URL, or what they may do: ${String(message)}`;
    throw Object.assign(new Error(told, { cause: error }), { code });
  }
}

/** The tables, made and brought up to date. @throws as `migrate` does. */
export async function migrateOverHttp(url: string): Promise<void> {
  const client = connectTo(url);
  try {
    await asking(() => migrate(client));
  } finally {
    await client.close();
  }
}

/** The rows are RowBinary already and travel as they are. */
export const insertOverHttp: InsertBatch = (client, table, names, batch) =>
  asking(async () => {
    const { stream } = await client.exec({
      query: `INSERT INTO ${table} (${names}) SETTINGS async_insert = 0, max_partitions_per_insert_block = 0 FORMAT RowBinary`,
      values: Readable.from([Buffer.from(batch.bytes)]),
    });
    // The answer has no body; reading it to its end gives the connection back.
    for await (const _ of stream) continue;
  });

export class HttpAnalytics implements AnalyticsQueries {
  readonly #url: string;
  readonly #slots = new QuerySlots();
  readonly #onFault: (message: string) => void;

  /** @param onFault Told of every query that failed, with the engine's own words. */
  constructor(url: string, onFault: (message: string) => void) {
    this.#url = url;
    this.#onFault = onFault;
  }

  /** @throws Error with a sentence when ClickHouse does not answer. */
  async ping(): Promise<void> {
    const client = connectTo(this.#url, PING_MS);
    try {
      // With a query: the address that needs no user says nothing of whether ours may ask.
      const result = await client.ping({ select: true });
      if (!result.success) throw new Error(`ClickHouse cannot be asked now: ${result.error.message}`, { cause: result.error });
    } finally {
      await client.close();
    }
  }

  async rows<Row>(sql: string, params: QueryParams): Promise<Row[]> {
    await this.#slots.take();
    try {
      const lines = await asking(() => queryLines(() => connectTo(this.#url), sql, params));
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
