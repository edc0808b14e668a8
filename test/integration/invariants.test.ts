/** The invariants of the contract, each by its name, on the real process. The crash tests hold I1 under kills. */
import { createPublicKey, verify } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { call, send, sendBatch } from '../support/http.ts';
import { Load } from '../support/load.ts';
import { differences, multisetDifferences, readAnalytics, readArchive, readFeed, readPages, waitComplete } from '../support/oracle.ts';
import { importWorld, makeWorld, play, type World } from '../support/registry.ts';
import { makeDataDir, removeDataDir, Service } from '../support/service.ts';
import { canonicalBytes, makeKey, tamper } from '../support/signing.ts';

const KEEP_ALL = { PLAYPROOF_QUARANTINE_PER_DEVICE: '100000' };

let world: World;
let dataDir: string;
let service: Service;

beforeAll(() => {
  world = makeWorld(3);
});

beforeEach(() => {
  dataDir = makeDataDir();
});

afterEach(async () => {
  await service.kill();
  removeDataDir(dataDir);
});

async function start(env: Record<string, string> = KEEP_ALL): Promise<void> {
  service = await Service.start({ dataDir, env });
}

async function restart(env: Record<string, string> = KEEP_ALL): Promise<void> {
  await service.kill();
  await start(env);
}

test('I1: two contents acknowledged for one log_id around a restart: the first stands, the other is a conflict in quarantine', async () => {
  await start();
  await importWorld(service, world);
  const first = play(world);
  const second = play(world, { device: 1 }, { log_id: first.logId });
  expect((await send(service, first.body)).json.outcome).toBe('accepted');
  await restart();
  // The window of logs seen is gone with the process, so this may be acknowledged too.
  expect((await send(service, second.body)).status).toBeOneOf([202, 409]);
  await waitComplete(service);
  const { copies } = await readFeed(service);
  expect(copies.map(({ logId, hash }) => [logId, hash])).toEqual([[first.logId, first.hash]]);
  expect(readArchive(service)).toEqual(copies);
  expect(await readAnalytics(service)).toEqual(copies);
  expect(await readPages(service, '/api/v1/quarantine')).toMatchObject([
    { log_id: first.logId, content_hash: second.hash, code: 'log_id_conflict', signature_proven: true },
  ]);
  // Again: it stays one row, and what stands stays.
  await send(service, second.body);
  await waitComplete(service);
  expect(await readPages(service, '/api/v1/quarantine')).toHaveLength(1);
  expect((await readFeed(service)).copies).toEqual(copies);
});

test('I1: a log acknowledged before a restart and sent again after it counts once', async () => {
  await start();
  await importWorld(service, world);
  const logs = Array.from({ length: 50 }, (_, i) => play(world, { device: i % 3 }));
  const body = `[${logs.map((log) => log.body).join(',')}]`;
  for (let i = 0; i < 3; i += 1) {
    const { json } = await sendBatch(service, body);
    expect(json.accepted + json.duplicates).toBe(50);
    await restart();
  }
  await waitComplete(service);
  const { copies } = await readFeed(service);
  expect(copies.map(({ logId }) => logId).sort()).toEqual(logs.map(({ logId }) => logId).sort());
  expect(await call(service, '/api/v1/reports/plays')).toMatchObject({ json: { rows: [{ plays: 50, billable: 50 }] } });
});

test('I1: a device whose answer got lost hears duplicate, also when the log has become too old, also after a restart', async () => {
  const env = { ...KEEP_ALL, PLAYPROOF_MAX_AGE_SECONDS: '60' };
  await start(env);
  await importWorld(service, world);
  const known = play(world, { endedAt: Date.now() - 58_000 });
  const first = await send(service, known.body);
  expect(first.status).toBe(202);
  await sleep(2_500);
  await waitComplete(service);
  expect((await send(service, known.body)).json).toEqual({ ...first.json, outcome: 'duplicate' });
  await restart(env);
  expect((await send(service, known.body)).json).toEqual({ ...first.json, outcome: 'duplicate' });
  expect((await send(service, play(world, { endedAt: Date.now() - 61_000 }).body)).json.code).toBe('too_old');
});

/** Waits until so many different logs were accepted, however slow the machine is. */
async function accepted(load: Load, logs: number): Promise<void> {
  while (load.ledger.entries().filter(({ heard }) => heard.has('accepted')).length < logs) await sleep(50);
}

test('I2: nothing in the feed is without a valid signature of that very device, whatever was sent', async () => {
  await start();
  await importWorld(service, world);
  const thief = makeKey('k1');
  const good = play(world);
  const forged = [
    tamper(good, { duration_actual: 15.5 }),
    tamper(play(world), { device_id: world.devices[1]?.deviceId }),
    play(world, { key: thief }),
    play(world, { device: 1, key: world.devices[0]?.key ?? thief }),
    tamper(play(world), { signature: undefined }),
    tamper(play(world), { key_id: null }),
    tamper(play(world), { campaign_id: world.campaigns[1].campaignId }),
  ];
  const answer = await sendBatch(service, `[${[...forged, good].map(({ body }) => body).join(',')}]`);
  expect(answer.json).toMatchObject({ accepted: 1, rejected: forged.length });
  const load = new Load(world, 99);
  load.start(3, () => service.url);
  await accepted(load, 60);
  await load.stop();
  await load.drain(service.url);
  await waitComplete(service);
  const lines = (await call(service, '/api/v1/feed')).text.trimEnd().split('\n');
  const keys = new Map(world.devices.map(({ deviceId, key }) => [deviceId, createPublicKey(key.publicKey)]));
  const signedBy = new Map(load.ledger.entries().map(({ logId, hash, body }) => [`${logId} ${hash}`, body]));
  signedBy.set(`${good.logId} ${good.hash}`, good.body);
  expect(lines.length).toBeGreaterThan(50);
  for (const line of lines) {
    const record = JSON.parse(line) as { log_id: string; content_hash: string; device_id: string };
    const body = signedBy.get(`${record.log_id} ${record.content_hash}`);
    if (body === undefined) throw new Error(`${record.log_id} is in the feed, and nobody sent it`);
    const { signature, ...fields } = JSON.parse(body) as Record<string, unknown>;
    const key = keys.get(record.device_id);
    if (!key) throw new Error(`${record.device_id} is no device of this world`);
    expect(verify('sha256', canonicalBytes(fields), key, Buffer.from(String(signature), 'base64'))).toBe(true);
  }
});

