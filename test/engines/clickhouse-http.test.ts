/** The facade behaves as ClickHouse does where our code would notice. Every other test of ClickHouse stands on this. */
import { Readable } from 'node:stream';
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startClickHouse } from './support/engines.ts';

const credentials = { user: 'playproof', password: 'pass:word' };
let server: Awaited<ReturnType<typeof startClickHouse>>;
let client: ClickHouseClient;

function connect(password: string): ClickHouseClient {
  return createClient({
    url: server.url,
    username: credentials.user,
    password,
    compression: { request: true, response: true },
    log: { level: ClickHouseLogLevel.OFF },
  });
}

beforeAll(async () => {
  server = await startClickHouse({ credentials });
  client = connect(credentials.password);
  await client.command({ query: 'CREATE DATABASE shop' });
  await client.command({
    query: 'CREATE TABLE shop.plays (id UInt32, name String) ENGINE = MergeTree ORDER BY id SETTINGS fsync_after_insert = 1',
  });
});
afterAll(async () => {
  await client.close();
  await server.dispose();
});

async function rows(query: string, parameters: Record<string, unknown> = {}, settings: Record<string, number> = {}): Promise<unknown[]> {
  const result = await client.query({ query, query_params: parameters, clickhouse_settings: settings, format: 'JSONEachRow' });
  return result.json();
}

function insert(id: number): Promise<unknown> {
  return client.insert({ table: 'shop.plays', values: [{ id, name: 'x' }], format: 'JSONEachRow' });
}

describe('the ClickHouse facade', () => {
  it('keeps rows of text and of binary formats, byte for byte', async () => {
    const name = "tab\t nul\0 quote' back\\ line\n \u{1f600}";
    await client.insert({ table: 'shop.plays', values: [{ id: 1, name }], format: 'JSONEachRow' });
    const row = Buffer.from([2, 0, 0, 0, 4, 0, 0xff, 0x0a, 0x80]);
    const { stream } = await client.exec({
      query: 'INSERT INTO shop.plays (id, name) FORMAT RowBinary',
      values: Readable.from([row], { objectMode: false }),
    });
    stream.resume();
    expect(await rows('SELECT id, hex(name) AS name FROM shop.plays WHERE id < 10 ORDER BY id')).toEqual([
      { id: 1, name: Buffer.from(name).toString('hex').toUpperCase() },
      { id: 2, name: '00FF0A80' },
    ]);
  });

  it('takes parameters, and settings that do not outlive their query', async () => {
    const text = "it's\t\\ {x}";
    const setting = "SELECT {text:String} AS text, {list:Array(UInt32)} AS list, getSetting('max_threads') AS threads";
    expect(await rows(setting, { text, list: [1, 2] }, { max_threads: 3 })).toEqual([{ text, list: [1, 2], threads: 3 }]);
    const threads = await Promise.all(Array.from({ length: 12 }, () => rows("SELECT getSetting('max_rows_to_read') AS n")));
    await rows('SELECT 1', {}, { max_rows_to_read: 5 });
    expect(await rows("SELECT getSetting('max_rows_to_read') AS n")).toEqual(threads[0]);
  });

  it.each([
    ['SELEC 1', '62', 'SYNTAX_ERROR'],
    ['SELECT * FROM shop.nothing', '60', 'UNKNOWN_TABLE'],
    ['SELECT * FROM nowhere.plays', '81', 'UNKNOWN_DATABASE'],
    ['SELECT nothing FROM shop.plays', '47', 'UNKNOWN_IDENTIFIER'],
    ['SELECT throwIf(number = 70000) FROM numbers(100000)', '395', 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO'],
    ['SELECT number FROM numbers(1000000) SETTINGS max_result_rows = 10', '396', 'TOO_MANY_ROWS_OR_BYTES'],
  ])('refuses %s with its code, and the next query gets rows of its own only', async (query, code, type) => {
    await expect(rows(query)).rejects.toMatchObject({ code, type });
    const after = await Promise.all(Array.from({ length: 10 }, (_, index) => rows(`SELECT ${index} AS one`)));
    expect(after).toEqual(Array.from({ length: 10 }, (_, index) => [{ one: index }]));
  });

  it('wants the password', async () => {
    const stranger = connect('other');
    await expect(stranger.query({ query: 'SELECT 1' })).rejects.toMatchObject({ code: '516', type: 'AUTHENTICATION_FAILED' });
    await stranger.close();
  });

  it('fails inserts as a test asks for it: refused, or done with the answer lost; and keeps what it answered through kill -9', async () => {
    const ids = async (): Promise<unknown> =>
      (await rows('SELECT groupArray(id) AS ids FROM (SELECT id FROM shop.plays WHERE id > 10 ORDER BY id)'))[0];
    await server.failInserts('refuse');
    await expect(insert(11)).rejects.toMatchObject({ code: '164', type: 'READONLY' });
    await server.failInserts('lose');
    await expect(insert(12)).rejects.toThrow(/socket hang up|ECONNRESET/);
    await server.failInserts('off');
    await insert(13);
    await server.kill();
    await expect(rows('SELECT 1')).rejects.toThrow();
    await server.restart();
    expect(await ids()).toEqual({ ids: [12, 13] });
  });
});
