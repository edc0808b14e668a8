/** I4: every refusal over real HTTP, alone and between good neighbours in a batch: its status, its code, its sentence, its retryable. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CODES, type Code } from '../../src/domain/codes.ts';
import { call, send, sendBatch } from '../support/http.ts';
import { readPages, waitComplete } from '../support/oracle.ts';
import { importDocument, makeWorld, play, playFields, type World } from '../support/registry.ts';
import { makeDataDir, removeDataDir, Service } from '../support/service.ts';
import { makeKey, type SignedLog, signLog, tamper, type SigningKey } from '../support/signing.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let world: World;
let oldKey: SigningKey;
let service: Service;
const dataDir = makeDataDir();
const disabledDevice = randomUUID();
const keylessDevice = randomUUID();
const expiredDevice = randomUUID();

beforeAll(async () => {
  world = makeWorld(2);
  oldKey = makeKey('old');
  service = await Service.start({ dataDir });
  const document = importDocument(world);
  const [{ storeId }] = world.stores;
  const { key } = world.devices[0] as World['devices'][number];
  const devices = [
    ...(document['devices'] as object[]),
    { device_id: disabledDevice, store_id: storeId, active: false, keys: [keyOf(key)] },
    { device_id: keylessDevice, store_id: storeId },
    { device_id: expiredDevice, store_id: storeId, keys: [keyOf(oldKey, { valid_until: new Date(Date.now() - HOUR_MS).toISOString() })] },
  ];
  const answer = await call(service, '/api/v1/registry/import', { body: { ...document, devices } });
  expect(answer.text).toContain('"devices":5');
});

afterAll(async () => {
  await service.kill();
  removeDataDir(dataDir);
});

function keyOf({ keyId, algorithm, publicKey }: SigningKey, validity: object = {}): object {
  return { key_id: keyId, algorithm, public_key: publicKey, ...validity };
}

interface Refused {
  readonly logId: string | null;
  readonly body: string;
}

/** A log of each code that a log can be refused with. */
const REFUSED: Readonly<Record<string, () => Refused | Promise<Refused>>> = {
  malformed: () => ({ logId: null, body: `{"log_id":"${randomUUID()}","log_id":"${randomUUID()}"}` }),
  too_large: () => ({ logId: null, body: JSON.stringify({ ...playFields(world), key_id: 'k'.repeat(17_000) }) }),
  invalid_field: () => play(world, {}, { duration_actual: -1, started_at: 'yesterday', extra: 1 }),
  unknown_device: () => play(world, {}, { device_id: randomUUID() }),
  device_disabled: () => play(world, {}, { device_id: disabledDevice }),
  unknown_key: () => play(world, {}, { device_id: keylessDevice }),
  key_not_valid: () => play(world, { key: oldKey }, { device_id: expiredDevice }),
  invalid_signature: () => tamper(play(world), { duration_actual: 14 }),
  log_id_conflict: async () => {
    const first = play(world);
    expect((await send(service, first.body)).status).toBe(202);
    return play(world, {}, { log_id: first.logId, status: 'PARTIAL' });
  },
  in_future: () => play(world, { endedAt: Date.now() + 11 * MINUTE_MS }),
  too_old: () => play(world, { endedAt: Date.now() - 24 * HOUR_MS - MINUTE_MS }),
  duration_inconsistent: () => play(world, {}, { duration_actual: 16.5 }),
  location_out_of_range: () => play(world, {}, { location: { lat: 10.8225, lng: 106.698 } }),
  unknown_campaign: () => play(world, {}, { campaign_id: randomUUID() }),
};

async function refused(code: string): Promise<Refused> {
  const make = REFUSED[code];
  if (!make) throw new Error(`nothing is refused with ${code} here`);
  return make();
}

test('the list has every code that a log can be refused with', () => {
  const names = Object.keys(CODES) as Code[];
  expect(Object.keys(REFUSED)).toEqual(names.slice(0, names.indexOf('clock_skew')));
});

describe.each(Object.entries(REFUSED))('%s', (name, make) => {
  const { status, retryable } = CODES[name as Code];

  test('alone: a problem document with its status', async () => {
    const { body } = await make();
    const answer = await send(service, body);
    expect([answer.status, answer.type]).toEqual([status, 'application/problem+json']);
    expect(answer.json).toMatchObject({ code: name, retryable, status });
    expect(answer.json.detail).toMatch(/\.$/);
    expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Signature' : null);
  });

  test('in a batch: refused alone, its neighbours are taken', async () => {
    const { logId, body } = await make();
    const [before, after] = [play(world), play(world, { device: 1 })];
    const answer = await sendBatch(service, `{"logs":[${before.body},${body},${after.body}]}`);
    expect([answer.status, answer.type]).toEqual([207, 'application/json']);
    expect(answer.json).toMatchObject({
      accepted: 2,
      duplicates: 0,
      rejected: 1,
      results: [
        { index: 0, log_id: before.logId, outcome: 'accepted' },
        { index: 1, log_id: logId, outcome: 'rejected', code: name, retryable },
        { index: 2, log_id: after.logId, outcome: 'accepted' },
      ],
    });
    expect(answer.json.results[1].detail).toMatch(/\.$/);
  });
});

test('invalid_field names every field at fault, sorted', async () => {
  const { status: _status, ...fields } = playFields(world);
  const { body } = signLog(
    { ...fields, duration_actual: -1, started_at: 'yesterday', 'a/b': 1 },
    (world.devices[0] as { key: SigningKey }).key,
  );
  expect((await send(service, body)).json.fields).toEqual(['/a~1b', '/duration_actual', '/started_at', '/status']);
});

test('location_out_of_range says the distance', async () => {
  const answer = await send(service, (await refused('location_out_of_range')).body);
  // 0.05 degrees of latitude are 5 559.8 m.
  expect(answer.json.detail).toMatch(/555\d(\.\d)? m/);
});

test('bounds of time lie inside: ten minutes ahead and 24 hours back', async () => {
  for (const endedAt of [Date.now() + 10 * MINUTE_MS - 2_000, Date.now() - 24 * HOUR_MS + 10_000]) {
    expect((await send(service, play(world, { endedAt }).body)).status).toBe(202);
  }
});

test('what was refused with a proven signature is in quarantine with its reason, also what a known screen sent unproven', async () => {
  const sent: [SignedLog, string][] = [];
  for (const code of ['too_old', 'unknown_campaign', 'duration_inconsistent', 'invalid_signature', 'device_disabled']) {
    const log = (await refused(code)) as SignedLog;
    sent.push([log, code]);
    await send(service, log.body);
  }
  await waitComplete(service);
  const items = await readPages(service, '/api/v1/quarantine');
  for (const [{ logId }, code] of sent) {
    expect(items).toContainEqual(expect.objectContaining({ log_id: logId, code, count: 1 }));
  }
});

test('the same refusal again is one row with a count', async () => {
  const { body, logId } = play(world, { endedAt: Date.now() - 30 * HOUR_MS });
  for (let i = 0; i < 3; i += 1) expect((await send(service, body)).status).toBe(422);
  await waitComplete(service);
  const items = await readPages(service, '/api/v1/quarantine?code=too_old');
  expect(items.filter(({ log_id: id }) => id === logId)).toMatchObject([{ count: 3, signature_proven: true }]);
});
