import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { Registry as Metrics } from 'prom-client';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { REGISTRY_FILE } from '../../../src/registry/database.ts';
import { registryRoutes } from '../../../src/registry/routes.ts';
import { CampaignObject, ContentObject, DeviceObject, ImportAnswer, KeyObject, StoreObject } from '../../../src/registry/schemas.ts';
import { SqliteRegistry } from '../../../src/registry/sqlite-registry.ts';
import type { Identity } from '../../../src/server/access.ts';
import { buildApp } from '../../../src/server/app.ts';

interface Item {
  [name: string]: unknown;
}
const vectors = (JSON.parse(readFileSync(new URL('../../vectors/playback-logs.json', import.meta.url), 'utf8')) as { registry: Item })
  .registry as {
  stores: Item[];
  devices: (Item & { keys: Item[] })[];
};

const TOKENS: Record<string, Identity> = {
  ['a'.repeat(32)]: { role: 'admin' },
  ['o'.repeat(32)]: { role: 'operator' },
  ['s'.repeat(32)]: { role: 'supplier', supplierId: randomUUID() },
};
const NOW = Date.UTC(2026, 10, 20);
const STORE = { name: 'Ben Thanh', supplier_id: randomUUID(), location: { lat: 10.7725, lng: 106.698 } };

let directory: string;
let registry: SqliteRegistry;
let app: FastifyInstance;
let now: number;
let address: string;

