/** The feed on Kafka: what analytics reads of it, and that billing's consumers, Java's and ours, add up the same. */
import { execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { Compile } from 'typebox/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FeedFault, type FeedPositions } from '../../../src/analytics/feed-source.ts';
import { RowBatch } from '../../../src/analytics/row-batch.ts';
import type { Play } from '../../../src/domain/play.ts';
import { MAX_PLAY_ROW_BYTES, writePlayRow } from '../../../src/domain/play-row.ts';
import { FEED_HEADERS_SCHEMA, FEED_RECORD_SCHEMA } from '../../../src/feed/asyncapi.ts';
import { feedMessage } from '../../../src/feed/kafka-message.ts';
import { KafkaFeedSource } from '../../../src/feed/kafka-source.ts';
import { settled } from '../../../src/kafka/client.ts';
import { Transactions } from '../../../src/kafka/transactions.ts';
import { playOf } from '../../support/feed-file.ts';
import { playBytes } from '../../support/plays.ts';
import { startKafka } from '../support/engines.ts';
import { javaConsume } from '../support/witness.ts';
import { deleteBefore, freshPlace, type Place, put } from './support.ts';

const run = promisify(execFile);
const EXAMPLES = path.resolve(import.meta.dirname, '../../../examples/billing-consumer');

let kafka: Awaited<ReturnType<typeof startKafka>>;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1 });
});
afterAll(() => kafka.dispose());

const plays = (from: number, to: number): Play[] =>
  Array.from({ length: to - from }, (_, i) =>
    playOf(from + i, { billable: i % 3 !== 0, durationActualMs: 1_000 + i, distanceM: i % 2 ? i : null }),
  );

function messagesOf({ topics }: Place, some: readonly Play[]) {
  return some.map((play, offset) => feedMessage(topics.feed, playBytes(play), { journalId: topics.journalId, partition: 0, offset }));
}

async function publish(place: Place, ...batches: readonly (readonly Play[])[]): Promise<void> {
  const transactions = await Transactions.open(place.client, place.config, { transactionalId: `${place.groupId}-test` });
  for (const batch of batches) await transactions.run(messagesOf(place, batch), null);
  await transactions.close();
}

/** Records of a transaction that is taken back. */
async function publishInVain(place: Place, some: readonly Play[]): Promise<void> {
  const producer = new place.client.Producer(
    { ...place.config, 'transactional.id': `${place.groupId}-vain` },
    { partitioner: 'murmur2_random' },
  );
  await settled((done) => producer.connect({ timeout: 10_000 }, done));
  await settled((done) => producer.initTransactions(10_000, done));
  await settled((done) => producer.beginTransaction(done));
  for (const { topic, key, value, headers } of messagesOf(place, some)) producer.produce(topic, null, value, key, null, undefined, headers);
  await settled((done) => producer.flush(10_000, done));
  await settled((done) => producer.abortTransaction(10_000, done));
  producer.disconnect();
}

const source = ({ client, config, topics }: Place) => new KafkaFeedSource({ client, config, topic: topics.feed, feedId: 'this-feed' });
const rowOf = (play: Play): Buffer => {
  const bytes = Buffer.alloc(MAX_PLAY_ROW_BYTES);
  return bytes.subarray(0, writePlayRow(bytes, 0, play));
};

/** Reads like the loader, from `from` until nothing is left; rows as hex, without their places. */
async function readAll(
  feed: KafkaFeedSource,
  from: FeedPositions,
  maxRows: number,
): Promise<{ rows: string[]; next: FeedPositions; lag: number }> {
  const rows: string[] = [];
  let next = from;
  for (let idle = 0; ; ) {
    const batch = new RowBatch(maxRows, 1_000_000);
    const read = await feed.read(next, batch);
    next = read.next;
    rows.push(...split(batch));
    idle = batch.rows === 0 ? idle + 1 : 0;
    if (idle === 10 || (idle > 0 && read.lagRows === 0)) return { rows, next, lag: read.lagRows };
  }
}

