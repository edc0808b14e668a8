/**
 * The registry over real HTTP, and what a change of it does to logs: those that come after are judged by it, those that were
 * acknowledged are not touched (I5).
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, type Reply, send } from '../support/http.ts';
import { importDocument, importWorld, makeWorld, play, type World } from '../support/registry.ts';
import { makeDataDir, removeDataDir, Service } from '../support/service.ts';
import { makeKey, type SigningKey } from '../support/signing.ts';

const HOUR_MS = 3_600_000;

let world: World;
let nextKey: SigningKey;
let service: Service;
const dataDir = makeDataDir();

beforeAll(async () => {
  world = makeWorld(2);
  nextKey = makeKey('k2', 'PS256', 3072);
  service = await Service.start({ dataDir });
  await importWorld(service, world);
});

afterAll(async () => {
  await service.kill();
  removeDataDir(dataDir);
});

function put(path: string, body: unknown): Promise<Reply> {
  return call(service, `/api/v1/${path}`, { method: 'PUT', body });
}

function remove(path: string): Promise<Reply> {
  return call(service, `/api/v1/${path}`, { method: 'DELETE' });
}

function keyBody({ keyId, algorithm, publicKey }: SigningKey, more: object = {}): object {
  return { key_id: keyId, algorithm, public_key: publicKey, ...more };
}

function ago(milliseconds: number): string {
  return new Date(Date.now() - milliseconds).toISOString();
}

/** A screen of its own in the first store, with the key of the world's first one. */
async function makeDevice(more: object = {}): Promise<string> {
  const deviceId = randomUUID();
  expect((await put(`devices/${deviceId}`, { store_id: world.stores[0].storeId, ...more })).status).toBe(201);
  expect((await call(service, `/api/v1/devices/${deviceId}/keys`, { body: keyBody(firstKey()) })).status).toBe(201);
  return deviceId;
}

function firstKey(): SigningKey {
  return (world.devices[0] as World['devices'][number]).key;
}

const OBJECTS: [string, string, object, object][] = [
  [
    'stores',
    'store_id',
    { name: 'Ham Nghi', supplier_id: randomUUID(), location: { lat: 10.77, lng: 106.7 }, region: 'South', time_zone: 'Asia/Ho_Chi_Minh' },
    { name: 'Ham Nghi 2', supplier_id: randomUUID(), location: { lat: 10.77, lng: 106.71 } },
  ],
  ['campaigns', 'campaign_id', { advertiser_id: randomUUID(), name: 'Tet' }, { advertiser_id: randomUUID() }],
  ['contents', 'content_id', { duration: 12.5, name: 'Spot' }, { duration: 30 }],
];

describe('an object', () => {
  test.each(OBJECTS)('of %s is put, read, replaced, listed and retired', async (collection, idName, first, second) => {
    const id = randomUUID();
    const address = `${collection}/${id.toUpperCase()}`;
    const created = await put(address, first);
    expect([created.status, created.json]).toEqual([201, { [idName]: id, ...first }]);
    expect((await put(address, first)).status).toBe(200);
    expect((await put(address, second)).json).toEqual({ [idName]: id, ...second });
    expect((await call(service, `/api/v1/${address}`)).json).toEqual({ [idName]: id, ...second });

    const listed: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await call(service, `/api/v1/${collection}?limit=1${cursor === null ? '' : `&cursor=${cursor}`}`);
      listed.push(...page.json.items.map((item: Record<string, string>) => item[idName]));
      cursor = page.json.next_cursor as string | null;
    } while (cursor !== null);
    expect(listed).toContain(id);
    expect(new Set(listed).size).toBe(listed.length);

    const retired = await remove(address);
    expect([retired.status, retired.text]).toEqual([204, '']);
    expect((await call(service, `/api/v1/${address}`)).json.code).toBe('not_found');
    expect((await put(address, first)).json).toMatchObject({ status: 409, code: 'id_retired' });
    expect((await remove(`${collection}/${randomUUID()}`)).status).toBe(404);
  });

  test.each([
    ['stores', { name: 'x', supplier_id: randomUUID(), location: { lat: 91, lng: 0 } }, ['/location/lat']],
    ['stores', { supplier_id: 'me', location: {}, colour: 1 }, ['/colour', '/location/lat', '/location/lng', '/name', '/supplier_id']],
    ['contents', { duration: 1.2345 }, ['/duration']],
    ['contents', { duration: 0 }, ['/duration']],
    ['campaigns', {}, ['/advertiser_id']],
  ])('of %s with faults: 400 naming each field', async (collection, body, fields) => {
    const answer = await put(`${collection}/${randomUUID()}`, body);
    expect(answer.json).toMatchObject({ status: 400, code: 'invalid_field', fields });
  });

  test('a device of no store: 422 unknown_store; of no id: 400', async () => {
    expect((await put(`devices/${randomUUID()}`, { store_id: randomUUID() })).json).toMatchObject({ status: 422, code: 'unknown_store' });
    expect((await put('devices/7', { store_id: world.stores[0].storeId })).json).toMatchObject({ status: 400, code: 'invalid_parameter' });
  });
});