beforeEach(async () => {
  now = NOW;
  directory = mkdtempSync(path.join(tmpdir(), 'playproof-routes-'));
  registry = new SqliteRegistry(path.join(directory, REGISTRY_FILE), () => now);
  app = await buildApp({
    config: { requestTimeoutMs: 30_000, maxInFlightBytes: 160 * 1024 * 1024 },
    logger: pino({ level: 'silent' }),
    authenticate: (token) => TOKENS[token] ?? null,
    plugins: [registryRoutes({ registry })],
    health: { live: () => ({ ok: true, checks: {} }), ready: () => ({ ok: true, checks: {} }) },
    metrics: new Metrics(),
  });
  address = await app.listen({ port: 0, host: '127.0.0.1' });
});
afterEach(async () => {
  await app.close();
  registry.close();
  rmSync(directory, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly body: Item;
}

async function call(
  method: 'GET' | 'PUT' | 'POST' | 'DELETE',
  url: string,
  body?: unknown,
  type = 'application/json',
  token = 'a',
): Promise<Answer> {
  const response = await fetch(`${address}/api/v1${url}`, {
    method,
    headers: {
      ...(token !== '' && { authorization: `Bearer ${token.repeat(32)}` }),
      ...(body !== undefined && { 'content-type': type }),
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Item) };
}

async function aStore(): Promise<string> {
  const id = randomUUID();
  expect((await call('PUT', `/stores/${id}`, STORE)).status).toBe(201);
  return id;
}

function conforms(schema: TSchema, value: unknown): void {
  expect([...Compile(schema).Errors(value)]).toEqual([]);
}

describe('stores, campaigns, contents', () => {
  test.each([
    ['stores', 'store_id', STORE, { ...STORE, region: 'South', time_zone: 'Asia/Ho_Chi_Minh' }, StoreObject],
    ['campaigns', 'campaign_id', { advertiser_id: randomUUID() }, { advertiser_id: randomUUID(), name: 'Water' }, CampaignObject],
    ['contents', 'content_id', { duration: 15 }, { duration: 1.001, name: 'water-15s' }, ContentObject],
  ])('%s: PUT, GET, DELETE, list', async (collection, idName, first, second, schema) => {
    const id = randomUUID();
    const url = `/${collection}/${id}`;
    expect((await call('GET', url)).body.code).toBe('not_found');
    expect((await call('DELETE', url)).body.code).toBe('not_found');
    expect(await call('PUT', `/${collection}/${id.toUpperCase()}`, first)).toEqual({ status: 201, body: { [idName]: id, ...first } });
    expect(await call('PUT', url, first)).toEqual({ status: 200, body: { [idName]: id, ...first } });
    const answer = await call('PUT', url, second);
    expect(answer).toEqual({ status: 200, body: { [idName]: id, ...second } });
    conforms(schema, answer.body);
    expect(await call('GET', url, undefined, '', 'o')).toEqual({ status: 200, body: { [idName]: id, ...second } });
    expect((await call('GET', `/${collection}`)).body).toEqual({ items: [{ [idName]: id, ...second }], next_cursor: null });
    expect(await call('DELETE', url)).toEqual({ status: 204, body: {} });
    expect((await call('DELETE', url)).status).toBe(204);
    expect(await call('GET', url)).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(await call('PUT', url, first)).toMatchObject({ status: 409, body: { code: 'id_retired' } });
    expect((await call('GET', `/${collection}`)).body).toEqual({ items: [], next_cursor: null });
  });

  test('lists page by cursor', async () => {
    const ids = [await aStore(), await aStore(), await aStore()].sort();
    const first = (await call('GET', '/stores?limit=2')).body as { items: Item[]; next_cursor: string };
    expect(first.items.map(({ store_id }) => store_id)).toEqual(ids.slice(0, 2));
    const second = (await call('GET', `/stores?limit=2&cursor=${first.next_cursor}`)).body as { items: Item[]; next_cursor: null };
    expect(second.items.map(({ store_id }) => store_id)).toEqual(ids.slice(2));
    expect(second.next_cursor).toBeNull();
    for (const query of [
      `cursor=${first.next_cursor}x`,
      'cursor=',
      'cursor=abc',
      'limit=0',
      'limit=1001',
      'limit=1.5',
      'region=x',
      'limit=1&limit=2',
    ]) {
      expect(await call('GET', `/stores?${query}`), query).toMatchObject({ status: 400, body: { code: 'invalid_parameter' } });
    }
  });

  test('bad bodies are told every field', async () => {
    const url = `/stores/${randomUUID()}`;
    const wrong = { name: '', supplier_id: 'x', location: { lat: 91, alt: 1 }, time_zone: 5, more: 1 };
    const answer = await call('PUT', url, wrong);
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_field' } });
    expect(answer.body.fields).toEqual(
      expect.arrayContaining(['/location/alt', '/location/lat', '/location/lng', '/more', '/name', '/supplier_id', '/time_zone']),
    );
    expect((await call('PUT', url, { ...STORE, time_zone: 'Mars/Olympus' })).body.fields).toEqual(['/time_zone']);
    expect((await call('PUT', url, '{"name":"a","name":"b"}')).body.code).toBe('malformed');
    expect((await call('PUT', '/stores/7', STORE)).body.code).toBe('invalid_parameter');
    expect((await call('PUT', url, STORE, 'text/plain')).body.code).toBe('unsupported_media_type');
    expect((await call('GET', url)).status).toBe(404);
  });

  test('null is the same as left out', async () => {
    const url = `/stores/${randomUUID()}`;
    expect((await call('PUT', url, { ...STORE, region: null, time_zone: null })).status).toBe(201);
    expect((await call('GET', url)).body).not.toHaveProperty('region');
  });
});

describe('devices and keys', () => {
  test('a device is moved, disabled, and keeps its history', async () => {
    const [first, second] = [await aStore(), await aStore()];
    const url = `/devices/${randomUUID()}`;
    expect(await call('PUT', url, { store_id: randomUUID() })).toMatchObject({ status: 422, body: { code: 'unknown_store' } });
    expect(await call('PUT', url, { store_id: first.toUpperCase() })).toMatchObject({
      status: 201,
      body: { store_id: first, active: true },
    });
    const since = '2026-11-19T12:00:00+07:00';
    await call('PUT', url, { store_id: second, since });
    const answer = await call('PUT', url, { store_id: second, active: false });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        store_id: second,
        active: false,
        since: '2026-11-20T00:00:00.000Z',
        assignments: [
          { store_id: first, active: true },
          { store_id: second, active: true, since: '2026-11-19T05:00:00.000Z' },
          { store_id: second, active: false, since: '2026-11-20T00:00:00.000Z' },
        ],
        keys: [],
      },
    });
    conforms(DeviceObject, answer.body);
    expect(await call('PUT', url, { store_id: first, since })).toMatchObject({
      status: 400,
      body: { code: 'invalid_field', fields: ['/since'] },
    });
    await call('DELETE', url);
    expect((await call('GET', url)).status).toBe(404);
    expect((await call('PUT', url, { store_id: first })).body.code).toBe('id_retired');
  });

  test('keys are added, said again, refused where they conflict, revoked', async () => {
    const url = `/devices/${randomUUID()}`;
    const key = vectors.devices[0]?.keys[0] as Item;
    expect((await call('POST', `${url}/keys`, key)).body.code).toBe('not_found');
    await call('PUT', url, { store_id: await aStore() });
    const answered = { ...key, valid_from: '2025-10-16T09:30:00.000Z' };
    const answer = await call('POST', `${url}/keys`, key);
    expect(answer).toEqual({ status: 201, body: answered });
    conforms(KeyObject, answer.body);
    expect(await call('POST', `${url}/keys`, key)).toEqual({ status: 200, body: answered });
    expect(await call('POST', `${url}/keys`, { ...key, valid_from: null })).toMatchObject({ status: 409, body: { code: 'key_conflict' } });
    expect((await call('GET', url)).body.keys).toEqual([answered]);
    now += 60_000;
    const revoked = await call('POST', `${url}/keys/k1/revoke`, { compromised: true });
    expect(revoked.body).toMatchObject({ valid_until: '2026-11-20T00:01:00.000Z', compromised_at: '2026-11-20T00:01:00.000Z' });
    expect((await call('POST', `${url}/keys/k1/revoke`)).status).toBe(200);
    expect(await call('POST', `${url}/keys/k1/revoke`, { at: '2026-11-21T00:00:00Z' })).toMatchObject({
      status: 400,
      body: { fields: ['/at'] },
    });
    expect((await call('POST', `${url}/keys/k2/revoke`, {})).body.code).toBe('not_found');
    expect((await call('DELETE', `${url}/keys/k1`)).status).toBe(404);
  });

  test('bad keys are refused with their fields', async () => {
    const url = `/devices/${randomUUID()}`;
    await call('PUT', url, { store_id: await aStore() });
    const key = vectors.devices[0]?.keys[0] as Item;
    for (const [change, field] of [
      [{ public_key: 'x' }, '/public_key'],
      [{ algorithm: 'HS256' }, '/algorithm'],
      [{ key_id: 'k'.repeat(65) }, '/key_id'],
      [{ key_id: '' }, '/key_id'],
      [{ valid_until: '2025-10-16T09:30:00Z' }, '/valid_until'],
      [{ valid_from: '2025-10-16' }, '/valid_from'],
      [{ compromised_at: '2025-10-16T09:30:00Z' }, '/compromised_at'],
    ] as const) {
      expect(await call('POST', `${url}/keys`, { ...key, ...change })).toMatchObject({
        status: 400,
        body: { code: 'invalid_field', fields: [field] },
      });
    }
  });

  test('a key_id may need escaping in the path', async () => {
    const url = `/devices/${randomUUID()}`;
    await call('PUT', url, { store_id: await aStore() });
    const key_id = 'schlüssel/2 %';
    await call('POST', `${url}/keys`, { ...vectors.devices[0]?.keys[0], key_id });
    expect((await call('POST', `${url}/keys/${encodeURIComponent(key_id)}/revoke`, {})).body.key_id).toBe(key_id);
  });
});

