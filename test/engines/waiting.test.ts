/** Logs that are acknowledged and not settled yet: nobody says of one that it is not there for good, or too old. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { formatInstant } from '../../src/domain/timestamp.ts';
import { call, send } from '../support/http.ts';
import { importWorld, makeWorld, play, type World } from '../support/registry.ts';
import type { Service } from '../support/service.ts';
import { Installation } from './support/installation.ts';

const TEST_MS = 240_000;
const MAX_AGE_MS = 60_000;
const SHORT_AGE = { env: { PLAYPROOF_MAX_AGE_SECONDS: String(MAX_AGE_MS / 1_000) } };

let installation: Installation;
let world: World;

beforeAll(async () => {
  installation = await Installation.start();
  world = makeWorld(1);
});

afterAll(async () => {
  await installation?.dispose();
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(installation.output());
});

async function evidence(service: Service, logId: string): Promise<string> {
  const { status, json } = await call(service, `/api/v1/playback-logs/${logId}`);
  return status === 200 ? 'there' : `${status} ${json.code} ${json.retryable}`;
}

async function sent(service: Service, body: string): Promise<string> {
  const { status, json } = await send(service, body);
  return `${status} ${json.outcome ?? json.code}`;
}

function endedBefore(ms: number): { started_at: string; ended_at: string } {
  const endedAt = Date.now() - ms;
  return { started_at: formatInstant(endedAt - 15_000), ended_at: formatInstant(endedAt) };
}

test('cluster: the node that acknowledged says `not_settled`; no node says `too_old` of a log that waits in the journal', {
  timeout: TEST_MS,
}, async () => {
  const [first, second] = await Promise.all([
    installation.run('accept-1', 'accept,query', SHORT_AGE),
    installation.run('accept-2', 'accept,query', SHORT_AGE),
  ]);
  await importWorld(first, world);
  const times = endedBefore(MAX_AGE_MS - 20_000);
  const log = play(world, {}, times);
  expect(await sent(first, log.body)).toBe('202 accepted');
  expect(await evidence(first, log.logId)).toBe('404 not_settled true');
  // The other one knows nothing of it: there is no such play, as far as it can see.
  expect(await evidence(second, log.logId)).toBe('404 not_found false');
  expect(await evidence(first, play(world).logId)).toBe('404 not_found false');
  while (Date.now() < Date.parse(times.ended_at) + MAX_AGE_MS + 100) await sleep(100);
  // Its answer was lost, so the device sends it again, to the other node.
  expect(await sent(second, log.body)).toBe('503 unavailable');
  const never = play(world, {}, times);
  expect(await sent(second, never.body)).toBe('503 unavailable');
  const settler = await installation.run('settle-1', 'settle', SHORT_AGE);
  while ((await evidence(first, log.logId)) !== 'there') await sleep(100);
  expect(await sent(second, log.body)).toBe('200 duplicate');
  expect(await sent(second, never.body)).toBe('422 too_old');
  await Promise.all([first.stop(), second.stop(), settler.stop()]);
});

test('edge: a log in the journal of the box is `not_settled`, then it is there', { timeout: TEST_MS }, async () => {
  const env = { PLAYPROOF_PROFILE: 'edge' };
  // Without a settler nothing leaves the journal, however long the questions take.
  const accepting = await installation.run('edge', 'accept,query', { env });
  await importWorld(accepting, world);
  const log = play(world);
  expect(await sent(accepting, log.body)).toBe('202 accepted');
  expect(await evidence(accepting, log.logId)).toBe('404 not_settled true');
  expect(await evidence(accepting, play(world).logId)).toBe('404 not_found false');
  await accepting.stop();
  const edge = await installation.run('edge', 'accept,settle,query', { env });
  while ((await evidence(edge, log.logId)) !== 'there') await sleep(100);
  await edge.stop();
});