describe('keys', () => {
  test('201, identical again 200, other content 409, read back with the device', async () => {
    const deviceId = await makeDevice();
    const address = `/api/v1/devices/${deviceId}/keys`;
    expect((await call(service, address, { body: keyBody(firstKey()) })).status).toBe(200);
    expect((await call(service, address, { body: { ...keyBody(nextKey), key_id: 'k1' } })).json).toMatchObject({
      status: 409,
      code: 'key_conflict',
    });
    const { json } = await call(service, `/api/v1/devices/${deviceId}`);
    expect(json.keys).toEqual([keyBody(firstKey())]);
  });

  test('that are weak or no keys are not taken', async () => {
    const deviceId = await makeDevice();
    for (const key of [makeKey('weak', 'RS256', 1024).publicKey, 'no key', firstKey().publicKey.replace('MII', 'MIJ')]) {
      const answer = await call(service, `/api/v1/devices/${deviceId}/keys`, {
        body: { key_id: 'k9', algorithm: 'RS256', public_key: key },
      });
      expect(answer.json).toMatchObject({ status: 400, code: 'invalid_field', fields: ['/public_key'] });
    }
    const algorithm = await call(service, `/api/v1/devices/${deviceId}/keys`, { body: { ...keyBody(nextKey), algorithm: 'none' } });
    expect(algorithm.json).toMatchObject({ code: 'invalid_field', fields: ['/algorithm'] });
  });

  test('rotated while a queue drains: each log is judged by the key valid when it ended', async () => {
    const deviceId = await makeDevice();
    const [oldLog, newLog] = [
      play(world, { endedAt: Date.now() - 2 * HOUR_MS }, { device_id: deviceId }),
      play(world, { endedAt: Date.now() - 60_000, key: nextKey }, { device_id: deviceId }),
    ];
    expect((await send(service, newLog.body)).json.code).toBe('invalid_signature');
    const keys = `/api/v1/devices/${deviceId}/keys`;
    expect((await call(service, keys, { body: keyBody(nextKey, { valid_from: ago(HOUR_MS) }) })).status).toBe(201);
    // Some clients name a type of every request, also of one without a body.
    const empty = { method: 'DELETE', headers: { 'content-type': 'application/json' } } as const;
    expect((await call(service, '/api/v1/campaigns/00000000-0000-4000-8000-0000000000ff', empty)).json.code).toBe('not_found');
    const revoked = await call(service, `${keys}/k1/revoke`, { body: { at: ago(HOUR_MS) } });
    expect(revoked.status).toBe(200);
    expect((await send(service, newLog.body)).status).toBe(202);
    expect((await send(service, oldLog.body)).status).toBe(202);
    const late = play(world, { endedAt: Date.now() - 60_000 }, { device_id: deviceId, key_id: 'k1' });
    expect((await send(service, late.body)).json.code).toBe('key_not_valid');
  });

  test('compromised: nothing received from then on, also not what claims to be older', async () => {
    const deviceId = await makeDevice();
    const known = play(world, {}, { device_id: deviceId });
    const first = await send(service, known.body);
    expect(first.status).toBe(202);
    const answer = await call(service, `/api/v1/devices/${deviceId}/keys/k1/revoke`, { body: { compromised: true } });
    expect(answer.json).toMatchObject({ key_id: 'k1', valid_until: expect.any(String), compromised_at: expect.any(String) });
    const back = play(world, { endedAt: Date.now() - 5 * HOUR_MS }, { device_id: deviceId });
    expect((await send(service, back.body)).json).toMatchObject({ status: 401, code: 'key_not_valid' });
  });

  test('of a device or a key that is not there: 404', async () => {
    expect((await call(service, `/api/v1/devices/${randomUUID()}/keys`, { body: keyBody(nextKey) })).status).toBe(404);
    const deviceId = await makeDevice();
    expect((await call(service, `/api/v1/devices/${deviceId}/keys/k7/revoke`, { body: {} })).json.code).toBe('not_found');
  });
});

