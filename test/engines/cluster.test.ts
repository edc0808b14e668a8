/**
 * The distributed installation end to end: two nodes that accept, one that settles, one that loads, each a process of its own on real
 * Kafka, a MongoDB-compatible server and ClickHouse over HTTP.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { call, send } from '../support/http.ts';
import { Load } from '../support/load.ts';
import { importWorld, makeWorld, play, type World } from '../support/registry.ts';
import type { Service } from '../support/service.ts';
import { Installation } from './support/installation.ts';
import { differences } from './support/oracle.ts';

const TEST_MS = 240_000;
/** The registry's promise: a change reaches every node within this time. */
const REGISTRY_MS = 5_000;

let installation: Installation;
let world: World;
/** One for all tests: the copies hold the plays of all of them. */
let load: Load;
let nodes: [Service, Service];
let settler: Service;
let loader: Service;

beforeAll(async () => {
  installation = await Installation.start();
  world = makeWorld(3);
  load = new Load(world, 1);
  const first = await installation.run('accept-1', 'accept,query');
  await importWorld(first, world);
  const [second, ...others] = await Promise.all([
    installation.run('accept-2', 'accept,query'),
    installation.run('settle-1', 'settle'),
    installation.run('analytics-1', 'analytics'),
  ]);
  nodes = [first, second];
  [settler, loader] = others;
});

afterAll(async () => {
  await installation?.dispose();
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(installation.output());
});

/** Every second request goes to the other node. */
function bothNodes(): () => string {
  let turn = 0;
  return () => {
    turn += 1;
    return (nodes[turn % 2] as Service).url;
  };
}

async function agree(): Promise<void> {
  await load.drain(nodes[0].url);
  expect(await differences(installation, nodes[1], load.ledger)).toEqual([]);
}

function acknowledged(): number {
  return load.ledger.summary()['acknowledged'] ?? 0;
}

test('I1, I3: the same screens send to both nodes, the same logs and contradicting ones too; each counts once, through restarts', {
  timeout: TEST_MS,
}, async () => {
  load.start(4, bothNodes());
  for (let i = 0; i < 20; i += 1) {
    const log = play(world, { device: i % 3 });
    await Promise.all(nodes.map(({ url }) => load.send(url, [log])));
    const other = play(world, { device: i % 3 }, { log_id: log.logId, duration_actual: 14 });
    const third = play(world, { device: i % 3 }, { log_id: log.logId, status: 'SKIPPED', duration_actual: 0 });
    // Of one log_id both contents may be acknowledged, by a node each.
    await Promise.all([load.send(nodes[0].url, [other]), load.send(nodes[1].url, [third])]);
  }
  const fresh = Array.from({ length: 20 }, (_, i) => [play(world, { device: i % 3 }), i] as const);
  for (const [log, i] of fresh) {
    const contradiction = play(world, { device: i % 3 }, { log_id: log.logId, duration_actual: 14 });
    await Promise.all([load.send(nodes[0].url, [log]), load.send(nodes[1].url, [contradiction])]);
  }
  for (const service of [settler, loader]) await service.stop();
  settler = await installation.run('settle-1', 'settle');
  loader = await installation.run('analytics-1', 'analytics');
  await nodes[1].stop();
  nodes[1] = await installation.run('accept-2', 'accept,query');
  await sleep(1_000);
  await load.stop();
  const bothAcknowledged = fresh.filter(
    ([log]) => load.ledger.entries().filter(({ logId, verdict }) => logId === log.logId && verdict).length === 2,
  );
  expect(bothAcknowledged.length, 'contradicting contents acknowledged by two nodes').toBeGreaterThan(0);
  await agree();
  expect(acknowledged()).toBeGreaterThan(200);
});

test('a role is ready by what it needs itself', async () => {
  for (const service of [...nodes, settler, loader]) expect((await call(service, '/health/ready')).status).toBe(200);
  expect((await call(nodes[0], '/health/ready')).json.checks).toEqual({ accept: { ok: true }, query: { ok: true } });
  expect(Object.keys((await call(settler, '/health/ready')).json.checks)).toEqual(['settle']);
  expect(Object.keys((await call(loader, '/health/ready')).json.checks)).toEqual(['analytics']);
  expect((await call(settler, '/api/v1/reports/plays')).status).toBe(404);
  expect((await send(loader, play(world).body)).status).toBe(404);
});

async function lagsOf(service: Service): Promise<string[]> {
  const { text } = await call(service, '/metrics');
  return text.split('\n').filter((line) => /^playproof_\w+_lag_records/.test(line));
}

test('lags are shown by the processes that know them', async () => {
  expect(await lagsOf(nodes[0])).toEqual([]);
  // Before a settler has its partitions it does not know.
  while ((await lagsOf(settler)).length === 0 || (await lagsOf(loader)).length === 0) await sleep(100);
  expect(await lagsOf(settler)).toEqual(['playproof_journal_lag_records 0']);
  expect(await lagsOf(loader)).toEqual(['playproof_analytics_lag_records 0']);
});

test('ClickHouse away: accepting and settling go on, reports say so, and it converges', { timeout: TEST_MS }, async () => {
  const before = acknowledged();
  await installation.clickHouse.kill();
  load.start(2, bothNodes());
  await sleep(3_000);
  await load.stop();
  expect(acknowledged()).toBeGreaterThan(before + 20);
  expect(load.ledger.summary()['unanswered'] ?? 0).toBe(0);
  expect((await call(nodes[0], '/api/v1/reports/plays')).status).toBe(503);
  expect((await call(nodes[0], '/health/ready')).status).toBe(200);
  await installation.clickHouse.restart();
  await agree();
});

test('MongoDB away: what the nodes know is accepted until their view of the registry is too old, then answered 503; it converges', {
  timeout: TEST_MS,
}, async () => {
  // Both have to know the screens first.
  for (const { url } of nodes) for (let device = 0; device < 3; device += 1) await load.send(url, [play(world, { device })]);
  const before = acknowledged();
  await installation.mongo.kill();
  for (let i = 0; i < 10; i += 1) await load.send((nodes[i % 2] as Service).url, [play(world, { device: i % 3 })]);
  expect(acknowledged()).toBe(before + 10);
  await sleep(REGISTRY_MS + 500);
  const late = await send(nodes[0], play(world).body);
  expect([late.status, late.json.code, late.json.retryable]).toEqual([503, 'unavailable', true]);
  expect((await call(nodes[0], '/health/ready')).status).toBe(200);
  await installation.mongo.restart();
  load.start(2, bothNodes());
  await sleep(2_000);
  await load.stop();
  await agree();
});

test('a broker that stands still: 503 within the bound of an append, and it converges', { timeout: TEST_MS }, async () => {
  installation.kafka.pause();
  const began = performance.now();
  const log = play(world);
  const { status, json } = await send(nodes[0], log.body);
  expect([status, json.code, json.retryable]).toEqual([503, 'unavailable', true]);
  // The brokers have 10 s to confirm; the rest is for a machine that does other things too.
  expect(performance.now() - began).toBeLessThan(25_000);
  // A node that starts now listens, and is not ready before the brokers answer.
  const third = installation.spawn('accept-3', 'accept');
  await third.listening();
  const readiness = await call(third, '/health/ready');
  expect([readiness.status, readiness.json.checks.accept.ok]).toEqual([503, false]);
  expect((await send(third, play(world).body)).status).toBe(503);
  installation.kafka.resume();
  await load.send(nodes[1].url, [log]);
  await third.ready();
  await load.send(third.url, [log, play(world)]);
  load.start(2, bothNodes());
  await sleep(2_000);
  await load.stop();
  await agree();
});
