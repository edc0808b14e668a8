/**
 * Engines that are away for long, as nodes show and bear it: MongoDB at the start and for longer than the default age of the registry's
 * view, and brokers that take no writes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { call, send } from '../support/http.ts';
import { Load } from '../support/load.ts';
import { importWorld, makeWorld, play, type World } from '../support/registry.ts';
import type { Service } from '../support/service.ts';
import { Installation } from './support/installation.ts';
import { differences } from './support/oracle.ts';

/** On a machine that is busy with other things too, waiting for an outside witness takes minutes. */
const TEST_MS = 600_000;
const DEVICES = 3;
/** The node goes on for an hour without MongoDB. */
const LONG = { env: { PLAYPROOF_REGISTRY_MAX_AGE_SECONDS: '3600' } };
/** By the contract a view of this age is not judged by, unless that is set. */
const DEFAULT_AGE_MS = 5_000;
/** An age that is read is older by the time of the answer, at most so much. */
const SCRAPE_S = 0.1;

let installation: Installation;
let world: World;
let load: Load;
let node: Service;

beforeAll(async () => {
  installation = await Installation.start();
  world = makeWorld(DEVICES);
  load = new Load(world, 1);
});

afterAll(async () => {
  await installation?.dispose();
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(installation.output());
});

async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what())) await sleep(100);
}

async function readiness(service: Service): Promise<{ status: number; checks: Record<string, { ok: boolean; detail?: string }> }> {
  const { status, json } = await call(service, '/health/ready');
  return { status, checks: json.checks };
}

async function metric(service: Service, name: string): Promise<number> {
  const { text } = await call(service, '/metrics');
  return Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}

test('a node that starts while MongoDB is away listens, says why it is not ready, and becomes ready by itself; its token is told then', {
  timeout: TEST_MS,
}, async () => {
  await installation.mongo.kill();
  node = installation.spawn('node', 'accept,settle,analytics,query', LONG);
  const first = installation.spawn('first', 'accept', { env: { PLAYPROOF_ADMIN_TOKEN: '' } });
  for (const service of [node, first]) {
    await service.listening();
    await until(async () => /registry was not read/.test((await readiness(service)).checks.accept?.detail ?? ''));
    expect((await readiness(service)).status).toBe(503);
    expect((await call(service, '/health/live')).status).toBe(200);
    const answer = await send(service, play(world).body);
    expect([answer.status, answer.json.code, answer.json.retryable]).toEqual([503, 'unavailable', true]);
    await until(async () => service.output.includes('the registry was not read yet'));
  }
  expect(first.output).not.toContain('admin token');
  await installation.mongo.restart();
  for (const service of [node, first]) await service.ready();
  await until(async () => /admin token \(printed this once, keep it\): \S{32,}/.test(first.output));
  const token = /keep it\): (\S+)/.exec(first.output)?.[1] ?? '';
  expect((await call(first, '/api/v1/stores', { token })).status).toBe(200);
  await first.stop();
});

test("MongoDB away for longer than the contract's age: a node that may goes on accepting, shows what waits, and it converges", {
  timeout: TEST_MS,
}, async () => {
  await importWorld(node, world);
  // What was noted as changing after the node read it may not be judged by: the import's own notes are seen first.
  const imported = performance.now();
  await until(async () => (await metric(node, 'playproof_registry_view_age_seconds')) < (performance.now() - imported) / 1_000 - SCRAPE_S);
  for (let device = 0; device < DEVICES; device += 1) await load.send(node.url, [play(world, { device })]);
  await load.drain(node.url);
  expect(await metric(node, 'playproof_registry_view_age_seconds')).toBeLessThan(DEFAULT_AGE_MS / 1_000);
  await installation.mongo.kill();
  await until(async () => (await metric(node, 'playproof_registry_view_age_seconds')) > DEFAULT_AGE_MS / 1_000 + 1);
  const before = load.ledger.summary()['acknowledged'] ?? 0;
  for (let i = 0; i < 12; i += 1) await load.send(node.url, [play(world, { device: i % DEVICES })]);
  expect(load.ledger.summary()['acknowledged']).toBe(before + 12);
  // What would be refused for the registry's sake is not refused for good by an old view of it.
  const stranger = await send(node, play(makeWorld(1)).body);
  expect([stranger.status, stranger.json.code]).toEqual([503, 'unavailable']);
  const farAway = await send(node, play(world, {}, { location: { lat: -33, lng: 151 } }).body);
  expect([farAway.status, farAway.json.code]).toEqual([503, 'unavailable']);
  await until(async () => (await metric(node, 'playproof_journal_lag_records')) >= 12);
  await until(async () => (await readiness(node)).checks.settle?.ok === false);
  const { status, checks } = await readiness(node);
  expect(status).toBe(200);
  expect(checks.accept).toEqual({ ok: true });
  expect(checks.registry?.ok).toBe(false);
  expect(node.output).toContain('until it is 3600 s old');
  await installation.mongo.restart();
  await until(async () => (await readiness(node)).checks.registry === undefined);
  expect((await send(node, play(makeWorld(1)).body)).json.code).toBe('unknown_device');
  await load.drain(node.url);
  expect(await differences(installation, node, load.ledger)).toEqual([]);
});

test('brokers that take no writes: accept is not ready, also without any log coming, and is ready again by itself', {
  timeout: TEST_MS,
}, async () => {
  const accept = await installation.run('accept', 'accept', LONG);
  const query = await installation.run('query', 'query');
  installation.kafka.pause();
  await until(async () => (await readiness(accept)).status === 503);
  expect((await readiness(accept)).checks.accept).toEqual({
    ok: false,
    detail: 'the journal takes no writes now: Kafka does not confirm them',
  });
  expect(accept.output).toContain('the journal takes no writes');
  expect((await call(accept, '/health/live')).status).toBe(200);
  // Questions are not answered from Kafka.
  expect(await readiness(query)).toEqual({ status: 200, checks: { query: { ok: true } } });
  installation.kafka.resume();
  await accept.ready();
  await load.send(accept.url, [play(world)]);
  // The same by a write that was refused: nobody has to wait for a probe.
  await installation.kafka.kill();
  const log = play(world);
  expect((await send(accept, log.body)).status).toBe(503);
  expect((await readiness(accept)).status).toBe(503);
  await installation.kafka.restart();
  await accept.ready();
  // The journal may have it all the same.
  await load.send(accept.url, [log, play(world)]);
  await load.drain(node.url);
  expect(await differences(installation, node, load.ledger)).toEqual([]);
  await Promise.all([accept.stop(), query.stop()]);
});