test('I3: feed, archive and analytics are the same multiset, before a restart and after it', async () => {
  await start();
  await importWorld(service, world);
  const load = new Load(world, 3);
  load.start(4, () => service.url);
  await accepted(load, 120);
  await load.stop();
  await load.drain(service.url);
  expect(await differences(service, load.ledger)).toEqual([]);
  const before = (await readFeed(service)).copies;
  expect(before.length).toBeGreaterThan(100);
  await restart();
  await waitComplete(service);
  expect(multisetDifferences('before', before, 'feed', (await readFeed(service)).copies)).toEqual([]);
  expect(await differences(service, load.ledger)).toEqual([]);
});

test('I4: what is refused is kept or counted: unproven refusals of a screen within their bound, the rest in the metrics', async () => {
  await start({ PLAYPROOF_QUARANTINE_PER_DEVICE: '3' });
  await importWorld(service, world);
  for (let i = 0; i < 10; i += 1) expect((await send(service, tamper(play(world), { duration_actual: i }).body)).status).toBe(401);
  for (let i = 0; i < 10; i += 1) expect((await send(service, play(world, { endedAt: i }).body)).status).toBe(422);
  expect((await send(service, '{')).status).toBe(400);
  await waitComplete(service);
  const codes = (await readPages(service, '/api/v1/quarantine')).map(({ code }) => code);
  expect(codes.filter((code) => code === 'invalid_signature')).toHaveLength(3);
  expect(codes.filter((code) => code === 'too_old')).toHaveLength(10);
  const { text } = await call(service, '/metrics');
  expect(text).toContain('playproof_logs_refused_total{code="invalid_signature"} 10\n');
  expect(text).toContain('playproof_logs_refused_total{code="too_old"} 10\n');
  expect(text).toContain('playproof_logs_refused_total{code="malformed"} 1\n');
  expect(text).toMatch(/playproof_refusals_not_kept_total [78]\n/);
});

test('I5: what was accepted and settled is a duplicate for ever, whatever the registry says by then', async () => {
  await start();
  await importWorld(service, world);
  const log = play(world);
  const { json: first } = await send(service, log.body);
  expect(first.outcome).toBe('accepted');
  await waitComplete(service);
  const { content_id: contentId, duration_expected: duration } = JSON.parse(log.body) as { content_id: string; duration_expected: number };
  const changed = { method: 'PUT', body: { duration: duration + 5 } };
  expect((await call(service, `/api/v1/contents/${contentId}`, changed)).status).toBe(200);
  // Nothing is remembered by the process any more.
  await restart();
  await waitComplete(service);
  const again = await send(service, log.body);
  expect([again.status, again.json]).toEqual([200, { ...first, outcome: 'duplicate' }]);
  expect((await send(service, play(world).body)).json.code).toBe('duration_inconsistent');
  await waitComplete(service);
  expect((await readPages(service, '/api/v1/quarantine')).map(({ code }) => code)).toEqual(['duration_inconsistent']);
});

test('I5: the time of receipt is taken once: an outage of two days behind it changes nothing', async () => {
  // The age is measured at receipt; with a bound of a minute, a restart after more than that is the outage.
  const env = { ...KEEP_ALL, PLAYPROOF_MAX_AGE_SECONDS: '60' };
  await start({ ...env, PLAYPROOF_FAILPOINT: 'inside-settle' });
  await importWorld(service, world);
  const log = play(world, { endedAt: Date.now() - 58_500 });
  // The service dies before it has settled anything: the log is in the journal, or nobody was told so.
  const told = await send(service, log.body).catch(() => null);
  expect(await service.exited).toMatchObject({ signal: 'SIGKILL' });
  await sleep(2_500);
  await start(env);
  await waitComplete(service);
  const { copies } = await readFeed(service);
  expect(copies.map(({ logId }) => logId)).toEqual([log.logId]);
  const evidence = await call(service, `/api/v1/playback-logs/${log.logId}`);
  if (told) expect(evidence.json.verdict.received_at).toBe(told.json.received_at);
  expect(Date.parse(evidence.json.verdict.received_at) - Date.parse(evidence.json.log.ended_at)).toBeLessThan(60_000);
});

test('64 batches and 128 single logs at once are taken', async () => {
  await start();
  await importWorld(service, world);
  const logs = Array.from({ length: 400 }, (_, i) => play(world, { device: i % 3 }));
  const batches = Array.from({ length: 64 }, (_, i) => {
    const bodies = Array.from({ length: 100 }, (__, j) => logs[(i * 37 + j) % logs.length]?.body);
    return sendBatch(service, `[${bodies.join(',')}]`);
  });
  const singles = Array.from({ length: 128 }, (_, i) => send(service, logs[i]?.body ?? ''));
  for (const { status } of await Promise.all(batches)) expect(status).toBe(202);
  for (const { status } of await Promise.all(singles)) expect(status).toBeOneOf([200, 202]);
  await waitComplete(service);
  expect((await readFeed(service)).copies).toHaveLength(logs.length);
});
