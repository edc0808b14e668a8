/** chDB in this process. Only the analytics process imports this: it costs 260 MB, and one process owns a data directory. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClickHouseClient, createClient } from '@clickhouse/client';
import { Session } from 'chdb';
import { createChdbConnection } from 'chdb/connection';
import { LOADED_STRUCTURE } from '../schema.ts';
import type { InsertBatch } from '../sink.ts';

/** A process that was killed holds its lock for a moment. */
const LOCK_WAIT_MS = 30_000;
const LOCK_RETRY_MS = 200;

/** Merging and caches must leave the machine to accepting. */
const CONFIG = `<clickhouse>
  <background_pool_size>2</background_pool_size>
  <background_schedule_pool_size>4</background_schedule_pool_size>
  <mark_cache_size>67108864</mark_cache_size>
  <max_server_memory_usage>3221225472</max_server_memory_usage>
</clickhouse>
`;

export interface Engine {
  /** A connection of its own; the caller closes it, and after an error never uses it again. */
  readonly connect: () => ClickHouseClient;
  readonly insertBatch: InsertBatch;
  readonly close: () => void;
}

/** @throws Error when the directory cannot be opened for 30 s, for instance because another process has it. */
export async function openEngine(directory: string): Promise<Engine> {
  mkdirSync(directory, { recursive: true });
  const config = path.join(directory, 'engine.xml');
  writeFileSync(config, CONFIG);
  const data = path.join(directory, 'chdb');
  const session = await openSession(data, config);
  const staging = stagingDirectory(directory);
  const connect = (): ClickHouseClient => createClient(chdbConfig(data));
  await probe(connect, staging.file);
  return {
    connect,
    insertBatch: insertFrom(staging.file),
    close: () => {
      staging.remove();
      session.close();
    },
  };
}

/** This session stays open for as long as the process: the last one to close would shut the engine down. */
async function openSession(data: string, config: string): Promise<Session> {
  const until = performance.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      return new Session(data, { connectionArgs: [`--config-file=${config}`] });
    } catch (error) {
      if (performance.now() > until) {
        throw new Error(`chDB cannot open ${data}: another process may have it (chDB's own words are on stderr)`, { cause: error });
      }
    }
    await sleep(LOCK_RETRY_MS);
  }
}

/** `createClient` takes a ready-made connection; its published types do not say so yet. */
function chdbConfig(data: string): Parameters<typeof createClient>[0] {
  return { connection: createChdbConnection({ path: data }) } as object;
}

/** `file()` reads `* ? { }` in a path as a pattern and then finds *nothing*, without an error. */
function stagingDirectory(directory: string): { readonly file: string; remove(): void } {
  const plain = !/[*?{}]/.test(path.resolve(directory));
  const at = plain ? path.resolve(directory) : mkdtempSync(path.join(tmpdir(), 'playproof-analytics-'));
  const file = path.join(at, 'loading.bin');
  return { file, remove: () => (plain ? rmSync(file, { force: true }) : rmSync(at, { recursive: true, force: true })) };
}

/** Inserts do not tell how many rows they wrote, so it is proved beforehand that what is put into the file is what is read. */
async function probe(connect: () => ClickHouseClient, file: string): Promise<void> {
  writeFileSync(file, Buffer.from([7, 9]));
  const client = connect();
  try {
    const result = await client.query({ query: `SELECT sum(x) AS total FROM file(${literal(file)}, 'RowBinary', 'x UInt8')` });
    const { data } = await result.json<{ total: number | string }>();
    if (Number(data[0]?.total) !== 16)
      throw new Error(`chDB does not read files in ${path.dirname(file)}; choose another PLAYPROOF_DATA_DIR`);
  } finally {
    await client.close();
    rmSync(file, { force: true });
  }
}

/**
 * Binary data is damaged on its way through the client, and JSON costs several times as much, so the rows go through a file. It is
 * no part of what is kept: after a crash it is written anew from the feed, and needs no fsync.
 */
function insertFrom(file: string): InsertBatch {
  return async (client, table, names, batch) => {
    writeFileSync(file, batch.bytes);
    await client.command({
      query:
        `INSERT INTO ${table} (${names}) SELECT ${names} FROM file(${literal(file)}, 'RowBinary', ${literal(LOADED_STRUCTURE)}) ` +
        'SETTINGS async_insert = 0, max_partitions_per_insert_block = 0',
    });
    rmSync(file);
  };
}

function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