/** The row's length is known from a row alone: all test rows have regions of two bytes or none. */
function split(batch: RowBatch): string[] {
  const rows: string[] = [];
  const fixed = rowOf(playOf(0)).length;
  for (let at = 0; at < batch.bytes.length; ) {
    const length = fixed + (batch.bytes[at + fixed - 1] as number);
    rows.push(batch.bytes.toString('hex', at, at + length));
    at += length + 12;
  }
  return rows;
}

const hexOf = (some: readonly Play[]): string[] => some.map((play) => rowOf(play).toString('hex')).sort();

describe('the feed on Kafka, for analytics', () => {
  it('I3: gives every committed play once, as the same row as the embedded feed, and nothing that was taken back', async () => {
    const place = await freshPlace(kafka.bootstrap, 3);
    await publish(place, plays(0, 100), plays(100, 130));
    await publishInVain(place, plays(500, 520));
    await publish(place, plays(130, 200));
    await publishInVain(place, plays(600, 620));
    const feed = source(place);
    const { rows, next, lag } = await readAll(feed, new Map(), 37);
    expect(rows.sort()).toEqual(hexOf(plays(0, 100).concat(plays(100, 130), plays(130, 200))));
    // The marks that end transactions are passed as well, so that nothing seems to wait.
    expect(lag).toBe(0);
    expect(new Set(next.keys())).toEqual(new Set([0, 1, 2]));
    await publish(place, plays(200, 210));
    expect((await readAll(feed, next, 1_000)).rows.sort()).toEqual(hexOf(plays(200, 210)));
    feed.close();
    const fresh = source(place);
    expect((await readAll(fresh, next, 1_000)).rows.sort()).toEqual(hexOf(plays(200, 210)));
    expect(await fresh.feedId()).toBe('this-feed');
    fresh.close();
  });

  it('gives the same rows again when they could not be loaded, from any position', async () => {
    const place = await freshPlace(kafka.bootstrap, 2);
    await publish(place, plays(0, 60));
    const feed = source(place);
    const first = await feed.read(new Map(), new RowBatch(25, 1_000_000));
    expect(first.more).toBe(true);
    // Nothing was loaded: the loader asks from the same positions again.
    expect((await readAll(feed, new Map(), 25)).rows.sort()).toEqual(hexOf(plays(0, 60)));
    const rest = await readAll(feed, first.next, 1_000);
    expect(rest.rows).toHaveLength(35);
    feed.close();
  });

  it('stops at a damaged record, names it, and loads what lies before', async () => {
    const place = await freshPlace(kafka.bootstrap, 1);
    await publish(place, plays(0, 5));
    await put(place, place.topics.feed, 0, [{ value: Buffer.from('{"log_id":7}') }]);
    const feed = source(place);
    const batch = new RowBatch(5, 1_000_000);
    let next: FeedPositions = new Map();
    // On a machine that is busy the first read finds nothing yet.
    while (batch.rows < 5) ({ next } = await feed.read(next, batch));
    expect(split(batch).sort()).toEqual(hexOf(plays(0, 5)));
    await expect(feed.read(next, new RowBatch(5, 1_000_000))).rejects.toThrow(FeedFault);
    await expect(feed.read(next, new RowBatch(5, 1_000_000))).rejects.toThrow(/feed\/0\/\d+ .*"log_id"/);
    feed.close();
  });

  it('leaves out a damaged record where it was told to, loudly and counted, and no other one', async () => {
    const place = await freshPlace(kafka.bootstrap, 1);
    await publish(place, plays(0, 3));
    const { feed: topic } = place.topics;
    await put(place, topic, 0, [{ value: Buffer.from('{"log_id":7}') }]);
    await publish(place, plays(3, 5));
    await put(place, topic, 0, [{ value: null }]);
    const told: string[] = [];
    const { client, config } = place;
    // Three plays and the mark that ends their transaction; the first one can be read, and is loaded all the same.
    const feed = new KafkaFeedSource({
      client,
      config,
      topic,
      feedId: 'this-feed',
      skip: new Set(['0/0', '0/4']),
      onSkip: (sentence) => told.push(sentence),
    });
    const batch = new RowBatch(10, 1_000_000);
    let next: FeedPositions = new Map();
    let skipped = 0;
    while (batch.rows < 5) {
      const read = await feed.read(next, batch);
      next = read.next;
      skipped += read.skipped;
    }
    expect(split(batch).sort()).toEqual(hexOf(plays(0, 3).concat(plays(3, 5))));
    expect(skipped).toBe(1);
    expect(told).toEqual([
      expect.stringMatching(/feed\/0\/4 cannot be loaded .*it is left out of analytics, as PLAYPROOF_ANALYTICS_SKIP says$/),
    ]);
    await expect(feed.read(next, new RowBatch(5, 1_000_000))).rejects.toThrow(/feed\/0\/8 /);
    feed.close();
  });

  it.each(['behind the end', 'deleted'])('is a fault when the position is %s', async (how) => {
    const place = await freshPlace(kafka.bootstrap, 1);
    await publish(place, plays(0, 5));
    if (how === 'deleted') await deleteBefore(place, place.topics.feed, 0, 3);
    const feed = source(place);
    const from = new Map([[0, how === 'deleted' ? 1 : 50]]);
    await expect(feed.read(from, new RowBatch(5, 1_000_000))).rejects.toThrow(FeedFault);
    await expect(feed.read(from, new RowBatch(5, 1_000_000))).rejects.toThrow(/docs\/operations-kafka\.md/);
    feed.close();
  });
});

