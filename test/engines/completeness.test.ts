/** `complete_until` over several edge boxes: what waits in one box's journal is no secret to the reports of another. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { connectTo } from '../../src/analytics/http-engine.ts';
import { call, send } from '../support/http.ts';
import { importWorld, makeWorld, play } from '../support/registry.ts';
import type { Service } from '../support/service.ts';
import { Installation } from './support/installation.ts';

const EDGE = { PLAYPROOF_PROFILE: 'edge' };
/** Nobody listens there: Kafka is away. */
const NO_KAFKA = { ...EDGE, PLAYPROOF_KAFKA_BROKERS: '127.0.0.1:1' };
const ROLES = 'accept,settle,analytics,query';

let installation: Installation;
beforeAll(async () => {
  installation = await Installation.start();
});
afterAll(() => installation?.dispose());
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(installation.output());
});

interface Report {
  readonly plays: number;
  readonly until: number;
  readonly reason: string | undefined;
}

async function report(service: Service): Promise<Report> {
  const ask = () => call(service, '/api/v1/reports/plays');
  let answer = await ask();
  // The tables are made by the loading process when it starts.
  for (; answer.status === 503; answer = await ask()) await sleep(200);
  const { json } = answer;
  return { plays: json.rows[0]?.plays ?? 0, until: Date.parse(json.complete_until), reason: json.reason };
}

async function complete(service: Service, instant: number): Promise<Report> {
  for (;;) {
    const now = await report(service);
    if (now.until > instant) return now;
    await sleep(100);
  }
}

/** By instance, what each journal's loader has told. */
async function told(): Promise<Map<string, { readonly journalId: string; readonly instant: number }>> {
  const client = connectTo(installation.clickHouse.url);
  try {
    const answer = await client.query({
      query: 'SELECT instance, journal_id, toString(max(instant)) AS instant FROM playproof.journals GROUP BY instance, journal_id',
      format: 'JSONEachRow',
    });
    const rows = await answer.json<{ instance: string; journal_id: string; instant: string }>();
    return new Map(rows.map(({ instance, journal_id: journalId, instant }) => [instance, { journalId, instant: Number(instant) }]));
  } finally {
    await client.close();
  }
}

/** As docs/operations.md says it. */
async function retire(journalId: string): Promise<void> {
  const client = connectTo(installation.clickHouse.url);
  try {
    await client.command({
      query: `ALTER TABLE playproof.journals DELETE WHERE journal_id = '${journalId}' SETTINGS mutations_sync = 2`,
    });
  } finally {
    await client.close();
  }
}

test('an idle box does not declare the backlog of another complete, known or new, until that is retired', {
  timeout: 400_000,
}, async () => {
  const world = makeWorld(1);
  const idle = await installation.run('idle', ROLES, { env: EDGE });
  await importWorld(idle, world);
  const busy = await installation.run('busy', ROLES, { env: EDGE });
  expect((await send(busy, play(world).body)).status).toBe(202);
  expect((await complete(idle, Date.now())).plays).toBe(1);
  await busy.stop();

  // Kafka is away for the one box alone: it takes a log that stays in its journal.
  const cut = installation.spawn('busy', ROLES, { env: NO_KAFKA });
  await cut.listening();
  let answer = await send(cut, play(world).body);
  for (; answer.status !== 202; answer = await send(cut, play(world).body)) await sleep(200);
  const receivedAt = Date.parse(answer.json.received_at);
  while (((await told()).get('idle')?.instant ?? 0) <= receivedAt + 2_000) await sleep(200);
  const meanwhile = await report(idle);
  expect(meanwhile.plays).toBe(1);
  expect(meanwhile.until).toBeLessThanOrEqual(receivedAt);
  await cut.stop();

  const back = await installation.run('busy', ROLES, { env: EDGE });
  expect((await complete(idle, receivedAt)).plays).toBe(2);
  await back.stop();

  // A box that was never heard of, and cannot say yet what it holds: nothing is known to be complete.
  const fresh = installation.spawn('fresh', ROLES, { env: NO_KAFKA });
  await fresh.listening();
  while (!(await told()).has('fresh')) await sleep(200);
  const { journalId } = (await told()).get('fresh') as { readonly journalId: string };
  const unknown = await report(idle);
  expect(unknown.until).toBe(0);
  expect(unknown.reason).toContain(journalId);
  await fresh.stop();

  // Both are gone for good.
  for (const name of ['busy', 'fresh']) await retire((await told()).get(name)?.journalId ?? '');
  expect((await complete(idle, Date.now())).plays).toBe(2);
  await idle.stop();
});