describe('import', () => {
  test('takes both forms', async () => {
    const counts = { stores: 4, devices: 11, keys: 12, campaigns: 2, contents: 1 };
    const answer = await call('POST', '/registry/import', vectors);
    expect(answer).toEqual({ status: 200, body: counts });
    conforms(ImportAnswer, answer.body);
    const lines = vectors.stores.map((store) => JSON.stringify({ type: 'store', ...store })).join('\n');
    expect(await call('POST', '/registry/import', `${lines}\n`, 'application/x-ndjson')).toEqual({
      status: 200,
      body: { stores: 4, devices: 0, keys: 0, campaigns: 0, contents: 0 },
    });
    expect((await call('GET', '/devices')).body.items).toHaveLength(11);
  });

  test('names the line at fault and imports nothing', async () => {
    const body = `${JSON.stringify({ type: 'store', ...vectors.stores[0] })}\n{"type":"store"}\n`;
    const answer = await call('POST', '/registry/import', body, 'application/x-ndjson; charset=utf-8');
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_field', line: 2 } });
    expect((await call('GET', '/stores')).body.items).toEqual([]);
  });

  test('refuses other forms, parameters, and what is not readable', async () => {
    expect((await call('POST', '/registry/import', 'x', 'text/csv')).status).toBe(415);
    expect((await call('POST', '/registry/import', '{}', 'application/json; charset=latin1')).status).toBe(415);
    expect((await call('POST', '/registry/import?dry_run=1', {})).body.code).toBe('invalid_parameter');
    expect((await call('POST', '/registry/import', '{"stores":[}')).body.code).toBe('malformed');
    expect((await call('POST', '/registry/import', '')).status).toBe(400);
  });
});

test('who may do what', async () => {
  const id = randomUUID();
  const writes = [
    ['PUT', `/stores/${id}`],
    ['DELETE', `/stores/${id}`],
    ['PUT', `/devices/${id}`],
    ['DELETE', `/devices/${id}`],
    ['PUT', `/campaigns/${id}`],
    ['DELETE', `/campaigns/${id}`],
    ['PUT', `/contents/${id}`],
    ['DELETE', `/contents/${id}`],
    ['POST', `/devices/${id}/keys`],
    ['POST', `/devices/${id}/keys/k1/revoke`],
    ['POST', '/registry/import'],
  ] as const;
  const reads = ['stores', 'devices', 'campaigns', 'contents'].flatMap((name) => [`/${name}`, `/${name}/${id}`]);
  for (const [method, url] of writes) {
    expect((await call(method, url, undefined, '', '')).status, url).toBe(401);
    for (const token of ['o', 's']) expect((await call(method, url, undefined, '', token)).body.code, url).toBe('forbidden');
  }
  for (const url of reads) {
    expect((await call('GET', url, undefined, '', '')).status, url).toBe(401);
    expect((await call('GET', url, undefined, '', 's')).body.code, url).toBe('forbidden');
    expect([200, 404]).toContain((await call('GET', url, undefined, '', 'o')).status);
  }
});
