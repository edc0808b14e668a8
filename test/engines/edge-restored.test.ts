/** A data directory of an edge box that is put back: what it took could never be settled, so it takes nothing. */
import { cpSync, renameSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { call, send, sendBatch } from '../support/http.ts';
import { importWorld, makeWorld, play } from '../support/registry.ts';
import type { Service } from '../support/service.ts';
import { Installation } from './support/installation.ts';

const EDGE = { PLAYPROOF_PROFILE: 'edge' };
/** Nobody listens there: Kafka is away. */
const NO_KAFKA = { ...EDGE, PLAYPROOF_KAFKA_BROKERS: '127.0.0.1:1' };
const ROLES = 'accept,settle,query';

let installation: Installation;
beforeAll(async () => {
  installation = await Installation.start();
});
afterAll(() => installation?.dispose());
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(installation.output());
});

const box = (env: Readonly<Record<string, string>> = EDGE): Promise<Service> => installation.run('edge', ROLES, { env });

async function sent(service: Service, body: string): Promise<string> {
  const { status, json } = await send(service, body);
  return `${status} ${json.outcome ?? json.code}`;
}

async function settled(service: Service, logId: string): Promise<void> {
  while ((await call(service, `/api/v1/playback-logs/${logId}`)).status !== 200) await sleep(100);
}

async function acceptCheck(service: Service): Promise<{ readonly ok: boolean; readonly detail?: string }> {
  const { json } = await call(service, '/health/ready');
  return json.checks.accept;
}

test('I1: a box whose directory was put back takes logs until its position is known to be lost, and none from then on', {
  timeout: 240_000,
}, async () => {
  const world = makeWorld(1);
  const directory = path.join(installation.directoryOf('edge'), 'data');
  const [backup, own] = [`${directory}.backup`, `${directory}.own`];

  const first = await box();
  await importWorld(first, world);
  const early = play(world);
  expect(await sent(first, early.body)).toBe('202 accepted');
  await settled(first, early.logId);
  await first.stop();
  cpSync(directory, backup, { recursive: true });

  const second = await box();
  const late = play(world);
  expect(await sent(second, late.body)).toBe('202 accepted');
  await settled(second, late.logId);
  await second.stop();
  renameSync(directory, own);
  cpSync(backup, directory, { recursive: true });

  // Nobody can know yet: this is what a box in a back office is for.
  const away = await box(NO_KAFKA);
  expect(await sent(away, play(world).body)).toBe('202 accepted');
  await away.stop();

  const restored = installation.spawn('edge', ROLES, { env: EDGE });
  await restored.listening();
  while ((await acceptCheck(restored)).detail?.includes('read position') !== true) await sleep(50);
  expect((await call(restored, '/health/ready')).status).toBe(503);
  const refused = await send(restored, play(world).body);
  expect([refused.status, refused.json.code, refused.json.retryable]).toEqual([503, 'unavailable', true]);
  expect(refused.json.detail).toMatch(/read position of this box is lost/);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  const batch = await sendBatch(restored, `{"logs":[${play(world).body}]}`);
  expect([batch.status, batch.json.code]).toEqual([503, 'unavailable']);
  await restored.stop();

  // It is known from then on, whether Kafka can be asked or not.
  const again = installation.spawn('edge', ROLES, { env: NO_KAFKA });
  await again.listening();
  expect(await sent(again, play(world).body)).toBe('503 unavailable');
  await again.stop();

  // The directory that the position belongs to is taken, and goes on.
  renameSync(directory, `${directory}.restored`);
  renameSync(own, directory);
  const whole = await box();
  const last = play(world);
  expect(await sent(whole, last.body)).toBe('202 accepted');
  await settled(whole, last.logId);
  await whole.stop();
});

test('a box that was told the wrong cluster takes logs again once it has the right one', { timeout: 240_000 }, async () => {
  const world = makeWorld(1);
  const env = { ...EDGE, PLAYPROOF_INSTANCE: 'edge-2' };
  const first = await installation.run('edge-2', ROLES, { env });
  await importWorld(first, world);
  await first.stop();
  const other = await Installation.start();
  try {
    const strange = installation.spawn('edge-2', ROLES, { env: { ...env, PLAYPROOF_KAFKA_BROKERS: other.bootstrap } });
    await strange.listening();
    while ((await acceptCheck(strange)).detail?.includes('read position') !== true) await sleep(50);
    await strange.stop();
  } finally {
    await other.dispose();
  }
  const back = await installation.run('edge-2', ROLES, { env });
  const log = play(world);
  expect(await sent(back, log.body)).toBe('202 accepted');
  await settled(back, log.logId);
  await back.stop();
});
