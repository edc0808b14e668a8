/** What is taken over real HTTP: singles, batches, repeats, send times, and a log that was signed without a line of ours. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, send, sendBatch } from '../support/http.ts';
import { readFeed, waitComplete } from '../support/oracle.ts';
import { importWorld, makeWorld, play, type World } from '../support/registry.ts';
import { makeDataDir, removeDataDir, Service } from '../support/service.ts';

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const MINUTE_MS = 60_000;

let world: World;
let service: Service;
const dataDir = makeDataDir();

beforeAll(async () => {
  world = makeWorld(4);
  service = await Service.start({ dataDir });
  await importWorld(service, world);
});

afterAll(async () => {
  await service.kill();
  removeDataDir(dataDir);
});

function fromNow(milliseconds: number): string {
  return new Date(Date.now() + milliseconds).toISOString();
}

describe('one log', () => {
  test('is accepted: 202 with its verdict', async () => {
    const before = Date.now();
    const { body, logId } = play(world);
    const answer = await send(service, body);
    expect([answer.status, answer.type]).toEqual([202, 'application/json']);
    expect(answer.json).toEqual({
      log_id: logId,
      outcome: 'accepted',
      status: 'COMPLETED',
      billable: true,
      received_at: expect.stringMatching(INSTANT),
    });
    expect(Date.parse(answer.json.received_at)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(answer.json.received_at)).toBeLessThanOrEqual(Date.now());
  });

  test('signed with PS256 is accepted', async () => {
    expect((await send(service, play(world, { device: 3 }).body)).status).toBe(202);
  });

  test('again: 200, duplicate, and the first verdict', async () => {
    const { body } = play(world, {}, { status: 'COMPLETED', duration_actual: 11.999 });
    const first = await send(service, body);
    expect(first.json).toMatchObject({ outcome: 'accepted', status: 'PARTIAL', billable: false });
    const again = await send(service, body);
    expect(again.status).toBe(200);
    expect(again.json).toEqual({ ...first.json, outcome: 'duplicate' });
  });

  test('exactly four fifths are enough', async () => {
    const { body } = play(world, {}, { duration_actual: 12 });
    expect((await send(service, body)).json).toMatchObject({ status: 'COMPLETED', billable: true });
  });

  test('with members in another order and other white space is the same log', async () => {
    const { body } = play(world);
    expect((await send(service, body)).status).toBe(202);
    const turned = Object.fromEntries(Object.entries(JSON.parse(body) as object).toReversed());
    expect((await send(service, JSON.stringify(turned, null, 3))).json).toMatchObject({ outcome: 'duplicate' });
  });

  test('of another screen under the same log_id: 409', async () => {
    const { body, logId } = play(world);
    await send(service, body);
    const answer = await send(service, play(world, { device: 1 }, { log_id: logId }).body);
    expect([answer.status, answer.json.code]).toEqual([409, 'log_id_conflict']);
  });

  test('sent twenty times at once counts once', async () => {
    const { body, logId } = play(world);
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(service, body)));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(19);
    await waitComplete(service);
    expect((await readFeed(service)).copies.filter((copy) => copy.logId === logId)).toHaveLength(1);
  });
});

describe('a batch', () => {
  test('of good logs: 202, results in the order of the request', async () => {
    const logs = Array.from({ length: 100 }, (_, i) => play(world, { device: i % 4 }));
    const answer = await sendBatch(service, `{"sent_at":"${new Date().toISOString()}","logs":[${logs.map(({ body }) => body).join(',')}]}`);
    expect(answer.status).toBe(202);
    expect(answer.json).toMatchObject({ accepted: 100, duplicates: 0, rejected: 0 });
    expect(answer.json.results.map((result: { index: number; log_id: string }) => [result.index, result.log_id])).toEqual(
      logs.map(({ logId }, i) => [i, logId]),
    );
    expect(answer.json.results[99]).toEqual({
      index: 99,
      log_id: logs[99]?.logId,
      outcome: 'accepted',
      status: 'COMPLETED',
      billable: true,
      received_at: expect.stringMatching(INSTANT),
    });
  });

  test('as a bare array', async () => {
    expect((await sendBatch(service, `[${play(world).body}]`)).json).toMatchObject({ accepted: 1 });
  });

  test('with a repeat, a conflict and a known log inside', async () => {
    const known = play(world);
    await send(service, known.body);
    const log = play(world);
    const other = play(world, {}, { log_id: log.logId, status: 'ERROR' });
    const answer = await sendBatch(service, `[${[log, log, other, known].map(({ body }) => body).join(',')}]`);
    expect(answer.status).toBe(207);
    expect(answer.json).toMatchObject({ accepted: 1, duplicates: 2, rejected: 1 });
    expect(answer.json.results.map((result: { outcome: string }) => result.outcome)).toEqual([
      'accepted',
      'duplicate',
      'rejected',
      'duplicate',
    ]);
    expect(answer.json.results[2].code).toBe('log_id_conflict');
  });

  test('with nothing but repeats: 202', async () => {
    const body = `[${play(world).body}]`;
    await sendBatch(service, body);
    const again = await sendBatch(service, body);
    expect(again.status).toBe(202);
    expect(again.json).toMatchObject({ accepted: 0, duplicates: 1, rejected: 0 });
  });

  test.each([
    ['no log', '{"logs":[]}', 400, 'invalid_field'],
    ['an empty array', '[]', 400, 'invalid_field'],
    ['an unknown member', '{"logs":[{}],"more":1}', 400, 'invalid_field'],
    ['no logs at all', '{}', 400, 'invalid_field'],
    ['logs that are no list', '{"logs":7}', 400, 'invalid_field'],
    ['101 logs', JSON.stringify({ logs: Array.from({ length: 101 }, () => ({})) }), 413, 'too_large'],
    ['bad syntax', '{"logs":[{]}', 400, 'malformed'],
    ['the member logs twice', '{"logs":[{}],"logs":[{}]}', 400, 'malformed'],
    ['no object and no list', '"logs"', 400, 'malformed'],
    ['more than 2 MiB', `{"logs":["${'x'.repeat(2 * 1024 * 1024)}"]}`, 413, 'too_large'],
  ])('with %s is refused as a whole', async (_, body, status, code) => {
    const answer = await sendBatch(service, body);
    expect([answer.status, answer.json.code, answer.type]).toEqual([status, code, 'application/problem+json']);
  });

  test('with elements that are no logs: each has its result', async () => {
    const answer = await sendBatch(service, `[7,null,"log",[],{},${play(world).body}]`);
    expect(answer.status).toBe(207);
    expect(answer.json.results.map((result: { code?: string }) => result.code)).toEqual([
      'malformed',
      'malformed',
      'malformed',
      'malformed',
      'invalid_field',
      undefined,
    ]);
  });
});

test('refusals of single logs are problem documents by exactly that type, and all are counted', async () => {
  const refused = async (code: string): Promise<number> => {
    const { text } = await call(service, '/metrics');
    return Number(new RegExp(`^playproof_logs_refused_total\\{code="${code}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  };
  const notKept = async (): Promise<number> =>
    Number(/^playproof_refusals_not_kept_total (\d+)$/m.exec((await call(service, '/metrics')).text)?.[1]);
  for (const [code, body] of [
    ['too_large', `"${'x'.repeat(20_000)}"`],
    ['malformed', '{'],
    ['unknown_device', play(makeWorld(1)).body],
  ] as const) {
    const before = [await refused(code), await notKept()] as const;
    const answer = await send(service, body);
    expect([answer.json.code, answer.headers.get('content-type')]).toEqual([code, 'application/problem+json']);
    expect([await refused(code), await notKept()]).toEqual(before.map((count) => count + 1));
  }
});

describe('the send time', () => {
  test.each([-11, 11])('%i minutes off: 422 clock_skew with the server time, nothing is judged', async (minutes) => {
    const { body } = play(world);
    for (const answer of [
      await send(service, body, { 'device-time': fromNow(minutes * MINUTE_MS) }),
      await sendBatch(service, `[${body}]`, { 'device-time': fromNow(minutes * MINUTE_MS) }),
      await sendBatch(service, `{"sent_at":"${fromNow(minutes * MINUTE_MS)}","logs":[${body}]}`),
    ]) {
      expect([answer.status, answer.json.code, answer.json.retryable]).toEqual([422, 'clock_skew', true]);
      expect(Math.abs(Date.parse(answer.json.server_time) - Date.now())).toBeLessThan(MINUTE_MS);
    }
    expect((await send(service, body)).status).toBe(202);
  });

  test('within ten minutes is fine, and the feed says that it was checked', async () => {
    const [checked, unchecked] = [play(world), play(world)];
    expect((await send(service, checked.body, { 'device-time': fromNow(-9 * MINUTE_MS) })).status).toBe(202);
    expect((await send(service, unchecked.body)).status).toBe(202);
    await waitComplete(service);
    const lines = (await call(service, '/api/v1/feed')).text.trimEnd().split('\n');
    const records = lines.map((line) => JSON.parse(line) as { log_id: string; clock_checked: boolean });
    expect(records.find(({ log_id: id }) => id === checked.logId)?.clock_checked).toBe(true);
    expect(records.find(({ log_id: id }) => id === unchecked.logId)?.clock_checked).toBe(false);
  });

  test.each(['yesterday', '', '2026-02-30T00:00:00Z', '1700000000'])('unreadable (%j): 400', async (time) => {
    const { body } = play(world);
    const batch = await sendBatch(service, `{"sent_at":${JSON.stringify(time)},"logs":[${body}]}`);
    expect([batch.status, batch.json.code]).toEqual([400, 'invalid_field']);
    const single = await send(service, body, { 'device-time': time });
    expect([single.status, single.json.code]).toEqual([400, 'invalid_field']);
  });
});

const openssl = (() => {
  try {
    return execFileSync('openssl', ['version'], { encoding: 'utf8' }).trim();
  } catch {
    console.log('skipped: the command openssl is not on this machine');
    return null;
  }
})();

function inDataDir(name: string): string {
  return path.join(dataDir, name);
}

test.skipIf(openssl === null)('a log signed with the openssl command line is accepted', async () => {
  execFileSync('openssl', ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', inDataDir('key.pem')], {
    stdio: 'ignore',
  });
  execFileSync('openssl', ['pkey', '-in', inDataDir('key.pem'), '-pubout', '-out', inDataDir('public.pem')]);
  const deviceId = randomUUID();
  const device = `/api/v1/devices/${deviceId}`;
  expect((await call(service, device, { method: 'PUT', body: { store_id: world.stores[0].storeId } })).status).toBe(201);
  const key = { key_id: 'openssl', algorithm: 'RS256', public_key: readFileSync(inDataDir('public.pem'), 'utf8') };
  expect((await call(service, `${device}/keys`, { body: key })).status).toBe(201);

  // The canonical form by hand: names in the order of their letters, no spaces, numbers as short as they can be.
  const logId = randomUUID();
  const ended = new Date(Date.now() - 3_000).toISOString();
  const started = new Date(Date.now() - 18_000).toISOString();
  const signed =
    `{"campaign_id":"${world.campaigns[0].campaignId}","content_id":"${world.contentId}","device_id":"${deviceId}",` +
    `"duration_actual":14.96,"duration_expected":15,"ended_at":"${ended}","key_id":"openssl",` +
    `"location":{"lat":10.7725,"lng":106.698},"log_id":"${logId}","started_at":"${started}","status":"COMPLETED"}`;
  writeFileSync(inDataDir('signed.json'), signed);
  const signature = execFileSync('openssl', ['dgst', '-sha256', '-sign', inDataDir('key.pem'), inDataDir('signed.json')]).toString(
    'base64',
  );
  const answer = await send(service, `${signed.slice(0, -1)},"signature":"${signature}"}`);
  expect([answer.status, answer.json]).toEqual([202, expect.objectContaining({ log_id: logId, outcome: 'accepted', billable: true })]);
});
