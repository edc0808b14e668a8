/** Logs that are acknowledged and not settled yet: nobody says of one that it is not there for good, or too old. */
import { randomUUID } from 'node:crypto';
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

async function evidence(service: Service, logId: string, token?: string): Promise<string> {
  const { status, json } = await call(service, `/api/v1/playback-logs/${logId}`, token === undefined ? {} : { token });
  return status === 200 ? 'there' : `${status} ${json.code} ${json.retryable}`;
}

async function sent(service: Service, body: string): Promise<string> {
  const { status, json } = await send(service, body);
  return `${status} ${json.outcome ?? json.code}`;
}

/** Of somebody who owns no store of this world. */
async function supplierToken(service: Service): Promise<string> {
  const args = ['token', 'create', '--role', 'supplier', '--supplier', randomUUID()];
  const { code, stdout, stderr } = await service.run(args, installation.environment('token', 'query'));
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

function endedBefore(ms: number): { started_at: string; ended_at: string } {
  const endedAt = Date.now() - ms;
  return { started_at: formatInstant(endedAt - 15_000), ended_at: formatInstant(endedAt) };
}

test('cluster: while logs wait, no node says of one that it is not there, or `too_old`; nor to whom it does not concern more than that', {
  timeout: TEST_MS,
}, async () => {
  const [first, second] = await Promise.all([
    installation.run('accept-1', 'accept,query', SHORT_AGE),
    installation.run('accept-2', 'accept', SHORT_AGE),
  ]);
  const reader = await installation.run('query-1', 'query', SHORT_AGE);
  await importWorld(first, world);
  // Nothing was acknowledged yet, so it is certain.
  expect(await evidence(reader, play(world).logId)).toBe('404 not_found false');
  const settlerBefore = await installation.run('settle-1', 'settle', SHORT_AGE);
  const archived = play(world);
  expect(await sent(first, archived.body)).toBe('202 accepted');
  while ((await evidence(reader, archived.logId)) !== 'there') await sleep(100);
  expect(await evidence(reader, play(world).logId)).toBe('404 not_found false');
  await settlerBefore.stop();
  const stranger = await supplierToken(first);
  expect(await evidence(reader, archived.logId, stranger)).toBe('404 not_found false');
  const times = endedBefore(MAX_AGE_MS - 20_000);
  const log = play(world, {}, times);
  expect(await sent(first, log.body)).toBe('202 accepted');
  for (const node of [first, reader]) expect(await evidence(node, log.logId)).toBe('404 not_settled true');
  // It may be any log. A play of others that is archived is answered like one that nobody ever sent.
  for (const { logId } of [log, archived, play(world)]) expect(await evidence(reader, logId, stranger)).toBe('404 not_settled true');
  expect(await evidence(reader, archived.logId)).toBe('there');
  while (Date.now() < Date.parse(times.ended_at) + MAX_AGE_MS + 100) await sleep(100);
  // Its answer was lost, so the device sends it again, to the other node.
  expect(await sent(second, log.body)).toBe('503 unavailable');
  const never = play(world, {}, times);
  expect(await sent(second, never.body)).toBe('503 unavailable');
  const settler = await installation.run('settle-1', 'settle', SHORT_AGE);
  while ((await evidence(first, log.logId)) !== 'there') await sleep(100);
  for (const { logId } of [archived, play(world)]) expect(await evidence(reader, logId, stranger)).toBe('404 not_found false');
  expect(await sent(second, log.body)).toBe('200 duplicate');
  expect(await sent(second, never.body)).toBe('422 too_old');
  await Promise.all([first.stop(), second.stop(), reader.stop(), settler.stop()]);
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
