/** I2, I5: keys change while the queue of an offline screen drains. Each play is judged by the key valid as it ended, once. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Device, openDevice } from '@playproof/device';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { call, send } from '../support/http.ts';
import { Ledger } from '../support/ledger.ts';
import { differences, readFeed } from '../support/oracle.ts';
import { importWorld, makeWorld, type World } from '../support/registry.ts';
import { makeKey, type SignedLog, type TestKey } from '../support/signing.ts';
import { Stage } from './stage.ts';

const PLAYS = 400;
/** Posted after the revocation, on each side of it. */
const LATE = 40;
const MINUTE_MS = 60_000;

let stage: Stage;
let world: World;
let ledger: Ledger;
/** Every log that a player recorded, by its id. */
let recorded: Map<string, SignedLog>;
/** The one final verdict of each. */
let results: Map<string, string>;
let devices: Device[];

beforeEach(() => {
  stage = new Stage();
  world = makeWorld(1);
  ledger = new Ledger();
  recorded = new Map();
  results = new Map();
  devices = [];
});

afterEach(async () => {
  for (const device of devices) await device.close();
  await stage.close();
});

async function open(baseUrl: string, key: TestKey): Promise<Device> {
  const device = await openDevice({
    deviceId: world.devices[0]?.deviceId ?? '',
    keyId: key.keyId,
    privateKey: key.privateKey,
    algorithm: key.algorithm,
    baseUrl,
    queueDir: path.join(stage.dataDir, 'queue'),
    backoff: { minMs: 20, maxMs: 100 },
    onResult: (logId, { outcome, status, billable, code }) => {
      if (outcome === 'later') return;
      if (results.has(logId)) throw new Error(`${logId} got two final verdicts`);
      results.set(logId, code ?? 'acknowledged');
      const verdict = status !== undefined && billable !== undefined ? { status, billable } : null;
      ledger.heard(recorded.get(logId) as SignedLog, code ?? outcome, verdict);
    },
  });
  devices.push(device);
  return device;
}

/** Records plays that end each a second after the other. @returns their ids and bodies, in order */
async function record(device: Device, count: number, firstEnd: number): Promise<{ logId: string; text: string; endedAt: number }[]> {
  const logs = Array.from({ length: count }, (_, i) => firstEnd + i * 1_000).map((endedAt) => ({
    endedAt,
    ...device.sign({
      campaignId: world.campaigns[0].campaignId,
      contentId: world.contentId,
      startedAt: endedAt - 15_000,
      endedAt,
      durationActual: 15,
      durationExpected: 15,
      status: 'COMPLETED',
    }),
  }));
  for (const { logId, contentHash: hash, text: body } of logs) {
    const log = { logId, hash, body, provable: true };
    recorded.set(logId, log);
    ledger.sending(log);
  }
  for (let i = 0; i < logs.length; i += 50) await Promise.all(logs.slice(i, i + 50).map((log) => device.record(log)));
  return logs;
}

test('rotated and revoked while the queue drains: by the key valid at ended_at, and what was acknowledged is never judged again', async () => {
  const oldKey = world.devices[0]?.key as TestKey;
  const newKey = makeKey('k2', 'PS256');
  const start = Math.floor(Date.now() / 1_000) * 1_000 - 30 * MINUTE_MS;
  let service = await stage.start();
  await importWorld(service, world);
  const { url } = service;
  const keys = `/api/v1/devices/${world.devices[0]?.deviceId}/keys`;

  // Offline: plays under the old key, then the player is given the new one.
  const dead = 'http://127.0.0.1:9';
  const before = await open(dead, oldKey);
  const old = await record(before, PLAYS, start);
  await before.close();
  const after = await open(dead, newKey);
  const fresh = await record(after, PLAYS, start + PLAYS * 1_000);
  await after.close();

  // Online again: the new key is not registered yet, and the old one is revoked in the middle of the draining.
  const draining = await open(url, newKey);
  while (results.size === 0) await sleep(2);
  const revokedAt = start + (PLAYS / 2) * 1_000;
  const heardBefore = new Set(results.keys());
  expect((await call(service, `${keys}/k1/revoke`, { body: { at: new Date(revokedAt).toISOString() } })).status).toBeLessThan(300);
  const body = { key_id: 'k2', algorithm: newKey.algorithm, public_key: newKey.publicKey, valid_from: new Date(revokedAt).toISOString() };
  expect((await call(service, keys, { body })).status).toBe(201);
  await draining.flush(30_000);
  await draining.close();

  // These are posted after the revocation was answered: now there is no doubt about any of them.
  const last = await open(url, oldKey);
  const inTime = await record(last, LATE, revokedAt - LATE * 1_000);
  const late = await record(last, LATE, revokedAt);
  await last.flush(30_000);
  await last.close();
  expect(inTime.map(({ logId }) => results.get(logId))).toEqual(inTime.map(() => 'acknowledged'));
  expect(late.map(({ logId }) => results.get(logId))).toEqual(late.map(() => 'key_not_valid'));

  for (const { logId, endedAt } of old) {
    const told = results.get(logId);
    if (endedAt < revokedAt) expect(told).toBe('acknowledged');
    else if (!heardBefore.has(logId)) expect(told).toBeOneOf(['key_not_valid', 'acknowledged']);
  }
  expect(fresh.every(({ logId }) => results.has(logId))).toBe(true);
  expect(await differences(service, ledger)).toEqual([]);
  const published = (await readFeed(service)).copies;
  // The old key is found to be stolen, and the service restarts: what stands stands, with its first verdict.
  expect(
    (await call(service, `${keys}/k1/revoke`, { body: { at: new Date(start).toISOString(), compromised: true } })).status,
  ).toBeLessThan(300);
  const [first] = old;
  if (!first) throw new Error('there is no first log');
  const evidence = await call(service, `/api/v1/playback-logs/${first.logId}`);
  await service.kill();
  service = await stage.start();
  expect((await call(service, `/api/v1/playback-logs/${first.logId}`)).json.verdict).toEqual(evidence.json.verdict);
  const again = await send(service, first.text);
  expect([again.status, again.json.outcome ?? again.json.code]).toBeOneOf([
    [200, 'duplicate'],
    [401, 'key_not_valid'],
  ]);
  ledger.heard(recorded.get(first.logId) as SignedLog, again.json.outcome ?? again.json.code, again.status === 200 ? again.json : null);
  expect(await differences(service, ledger)).toEqual([]);
  expect((await readFeed(service)).copies).toEqual(published);
});
