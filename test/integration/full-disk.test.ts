/** I1, I4: a full disk is 503 with Retry-After; old rows are kept, and when there is room again it goes on by itself. */
import { mkdirSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { canMount, fillDisk, freeDisk, mountMemory, unmount } from '../support/full-disk.ts';
import { call, type Reply, sendBatch } from '../support/http.ts';
import type { ToldVerdict } from '../support/ledger.ts';
import { Load } from '../support/load.ts';
import { differences, readFeed, waitComplete } from '../support/oracle.ts';
import { importWorld, makeWorld, play, type World } from '../support/registry.ts';
import { makeDataDir, removeDataDir, Service } from '../support/service.ts';

const KEEP_ALL = { PLAYPROOF_QUARANTINE_PER_DEVICE: '100000' };
const WAIT_MS = 15_000;

const mountable = canMount();
let world: World;
let dataDir: string;
let service: Service | null = null;

beforeAll(() => {
  world = makeWorld(2);
});

beforeEach(() => {
  if (!mountable) return;
  dataDir = makeDataDir();
  mkdirSync(data());
  mountMemory(data(), 64);
});

afterEach(async () => {
  if (!mountable) return;
  await service?.kill();
  unmount(data());
  removeDataDir(dataDir);
});

function data(): string {
  return path.join(dataDir, 'data');
}

/** One good log, written into the ledger of the others. */
async function probe(to: Service, { ledger }: Load): Promise<Reply> {
  const log = play(world);
  ledger.sending(log);
  const answer = await sendBatch(to, `[${log.body}]`);
  if (answer.status === 202) ledger.heard(log, 'accepted', answer.json.results[0] as ToldVerdict);
  return answer;
}

test.skipIf(!mountable).each([
  ['with a reserve', {}],
  ['to the last byte', { PLAYPROOF_DISK_RESERVE_BYTES: '0' }],
])('%s: 503 until there is room, nothing acknowledged is lost', async (_, env) => {
  service = await Service.start({ dataDir, env: { ...KEEP_ALL, ...env } });
  await importWorld(service, world);
  const load = new Load(world, 11);
  const { url } = service;
  await load.sendGood(url, 50);
  await waitComplete(service);
  load.start(3, () => url);
  await sleep(500);
  fillDisk(data());
  expect(statfsSync(data()).bavail).toBe(0);

  const until = performance.now() + WAIT_MS;
  let answer = await probe(service, load);
  // What fits into space that the engines hold already is still taken.
  while (answer.status !== 503 && performance.now() < until) answer = await probe(service, load);
  expect([answer.status, answer.json.code, answer.json.retryable]).toEqual([503, 'unavailable', true]);
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  expect((await call(service, '/health/live')).status).toBe(200);
  const unready = await call(service, '/health/ready');
  expect([unready.status, unready.json.checks.journal]).toEqual([503, { ok: false, detail: expect.stringMatching(/disk is full/) }]);
  expect((await readFeed(service)).copies.length).toBeGreaterThanOrEqual(50);

  freeDisk(data());
  while ((await probe(service, load)).status !== 202 && performance.now() < until + WAIT_MS) await sleep(100);
  await load.stop();
  await load.drain(url);
  await load.sendGood(url, 10);
  await expect.poll(async () => (await call(url, '/health/ready')).status).toBe(200);
  expect(await differences(service, load.ledger)).toEqual([]);
});
