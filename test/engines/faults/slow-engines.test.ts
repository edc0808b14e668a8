/**
 * I1, I3: archive and analytics slow, away, read-only; a broker that hangs while a node is to stop; records that cannot be read.
 * Accepting goes on, what waits is shown, memory stays bounded, and everything converges.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { connectionConfig } from '../../../src/kafka/settings.ts';
import { loadKafkaClient } from '../../../src/kafka/client.ts';
import { smoke } from '../../fault/stage.ts';
import { call } from '../../support/http.ts';
import { readAnalytics, readPages } from '../../support/oracle.ts';
import type { Service } from '../../support/service.ts';
import { put } from '../kafka/support.ts';
import { Installation } from '../support/installation.ts';
import { plainSettings } from '../support/kafka-settings.ts';
import { Field, metric } from './field.ts';

const CONNECTIONS = 3;
const JOURNAL_LAG = 'playproof_journal_lag_records';
const ANALYTICS_LAG = 'playproof_analytics_lag_records';
/** Slow, and waited for. */
const SLOW_MS = 6_000;
/** Slower than is waited for: a minute for the archive's inserts, half of one for analytics. */
const TOO_SLOW_MS = 75_000;
const GIVEN_UP_MS = 240_000;
const WAITING = 300;
const WITHIN_MS = 60_000;
const MAX_BYTES = 700 * 1024 * 1024;

let field: Field;
let settler: Service;
let loader: Service;

beforeAll(async () => {
  field = await Field.open(await Installation.startProxied(), 3);
  [settler, loader] = await Promise.all([field.run('settle-1', 'settle'), field.run('analytics-1', 'analytics')]);
});

afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return;
  console.log(field.installation.output());
  // The next one begins with engines that answer, and with nothing that waits for an answer.
  for (const proxy of Object.values(field.installation.proxies)) proxy.heal();
  await field.load.stop();
  await field.load.drain(field.first.url);
});

afterAll(async () => {
  await field?.close();
});

/** Under load until so many records wait for this process. Everybody gets an answer meanwhile, and no process grows beyond its bound. */
async function untilWaiting(service: Service, name: string): Promise<void> {
  const { load, first } = field;
  const until = performance.now() + WITHIN_MS;
  load.start(CONNECTIONS, () => first.url);
  try {
    while (((await metric(service, name)) ?? 0) < WAITING) {
      if (performance.now() > until) throw new Error(`fewer than ${WAITING} records waited after ${WITHIN_MS} ms`);
      for (const each of [first, settler, loader]) expect(each.residentBytes()).toBeLessThan(MAX_BYTES);
      await sleep(200);
    }
  } finally {
    await load.stop();
  }
  // A broker on a busy machine may have been late once: devices send again, and are answered while the engine is still as it is.
  await load.drain(first.url);
  expect(load.ledger.summary()['unanswered'] ?? 0).toBe(0);
}

/** Since it had written `before` characters. */
async function untilSaid(service: Service, before: number, what: RegExp): Promise<void> {
  const until = performance.now() + GIVEN_UP_MS;
  while (!what.test(service.output.slice(before))) {
    if (performance.now() > until) throw new Error(`it did not say ${what} within ${GIVEN_UP_MS} ms`);
    await sleep(200);
  }
}

/** It shows nothing that waits any more. */
async function untilDone(service: Service, name: string): Promise<void> {
  const until = performance.now() + WITHIN_MS;
  while ((await metric(service, name)) !== 0) {
    if (performance.now() > until) throw new Error(`${name} is ${await metric(service, name)} after ${WITHIN_MS} ms`);
    await sleep(100);
  }
}

test.each([
  ['takes seconds for each insert', () => void field.installation.proxies.mongo.answers({ kind: 'insert' }, SLOW_MS, 1_000)],
  ['takes seconds for everything', () => field.installation.proxies.mongo.delay(SLOW_MS / 2)],
  ['is away', () => field.installation.proxies.mongo.leave()],
  ['takes connections and says nothing', () => field.installation.proxies.mongo.stall()],
])('the archive %s: accepting goes on, the backlog is shown, it converges', async (_, harm) => {
  harm();
  await untilWaiting(settler, JOURNAL_LAG);
  field.installation.proxies.mongo.heal();
  await untilDone(settler, JOURNAL_LAG);
  await field.agrees();
});

if (smoke) console.log('FAULT_SCALE=smoke: engines slower than they are waited for are not tried');

test.skipIf(smoke)(
  'the archive, slower than it is waited for: settling says so and tries again, it converges',
  { timeout: 2 * GIVEN_UP_MS },
  async () => {
    const { load, first, installation } = field;
    const before = settler.output.length;
    void installation.proxies.mongo.answers({ kind: 'insert' }, TOO_SLOW_MS, 1_000);
    await load.sendGood(first.url, 50);
    await untilSaid(settler, before, /settling failed: MongoDB cannot be asked now/);
    // What is tried again waits as long.
    await load.sendGood(first.url, 50);
    expect(await metric(settler, JOURNAL_LAG)).toBeGreaterThanOrEqual(50);
    installation.proxies.mongo.heal();
    await field.agrees();
  },
);