/** Also where it is not there. */
function isOlderThanSources(jar: string): boolean {
  const sources = path.join(EXAMPLES, 'java/src');
  const files = readdirSync(sources, { recursive: true, encoding: 'utf8' }).map((file) => path.join(sources, file));
  const built = statSync(jar, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return [path.join(EXAMPLES, 'java/pom.xml'), ...files].some((file) => statSync(file).mtimeMs > built);
}

describe('the feed on Kafka, for billing', () => {
  it('I1: is what the document says, stamped by the broker, and Java and TypeScript add up the same', async () => {
    const place = await freshPlace(kafka.bootstrap, 3);
    const all = plays(0, 90);
    await publish(place, all.slice(0, 50));
    await publishInVain(place, plays(900, 930));
    await publish(place, all.slice(50));
    const { bootstrap } = kafka;
    const records = await javaConsume(place.topics.feed, { bootstrap, readCommitted: true, idleMs: 5_000 });
    expect(records).toHaveLength(90);
    const [record, headers] = [Compile(FEED_RECORD_SCHEMA as object), Compile(FEED_HEADERS_SCHEMA as object)];
    for (const { value, key, headers: given, timestampType } of records) {
      const play = JSON.parse(value ?? '') as { device_id: string; log_id: string; received_at: string };
      expect(record.Check(play)).toBe(true);
      expect(headers.Check(Object.fromEntries(given))).toBe(true);
      expect([key, timestampType]).toEqual([play.device_id, 'LogAppendTime']);
      expect([given.get('ce_id'), given.get('ce_time')]).toEqual([play.log_id, play.received_at]);
    }

    const sums = new Map<string, number>();
    for (const { advertiserId, billable, durationActualMs } of all) {
      if (billable) sums.set(advertiserId, (sums.get(advertiserId) ?? 0) + durationActualMs);
    }
    const expected = [...sums].map(([advertiser, ms]) => `${advertiser} ${(ms / 1000).toFixed(3)}`).sort();
    const asked = [bootstrap, '--topic', place.topics.feed, '--once'];
    const ours = await run(process.execPath, [path.join(EXAMPLES, 'typescript/billing-consumer.ts'), ...asked]);
    expect(ours.stdout.trim().split('\n')).toEqual(expected);
    const target = path.join(EXAMPLES, 'java/target');
    if (isOlderThanSources(path.join(target, 'billing-consumer.jar')))
      await run('mvn', ['-B', '-q', '-f', path.join(EXAMPLES, 'java/pom.xml'), 'package']);
    const java = await run('java', [
      '-cp',
      `${path.join(target, 'billing-consumer.jar')}:${path.join(target, 'lib')}/*`,
      'io.playproof.example.BillingConsumer',
      ...asked,
    ]);
    expect(java.stdout.trim().split('\n')).toEqual(expected);
  });
});
