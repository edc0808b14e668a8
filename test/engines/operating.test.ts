/** What operators see of each process, and what they can do: figures that are true when it is worst, and readiness by what a role needs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { loadKafkaClient } from '../../src/kafka/client.ts';
import { connectionConfig } from '../../src/kafka/settings.ts';
import { prepareTopics } from '../../src/kafka/topics.ts';
import { call } from '../support/http.ts';
import { Load } from '../support/load.ts';
import { importWorld, makeWorld, play, type World } from '../support/registry.ts';
import { playproof } from '../unit/cli/run-cli.ts';
import { waitUntil } from '../support/wait-until.ts';
import { plainSettings } from './support/kafka-settings.ts';
import { kafkaTool } from './support/engines.ts';
import { Installation } from './support/installation.ts';
import { metric } from './faults/field.ts';
import { put } from './kafka/support.ts';

const TEST_MS = 240_000;
/** The view of the registry may be old: it is Kafka and analytics that are away here. */
const LONG = { PLAYPROOF_REGISTRY_MAX_AGE_SECONDS: '3600' };
const JOURNAL_LAG = 'playproof_journal_lag_records';
const ANALYTICS_LAG = 'playproof_analytics_lag_records';

let installation: Installation;
let world: World;
let load: Load;

beforeAll(async () => {
  installation = await Installation.start();
  world = makeWorld(2);
  load = new Load(world, 41);
});

afterAll(async () => {
  await installation?.dispose();
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(installation.output());
});

test('edge: what waits is shown while Kafka is away, also by a box that starts then', { timeout: TEST_MS }, async () => {
  const env = { ...LONG, PLAYPROOF_PROFILE: 'edge' };
  const box = await installation.run('edge', 'accept,settle', { env });
  await importWorld(box, world);
  await load.send(box.url, [play(world), play(world)]);
  await waitUntil(async () => (await metric(box, JOURNAL_LAG)) === 0);
  expect(await metric(box, 'playproof_settle_position_lost')).toBe(0);
  await installation.kafka.kill();
  for (let i = 0; i < 5; i += 1) await load.send(box.url, [play(world)]);
  // Long enough for publishing to fail, and for the position to be asked for in vain.
  for (let i = 0; i < 20; i += 1) {
    expect(await metric(box, JOURNAL_LAG)).toBe(5);
    await sleep(500);
  }
  await box.stop();
  const again = installation.spawn('edge', 'accept,settle', { env });
  await again.listening();
  await sleep(1_000);
  // The last settled one is still there: nobody knows that it is settled until Kafka says so.
  expect(await metric(again, JOURNAL_LAG)).toBe(6);
  await installation.kafka.restart();
  await waitUntil(async () => (await metric(again, JOURNAL_LAG)) === 0);
  await again.stop();
});

test('a process that only answers questions is ready while MongoDB and ClickHouse answer, and says which does not', {
  timeout: TEST_MS,
}, async () => {
  const query = await installation.run('query', 'query');
  const ready = async () => {
    const { status, json } = await call(query, '/health/ready');
    return { status, checks: json.checks };
  };
  expect(await ready()).toEqual({ status: 200, checks: { query: { ok: true } } });
  for (const [name, engine] of [
    ['ClickHouse', installation.clickHouse],
    ['MongoDB', installation.mongo],
  ] as const) {
    await engine.kill();
    await waitUntil(async () => (await ready()).status === 503);
    const detail = expect.stringMatching(new RegExp(`^${name} cannot be asked now: [^;]+$`)) as string;
    expect((await ready()).checks).toEqual({ query: { ok: false, detail } });
    await engine.restart();
    await query.ready();
  }
  await query.stop();
});

test('accepting does not depend on the feed: with a topic that settling refuses, logs are taken, and they are settled when it is put right', {
  timeout: TEST_MS,
}, async () => {
  const alter = (change: string) => {
    const entity = ['--bootstrap-server', installation.bootstrap, '--entity-type', 'topics', '--entity-name', 'playback-logs'];
    return kafkaTool('kafka.admin.ConfigCommand', [...entity, '--alter', '--add-config', change]);
  };
  await prepareTopics({ ...plainSettings(installation.bootstrap), partitions: 4, allowWeak: true }, ['feed']);
  await alter('retention.ms=86400000');
  const node = await installation.run('accept', 'accept', { env: LONG });
  await importWorld(node, world);
  await load.send(node.url, [play(world), play(world)]);
  expect(load.ledger.summary()['unanswered'] ?? 0).toBe(0);
  const settler = installation.spawn('settle', 'settle');
  await settler.listening();
  const detail = async () => (await call(settler, '/health/ready')).json.checks.settle.detail as string | undefined;
  await waitUntil(async () => (await detail())?.includes('"playback-logs" cannot be used: retention.ms is 86400000') ?? false);
  await alter('retention.ms=-1');
  await settler.ready();
  await waitUntil(async () => (await metric(settler, JOURNAL_LAG)) === 0);
  await Promise.all([node.stop(), settler.stop()]);
});

test('I3: a record in the feed that cannot be read stops analytics, which goes on telling what waits; named by a person, it is left out', {
  timeout: TEST_MS,
}, async () => {
  const roles = 'accept,settle,analytics,query';
  let node = await installation.run('all', roles, { env: LONG });
  await importWorld(node, world);
  const loader = async () => (await call(node, '/health/ready')).json.checks.analytics as { ok: boolean; detail?: string };
  await waitUntil(async () => (await loader()).ok && (await metric(node, ANALYTICS_LAG)) === 0);
  expect(await metric(node, 'playproof_analytics_stopped')).toBe(0);
  const config = connectionConfig(plainSettings(installation.bootstrap));
  await put({ client: await loadKafkaClient(), config }, 'playback-logs', 2, [{ value: Buffer.from('{"log_id":"nobody"}') }]);
  await waitUntil(async () => (await metric(node, 'playproof_analytics_stopped')) === 1);
  const { ok, detail = '' } = await loader();
  const place = /playback-logs\/(2\/\d+) cannot be loaded/.exec(detail)?.[1] ?? '';
  expect([ok, place]).toEqual([false, expect.stringMatching(/^2\/\d+$/)]);
  for (let i = 0; i < 10; i += 1) await load.send(node.url, [play(world, { device: i % 2 })]);
  await waitUntil(async () => ((await metric(node, ANALYTICS_LAG)) ?? 0) >= 11);
  await node.stop();

  node = await installation.run('all', roles, { env: { ...LONG, PLAYPROOF_ANALYTICS_SKIP: place } });
  await waitUntil(async () => (await loader()).ok && (await metric(node, ANALYTICS_LAG)) === 0);
  expect(await metric(node, 'playproof_analytics_skipped_total')).toBe(1);
  expect(node.output).toContain(`playback-logs/${place} cannot be loaded`);
  expect(await metric(node, 'playproof_analytics_rows_loaded_total')).toBe(10);
  await node.stop();

  // The position lies behind it: the setting has done its work.
  node = await installation.run('all', roles, { env: LONG });
  await load.send(node.url, [play(world)]);
  await waitUntil(async () => (await metric(node, 'playproof_analytics_rows_loaded_total')) === 1);
  expect((await loader()).ok).toBe(true);
  const audited = await playproof(['audit', '--json'], { env: installation.environment('audit', 'query') });
  const { findings } = JSON.parse(audited.stdout) as { findings: { kind: string; position: string }[] };
  expect(findings.filter(({ kind }) => kind === 'record_damaged')).toMatchObject([{ position: `playback-logs/${place}` }]);
  await node.stop();
});