describe('a screen', () => {
  test('that moved while its queue was offline is judged where it played', async () => {
    const deviceId = await makeDevice();
    const { storeId, location } = world.stores[1];
    expect((await put(`devices/${deviceId}`, { store_id: storeId, since: ago(HOUR_MS) })).status).toBe(200);
    const before = play(world, { endedAt: Date.now() - 2 * HOUR_MS }, { device_id: deviceId, location: world.stores[0].location });
    const after = play(world, {}, { device_id: deviceId, location });
    const wrong = play(world, {}, { device_id: deviceId, location: world.stores[0].location });
    expect((await send(service, before.body)).status).toBe(202);
    expect((await send(service, after.body)).status).toBe(202);
    expect((await send(service, wrong.body)).json.code).toBe('location_out_of_range');
    const stores = [];
    for (const { logId } of [before, after]) stores.push((await settled(logId)).json.enrichment.store_id);
    expect(stores).toEqual([world.stores[0].storeId, storeId]);
  });

  test('that was switched off is refused for plays from then on only, and a retired one is gone', async () => {
    const deviceId = await makeDevice();
    await put(`devices/${deviceId}`, { store_id: world.stores[0].storeId, active: false, since: ago(HOUR_MS) });
    expect((await send(service, play(world, {}, { device_id: deviceId }).body)).json.code).toBe('device_disabled');
    const before = play(world, { endedAt: Date.now() - 2 * HOUR_MS }, { device_id: deviceId });
    expect((await send(service, before.body)).status).toBe(202);
    expect((await remove(`devices/${deviceId}`)).status).toBe(204);
    expect((await call(service, `/api/v1/devices/${deviceId}`)).status).toBe(404);
  });

  test('that is registered after its first try is taken within the second', async () => {
    const deviceId = randomUUID();
    const { body } = play(world, {}, { device_id: deviceId });
    expect((await send(service, body)).json).toMatchObject({ code: 'unknown_device', retryable: true });
    await put(`devices/${deviceId}`, { store_id: world.stores[0].storeId });
    await call(service, `/api/v1/devices/${deviceId}/keys`, { body: keyBody(firstKey()) });
    let answer = await send(service, body);
    for (let tries = 0; answer.status !== 202 && tries < 30; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      answer = await send(service, body);
    }
    expect(answer.status).toBe(202);
  });
});

async function settled(logId: string): Promise<Reply> {
  for (;;) {
    const answer = await call(service, `/api/v1/playback-logs/${logId}`);
    if (answer.json?.code !== 'not_settled') return answer;
  }
}

