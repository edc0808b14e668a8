/**
 * Days on which somebody is called: a full MongoDB, credentials that are wrong, engines that are away when a process starts, topics
 * that could lose records. Each is said in a sentence, logs are taken as long as the journal takes them, and it converges.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { diskFull, WRITES } from '../../support/full-mongo.ts';
import { call, send } from '../../support/http.ts';
import { play } from '../../support/registry.ts';
import type { Service } from '../../support/service.ts';
import { Installation } from '../support/installation.ts';
import { Field, metric } from './field.ts';

const JOURNAL_LAG = 'playproof_journal_lag_records';
const ANALYTICS_LAG = 'playproof_analytics_lag_records';
const WAITING = 150;
const WITHIN_MS = 90_000;

let field: Field;
let settler: Service;
let loader: Service;

beforeAll(async () => {
  field = await Field.open(await Installation.startProxied(), 5);
  [settler, loader] = await Promise.all([field.run('settle-1', 'settle'), field.run('analytics-1', 'analytics')]);
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(field.installation.output());
  for (const proxy of Object.values(field.installation.proxies)) proxy.heal();
});

afterAll(async () => {
  await field?.close();
});

/** @throws Error that says what did not come. */
async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + WITHIN_MS;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${WITHIN_MS} ms: ${what}`);
    await sleep(100);
  }
}

async function readiness(service: Service) {
  const { status, json } = await call(service, '/health/ready');
  return { status, checks: json.checks as Record<string, { ok: boolean; detail?: string }> };
}

/** Under load on this node until so many wait; whoever sent them was told that they are accepted. */
async function waitingAt(node: Service, shownBy: Service, name: string): Promise<void> {
  field.load.start(2, () => node.url);
  try {
    await until(`${WAITING} records in ${name}`, async () => ((await metric(shownBy, name)) ?? 0) >= WAITING);
  } finally {
    await field.load.stop();
  }
  await field.load.drain(node.url);
}

test('a full MongoDB: logs are taken, settling says why it waits, the registry is read and not changed; it converges', async () => {
  const { mongo } = field.installation.proxies;
  const node = await field.run('accept-2', 'accept');
  mongo.refuse(WRITES, diskFull);
  await waitingAt(node, settler, JOURNAL_LAG);
  expect(settler.output).toContain('settling failed: MongoDB takes no writes, its disk is full');
  expect(await metric(settler, 'playproof_settle_failures_total')).toBeGreaterThan(0);
  const { status, checks } = await readiness(settler);
  expect([status, checks.settle?.detail]).toEqual([503, expect.stringContaining('its disk is full')]);
  expect((await readiness(node)).status).toBe(200);
  const body = { name: 'A shop', supplier_id: field.world.stores[0]?.supplierId, location: { lat: 21, lng: 105.8 } };
  const change = await call(node, `/api/v1/stores/${crypto.randomUUID()}`, { method: 'PUT', body });
  expect([change.status, change.json.code, change.json.retryable]).toEqual([503, 'unavailable', true]);
  mongo.heal();
  await field.agrees();
  await until('the settler is ready', async () => (await readiness(settler)).status === 200);
  await node.stop();
});

test('credentials that MongoDB refuses: it is said, other nodes take logs, and when the user is made it converges by itself', async () => {
  const url = `${field.installation.mongo.url.replace('//', '//fleet:secret@')}&authSource=admin`;
  const env = { PLAYPROOF_MONGODB_URL: url };
  const REFUSED = 'MongoDB refuses the credentials of PLAYPROOF_MONGODB_URL';
  await settler.stop();
  settler = field.installation.spawn('settle-1', 'settle', { env });
  const node = field.installation.spawn('accept-2', 'accept', { env });
  for (const service of [settler, node]) {
    await service.listening();
    await until('it says so', () => service.output.includes(REFUSED));
    expect(service.output).not.toContain('secret');
  }
  await waitingAt(field.first, settler, JOURNAL_LAG);
  const answer = await send(node, play(field.world).body);
  expect([answer.status, answer.json.code, answer.json.retryable]).toEqual([503, 'unavailable', true]);
  expect((await readiness(node)).status).toBe(503);
  expect((await readiness(settler)).checks.settle?.detail).toContain(REFUSED);
  const administrator = new MongoClient(field.installation.mongo.url);
  await administrator.db('admin').command({ createUser: 'fleet', pwd: 'secret', roles: ['root'] });
  await administrator.close();
  await node.ready();
  await field.load.sendGood(node.url, 10);
  await field.agrees();
  await node.stop();
});

test('credentials that ClickHouse refuses: it is said, logs are taken and settled; started with the right ones it converges', async () => {
  const url = field.installation.clickHouse.url.replace('//', '//fleet:secret@');
  const env = { PLAYPROOF_CLICKHOUSE_URL: url };
  await loader.stop();
  loader = field.installation.spawn('analytics-1', 'analytics', { env });
  await loader.listening();
  const query = field.installation.spawn('query-1', 'query', { env });
  await query.listening();
  await until('the loader says so', () =>
    loader.output.includes('loading failed: ClickHouse refuses the credentials of PLAYPROOF_CLICKHOUSE_URL'),
  );
  const { status, checks } = await readiness(loader);
  expect([status, checks.analytics?.detail]).toEqual([503, expect.stringContaining('refuses the credentials')]);
  const report = await call(query, '/api/v1/reports/plays?by=day');
  expect([report.status, report.json.code, report.json.retryable]).toEqual([503, 'unavailable', true]);
  await until('the query says so', () => query.output.includes('refuses the credentials of PLAYPROOF_CLICKHOUSE_URL'));
  await until('it is not ready', async () => (await readiness(query)).status === 503);
  for (const { output } of [loader, query]) expect(output).not.toContain('secret');
  await field.load.sendGood(field.first.url, 50);
  await until('they are settled', async () => (await metric(settler, JOURNAL_LAG)) === 0);
  await query.stop();
  await loader.stop();
  loader = await field.run('analytics-1', 'analytics');
  await field.agrees();
});

test('Kafka away when a node starts: it listens and says why it is not ready, and takes and settles logs by itself when Kafka is there', async () => {
  const { kafka } = field.installation.proxies;
  kafka.leave();
  const node = field.installation.spawn('all-1', 'accept,settle,analytics,query');
  await node.listening();
  await until('every part says why', async () => {
    const { checks } = await readiness(node);
    return [checks.accept, checks.settle, checks.analytics].every((check) => /reach|connect/i.test(check?.detail ?? ''));
  });
  expect((await call(node, '/health/live')).status).toBe(200);
  const { checks } = await readiness(node);
  expect(checks.accept?.detail).toBe('the journal is not open yet: Kafka cannot be reached');
  expect(node.output).toContain('the journal cannot be opened yet');
  const answer = await send(node, play(field.world).body);
  expect([answer.status, answer.json.retryable, answer.headers.has('retry-after')]).toEqual([503, true, true]);
  kafka.heal();
  await node.ready();
  await until('every part works', async () => Object.values((await readiness(node)).checks).every(({ ok }) => ok));
  await field.load.sendGood(node.url, 50);
  await field.agrees();
  await node.stop();
});

test('ClickHouse away when a loader starts: logs are taken and settled, what waits is loaded by itself when it is there', async () => {
  await loader.stop();
  field.installation.proxies.clickHouse.leave();
  loader = field.installation.spawn('analytics-1', 'analytics');
  await loader.listening();
  await until('it says so', () => loader.output.includes('loading failed: '));
  expect((await readiness(loader)).status).toBe(503);
  await field.load.sendGood(field.first.url, 50);
  await until('they are settled', async () => (await metric(settler, JOURNAL_LAG)) === 0);
  expect((await call(field.first, '/api/v1/reports/plays?by=day')).status).toBe(503);
  field.installation.proxies.clickHouse.heal();
  await loader.ready();
  await field.agrees();
  expect(await metric(loader, ANALYTICS_LAG)).toBe(0);
});

test('an edge box whose Kafka is away, also when it starts: it takes logs, shows what waits, and converges', async () => {
  const { kafka } = field.installation.proxies;
  const roles = 'accept,settle';
  const env = { PLAYPROOF_PROFILE: 'edge' };
  let box = await field.run('edge-1', roles, { env });
  await field.load.sendGood(box.url, 30);
  await until('they are settled', async () => (await metric(box, JOURNAL_LAG)) === 0);
  kafka.leave();
  await waitingAt(box, box, JOURNAL_LAG);
  const waiting = (await metric(box, JOURNAL_LAG)) ?? 0;
  expect((await box.stop()).signal).toBeNull();

  box = field.installation.spawn('edge-1', roles, { env });
  await box.ready();
  await field.load.sendGood(box.url, 20);
  await until('what waits is shown', async () => ((await metric(box, JOURNAL_LAG)) ?? 0) >= waiting + 20);
  await until('settling says why', () => box.output.includes('settling failed: '));
  expect((await readiness(box)).checks.settle?.ok).toBe(false);
  kafka.heal();
  await until('nothing waits', async () => (await metric(box, JOURNAL_LAG)) === 0);
  await field.agrees(box);
  expect(await box.stop()).toEqual({ code: 0, signal: null });
});

test('topics that could lose what was acknowledged: a process refuses to work with them, with a sentence', async () => {
  const env = { PLAYPROOF_KAFKA_ALLOW_WEAK: '0' };
  const SENTENCE =
    /could lose what was acknowledged: it has 1 replica, it needs 3.*PLAYPROOF_KAFKA_ALLOW_WEAK=1 if nobody is billed from it/;
  const node = field.installation.spawn('accept-2', 'accept', { env });
  expect(await node.exited).toEqual({ code: 1, signal: null });
  expect(node.output).toMatch(SENTENCE);
  for (const role of ['settle', 'analytics']) {
    const service = field.installation.spawn(`${role}-2`, role, { env });
    await service.listening();
    await until('it says so', () => SENTENCE.test(service.output));
    expect((await readiness(service)).status).toBe(503);
    await service.stop();
  }
});

test('I1, I3: at the end the copies agree by the word of another consumer', async () => {
  await field.agreesAtTheEnd();
});
