/**
 * I1, I3: a request has reached the broker or MongoDB, and its answer is lost on the way back: nobody knows whether it happened. On a
 * cluster and on an edge box that publish into the same feed, through a proxy that loses the answer under load.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Fate } from '../../support/proxy.ts';
import { KAFKA } from '../../support/proxy-protocols.ts';
import type { Service } from '../../support/service.ts';
import { Installation } from '../support/installation.ts';
import { Field } from './field.ts';

/** In what each profile's transactions name themselves. */
const CLUSTER = 'playproof-settle-';
const EDGE = 'playproof-journal-';
/** Appends to the journal are sent outside transactions. */
const APPEND = { kind: KAFKA.produce, lacking: 'playproof-' };
const CONNECTIONS = 2;
const WITHIN_MS = 60_000;

let field: Field;
let settler: Service;
let edge: Service;

beforeAll(async () => {
  field = await Field.open(await Installation.startProxied(), 1);
  [settler, edge] = await Promise.all([
    field.run('settle-1', 'settle'),
    field.run('edge-1', 'accept,settle', { env: { PLAYPROOF_PROFILE: 'edge' } }),
    field.run('analytics-1', 'analytics'),
  ]);
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(field.installation.output());
});

afterAll(async () => {
  await field?.close();
});

/** Under load until the answers were lost, and a little longer. */
async function underLoad(lost: Promise<void>, url: () => string | null): Promise<void> {
  field.load.start(CONNECTIONS, url);
  try {
    await Promise.race([lost, sleep(WITHIN_MS).then(() => Promise.reject(new Error('no such answer came to be lost')))]);
    const then = field.acknowledged;
    const until = performance.now() + WITHIN_MS;
    while (field.acknowledged < then + 30 && performance.now() < until) await sleep(20);
  } finally {
    await field.load.stop();
  }
}

describe.each([
  ['a cluster', CLUSTER, () => field.first],
  ['an edge box', EDGE, () => edge],
] as const)('I1: settling of %s', (_, transactions, service) => {
  test.each<[string, string, Fate, number]>([
    ['a commit', KAFKA.endTxn, 'cut', 3],
    ['a commit, in silence', KAFKA.endTxn, 'silence', 1],
    ['a publication', KAFKA.produce, 'cut', 2],
    ['the beginning of a transaction', KAFKA.addPartitionsToTxn, 'cut', 2],
  ])('the answer to %s is lost: no duplicate, no hole', async (_what, kind, fate, times) => {
    await underLoad(field.installation.proxies.kafka.answers({ kind, holding: transactions }, fate, times), () => service().url);
    await field.agrees(service());
  });
});

test.each<[string, string, Fate, number]>([
  ['the read position in the transaction', KAFKA.txnOffsetCommit, 'cut', 2],
  ['the read position in the transaction, in silence', KAFKA.txnOffsetCommit, 'silence', 1],
  ['the group in the transaction', KAFKA.addOffsetsToTxn, 'cut', 2],
])('I1: the answer to %s is lost: no duplicate, no hole', async (_what, kind, fate, times) => {
  await underLoad(field.installation.proxies.kafka.answers({ kind, holding: CLUSTER }, fate, times), () => field.first.url);
  await field.agrees();
});

test('I1: the answer to a commit is lost and the settler is killed before it can ask: its heir finds what was committed', async () => {
  const lost = field.installation.proxies.kafka.answers({ kind: KAFKA.endTxn, holding: CLUSTER }, 'silence');
  await underLoad(
    lost.then(() => settler.kill()).then(() => {}),
    () => field.first.url,
  );
  settler = await field.run('settle-1', 'settle');
  await field.agrees();
});

test.each<[Fate, number]>([
  ['cut', 3],
  ['silence', 1],
])('I1: the answer to an append to the journal is lost (%s): what was acknowledged is there once', async (fate, times) => {
  await underLoad(field.installation.proxies.kafka.answers(APPEND, fate, times), () => field.first.url);
  await field.agrees();
});

test('I1: the answer to an insert into the archive is lost: the record still owns its log_id', async () => {
  await underLoad(field.installation.proxies.mongo.answers({ kind: 'insert' }, 'cut', 3), () => field.first.url);
  await underLoad(field.installation.proxies.mongo.answers({ kind: 'insert' }, 'cut', 1), () => edge.url);
  await field.agrees();
});

test('every connection is cut, closed on one side, and delayed, again and again', async () => {
  const { kafka, mongo, clickHouse } = field.installation.proxies;
  field.load.start(CONNECTIONS, () => field.first.url);
  for (let round = 0; round < 3; round += 1) {
    for (const proxy of [kafka, mongo, clickHouse]) {
      proxy.cut();
      await sleep(300);
      proxy.halfClose();
      proxy.delay(40);
    }
    await sleep(700);
    for (const proxy of [kafka, mongo, clickHouse]) proxy.heal();
  }
  await field.agrees();
});

test('I1, I3: at the end the copies agree by the word of another consumer', async () => {
  await field.agreesAtTheEnd();
  expect(field.acknowledged).toBeGreaterThan(100);
});