test('I5: what was judged stays as it was judged, whatever the registry becomes', async () => {
  const deviceId = await makeDevice();
  const campaignId = randomUUID();
  const advertiserId = randomUUID();
  await put(`campaigns/${campaignId}`, { advertiser_id: advertiserId });
  const log = play(world, {}, { device_id: deviceId, campaign_id: campaignId });
  const first = await send(service, log.body);
  expect(first.status).toBe(202);
  const before = (await settled(log.logId)).json;
  expect(before.verdict.received_at).toBe(first.json.received_at);

  await put(`stores/${world.stores[0].storeId}`, { name: 'moved', supplier_id: randomUUID(), location: { lat: 0, lng: 0 } });
  await call(service, `/api/v1/devices/${deviceId}/keys/k1/revoke`, { body: { at: ago(24 * HOUR_MS), compromised: true } });
  await put(`devices/${deviceId}`, { store_id: world.stores[1].storeId, since: ago(12 * HOUR_MS) });
  await remove(`campaigns/${campaignId}`);
  await remove(`devices/${deviceId}`);
  expect((await call(service, `/api/v1/playback-logs/${log.logId}`)).json).toEqual(before);

  await service.kill();
  service = await Service.start({ dataDir });
  expect((await call(service, `/api/v1/playback-logs/${log.logId}`)).json).toEqual(before);
  expect((await call(service, '/api/v1/feed')).text).toContain(`"received_at":"${first.json.received_at}"`);
});

describe('an import', () => {
  test('is all or nothing, and names every fault with its place', async () => {
    const other = makeWorld(1);
    const document = importDocument(other);
    const bad = { ...document, campaigns: [...(document['campaigns'] as object[]), { campaign_id: 'x' }], colours: [] };
    const answer = await call(service, '/api/v1/registry/import', { body: bad });
    expect(answer.json).toMatchObject({
      status: 400,
      code: 'invalid_field',
      fields: ['/campaigns/2/advertiser_id', '/campaigns/2/campaign_id', '/colours'],
    });
    expect((await call(service, `/api/v1/stores/${other.stores[0].storeId}`)).status).toBe(404);
    expect((await call(service, '/api/v1/registry/import', { body: document })).json).toEqual({
      stores: 2,
      devices: 1,
      keys: 1,
      campaigns: 2,
      contents: 1,
    });
    expect((await call(service, '/api/v1/registry/import', { body: document })).status).toBe(200);
    expect((await send(service, play(other).body)).status).toBe(202);
  });

  test('as NDJSON names the line', async () => {
    const storeId = randomUUID();
    const lines = [
      { type: 'device', device_id: randomUUID(), store_id: storeId },
      { type: 'store', store_id: storeId, name: 'x', supplier_id: randomUUID(), location: { lat: 1, lng: 2 } },
      { type: 'planet' },
    ];
    const headers = { 'content-type': 'application/x-ndjson' };
    const body = lines.map((line) => JSON.stringify(line)).join('\n');
    const answer = await call(service, '/api/v1/registry/import', { body, headers });
    expect(answer.json).toMatchObject({ status: 400, code: 'invalid_field', line: 3, fields: ['/type'] });
    expect((await call(service, `/api/v1/stores/${storeId}`)).status).toBe(404);
    const good = lines.slice(0, 2).map((line) => JSON.stringify(line));
    expect((await call(service, '/api/v1/registry/import', { body: `${good.join('\n')}\n`, headers })).json).toMatchObject({
      stores: 1,
      devices: 1,
    });
  });

  test('of a device in a store that is nowhere: 422, nothing is kept', async () => {
    const deviceId = randomUUID();
    const body = { devices: [{ device_id: deviceId, store_id: randomUUID() }] };
    expect((await call(service, '/api/v1/registry/import', { body })).json).toMatchObject({ status: 422, code: 'unknown_store' });
    expect((await call(service, `/api/v1/devices/${deviceId}`)).status).toBe(404);
  });
});