test('I4: evidence is answered 503 while the registry does not answer, not 500', async () => {
  const query = await field.run('query-1', 'query');
  const [any] = await readAnalytics(field.first);
  void field.installation.proxies.mongo.answers({ kind: 'find', holding: 'device' }, SLOW_MS, 100);
  const { status, json } = await call(query, `/api/v1/playback-logs/${any?.logId}`);
  expect([status, json.code, json.retryable]).toEqual([503, 'unavailable', true]);
  field.installation.proxies.mongo.heal();
  while ((await call(query, `/api/v1/playback-logs/${any?.logId}`)).status !== 200) await sleep(200);
  await query.stop();
});

test.each<[string, () => Promise<void> | void, () => Promise<void> | void]>([
  [
    'takes seconds for everything',
    () => field.installation.proxies.clickHouse.delay(SLOW_MS / 2),
    () => field.installation.proxies.clickHouse.heal(),
  ],
  ['is away', () => field.installation.proxies.clickHouse.leave(), () => field.installation.proxies.clickHouse.heal()],
  ['refuses inserts', () => field.installation.clickHouse.failInserts('refuse'), () => field.installation.clickHouse.failInserts('off')],
  [
    'loses the answers to inserts',
    () => field.installation.clickHouse.failInserts('lose'),
    () => field.installation.clickHouse.failInserts('off'),
  ],
])('analytics %s: accepting and settling go on, the backlog is shown, it converges', async (_, harm, heal) => {
  await harm();
  await untilWaiting(loader, ANALYTICS_LAG);
  await untilDone(settler, JOURNAL_LAG);
  await heal();
  await field.agrees();
});

test.skipIf(smoke)(
  'analytics, slower than they are waited for: the loader says so and tries again, it converges',
  { timeout: 2 * GIVEN_UP_MS },
  async () => {
    const { load, first, installation } = field;
    const before = loader.output.length;
    // Each way.
    installation.proxies.clickHouse.delay(TOO_SLOW_MS / 4);
    await load.sendGood(first.url, 50);
    await untilSaid(loader, before, /loading failed: .*[Tt]imeout/);
    await untilDone(settler, JOURNAL_LAG);
    expect(await metric(loader, ANALYTICS_LAG)).toBeGreaterThanOrEqual(50);
    installation.proxies.clickHouse.heal();
    await field.agrees();
  },
);

test('SIGTERM under load while the broker hangs: every process ends within its bound, and nothing is lost', async () => {
  const node = await field.run('accept-2', 'accept');
  field.load.start(CONNECTIONS, () => (node.ended ? field.first.url : node.url));
  const before = field.acknowledged;
  while (field.acknowledged < before + 30) await sleep(20);
  field.installation.proxies.kafka.stall();
  await sleep(500);
  const stopping = [node, settler, loader];
  const exits = await Promise.all(stopping.map((service) => service.stop()));
  // In order, or at the end of the time that was set for it.
  for (const [i, { code, signal }] of exits.entries())
    expect([signal, [0, 1].includes(code ?? -1), stopping[i]?.output]).toEqual([null, true, expect.any(String)]);
  field.installation.proxies.kafka.heal();
  await field.load.stop();
  [settler, loader] = await Promise.all([field.run('settle-1', 'settle'), field.run('analytics-1', 'analytics')]);
  await field.agrees();
});

test('I1, I3: the copies agree by the word of another consumer', async () => {
  await field.agreesAtTheEnd();
});

test('I4: records in the journal that cannot be read are set aside in quarantine, loudly, and the queue moves on', async () => {
  const poison = [Buffer.from('no record of ours'), Buffer.alloc(0), null].map((value) => ({ value }));
  const before = (await readPages(field.first, '/api/v1/quarantine')).length;
  await put(await place(), 'playback-logs.journal', 1, poison);
  await field.load.sendGood(field.first.url, 30);
  await field.agrees();
  const set = (await readPages(field.first, '/api/v1/quarantine')).slice();
  // The empty one and the absent one are the same nothing.
  expect(set.length - before).toBe(2);
  expect(settler.output).toMatch(/journal record \S+\/1\/\d+ is damaged and was set aside in quarantine/);
});

test('I3: a record in the feed that cannot be read stops analytics before it, by name; accepting and settling go on', async () => {
  await put(await place(), 'playback-logs', 2, [{ value: Buffer.from('{"log_id":"nobody"}') }]);
  await field.load.sendGood(field.first.url, 30);
  await field.load.drain(field.first.url);
  const until = performance.now() + WITHIN_MS;
  while ((await call(loader, '/health/ready')).status === 200 && performance.now() < until) await sleep(100);
  const { status, json } = await call(loader, '/health/ready');
  expect([status, json.checks.analytics.ok]).toEqual([503, false]);
  expect(json.checks.analytics.detail).toMatch(
    /the feed record playback-logs\/2\/\d+ cannot be loaded .* stops before it rather than leave it out/,
  );
  await untilDone(settler, JOURNAL_LAG);
  expect((await call(field.first, '/health/ready')).status).toBe(200);
});

async function place() {
  const config = connectionConfig(plainSettings(field.installation.kafka.bootstrap));
  return { client: await loadKafkaClient(), config };
}
