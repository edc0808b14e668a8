/**
 * Holds the clients' ledger against the copies of a distributed installation: the feed as Java's consumer reads it, the archive as
 * MongoDB has it, analytics as the service lists it, and quarantine.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient, type Binary } from 'mongodb';
import type { FeedRecord } from '../../../src/feed/feed-record.ts';
import { loadKafkaClient } from '../../../src/kafka/client.ts';
import { CommittedReader } from '../../../src/kafka/committed-reader.ts';
import { connectionConfig } from '../../../src/kafka/settings.ts';
import { readPlayRecord } from '../../../src/journal/record.ts';
import { tellDifferences } from '../../support/figures.ts';
import { call } from '../../support/http.ts';
import type { Ledger } from '../../support/ledger.ts';
import { analyticsCopies, pages } from '../../support/oracle.ts';
import { type Copy, Reckoning, verdictText } from '../../support/reckoning.ts';
import type { Service } from '../../support/service.ts';
import type { Installation } from './installation.ts';
import { plainSettings } from './kafka-settings.ts';
import { javaConsume, javaRecords } from './witness.ts';

const FEED = 'playback-logs';
/** Half a minute of it is the time for which other nodes may have logs in flight. */
const COMPLETE_WITHIN_MS = 120_000;
/** Without anything more coming into the feed. How much there is to settle is the machine's doing: the load is not held back. */
const AGREE_WITHIN_MS = 60_000;
/** So many plays at least have their evidence asked for over HTTP, where there are so many. */
const EVIDENCE = 40;
const IDLE_MS = 6_000;
const LONG_IDLE_MS = 40_000;

/** Waits until everything received before `instant` is settled and loaded, as a node with the role query tells. */
export async function waitComplete(query: Service, instant: number, withinMs = COMPLETE_WITHIN_MS): Promise<void> {
  const until = performance.now() + withinMs;
  let last = '';
  while (performance.now() < until) {
    const { status, json, text } = await call(query, '/api/v1/reports/plays');
    if (status === 200 && Date.parse(json.complete_until) > instant) return;
    last = `${status} ${text}`;
    await sleep(250);
  }
  throw new Error(`reports were not complete after ${withinMs} ms; the last answer: ${last}`);
}

/** The topic's records, as billing would read them. */
export async function readTopic({ kafka }: Installation): Promise<FeedRecord[]> {
  const records = await javaConsume(FEED, { bootstrap: kafka.bootstrap, readCommitted: true });
  return records.map(({ value }) => JSON.parse(value ?? 'null') as FeedRecord);
}

function copyOf({ log_id, content_hash, status, billable, received_at }: FeedRecord): Copy {
  return { logId: log_id, hash: content_hash, verdict: verdictText(status, billable, received_at) };
}

async function* topicCopies({ kafka }: Installation, idleMs: number): AsyncGenerator<Copy> {
  for await (const { value } of javaRecords('playback-logs', { bootstrap: kafka.bootstrap, readCommitted: true, idleMs })) {
    yield copyOf(JSON.parse(value ?? 'null') as FeedRecord);
  }
}

async function* archiveCopies({ mongo }: Installation): AsyncGenerator<Copy> {
  const client = new MongoClient(mongo.url);
  try {
    for await (const { record } of client.db('playproof').collection<{ record: Binary }>('archive').find()) {
      const { logId, contentHash, status, billable, receivedAt } = readPlayRecord(record.value());
      yield { logId, hash: contentHash, verdict: verdictText(status, billable, new Date(receivedAt).toISOString()) };
    }
  } finally {
    await client.close();
  }
}

/** The evidence of some plays against their feed records. */
async function evidenceDifferences(query: Service, plays: readonly Copy[]): Promise<string[]> {
  const found: string[] = [];
  for (const { logId, hash, verdict } of plays) {
    const { status, json, text } = await call(query, `/api/v1/playback-logs/${logId}`);
    if (status !== 200) found.push(`the evidence of ${logId} was answered ${status}: ${text}`);
    else {
      const told = verdictText(json.verdict.status, json.verdict.billable, json.verdict.received_at);
      if (json.content_hash !== hash || told !== verdict) found.push(`the evidence of ${logId} says ${json.content_hash} ${told}`);
    }
  }
  return found;
}

/** Every other one is dropped whenever there are twice as many as are wanted: what stays is spread over all. */
class Spread<T> {
  readonly #wanted: number;
  #kept: T[] = [];
  #every = 1;
  #seen = 0;

  constructor(wanted: number) {
    this.#wanted = wanted;
  }

  get kept(): readonly T[] {
    return this.#kept;
  }

  add(one: T): void {
    if (this.#seen % this.#every === 0) this.#kept.push(one);
    this.#seen += 1;
    if (this.#kept.length < this.#wanted * 2) return;
    this.#kept = this.#kept.filter((_, i) => i % 2 === 0);
    this.#every *= 2;
  }
}

/** As `topicCopies`, with the client of the code under test: in a tenth of the time. */
async function* topicCopiesSoon({ kafka }: Installation): AsyncGenerator<Copy> {
  const reader = await CommittedReader.open(await loadKafkaClient(), connectionConfig(plainSettings(kafka.bootstrap)));
  try {
    for (const partition of await reader.partitionsOf(FEED)) {
      const { low, end } = await reader.range(FEED, partition);
      for await (const { value } of reader.scan(FEED, partition, low, end)) yield copyOf(JSON.parse(String(value)) as FeedRecord);
    }
  } finally {
    await reader.close();
  }
}

/** Everything at once, read one by one; call it when the clients have stopped and nothing unknown is left. */
export async function differences(installation: Installation, query: Service, ledger: Ledger): Promise<string[]> {
  await waitComplete(query, ledger.lastAcknowledged);
  return differencesNow(installation, query, ledger);
}

/** As `differences`, of what has come to agree already. */
export async function differencesNow(installation: Installation, query: Service, ledger: Ledger): Promise<string[]> {
  const first = await reckon(installation, query, ledger, topicCopies(installation, IDLE_MS));
  // Analytics was loaded from the feed: what it has and the reading has not, a broker that has just started had not served in time.
  if (first.read >= first.loaded) return tellDifferences(ledger, first.found);
  return tellDifferences(ledger, (await reckon(installation, query, ledger, topicCopies(installation, LONG_IDLE_MS))).found);
}

/**
 * As `differences`, without the half minute that it takes to be complete by the report's own word: looks until everything agrees, or
 * nothing more has come for a minute. What comes after that, `differencesNow` has to find at the end.
 */
export async function differencesSoon(installation: Installation, query: Service, ledger: Ledger): Promise<string[]> {
  let until = performance.now() + AGREE_WITHIN_MS;
  for (let before = 0; ; ) {
    const { found, read, loaded } = await reckon(installation, query, ledger, topicCopiesSoon(installation)).catch(
      // An engine that has just come back may not answer yet.
      (error: Error) => ({ found: [error.message], read: 0, loaded: 0 }),
    );
    if (read + loaded > before) until = performance.now() + AGREE_WITHIN_MS;
    before = Math.max(before, read + loaded);
    if (found.length === 0 || performance.now() > until) return tellDifferences(ledger, found);
    await sleep(500);
  }
}

/** @param feed The copies that the feed holds. */
async function reckon(installation: Installation, query: Service, ledger: Ledger, feed: AsyncIterable<Copy>) {
  const reckoning = new Reckoning(ledger);
  const some = new Spread<Copy>(EVIDENCE);
  let read = 0;
  for await (const copy of feed) {
    reckoning.count('feed', copy);
    some.add(copy);
    read += 1;
  }
  await reckoning.countAll('archive', archiveCopies(installation));
  let loaded = 0;
  for await (const copy of analyticsCopies(query)) {
    reckoning.count('analytics', copy);
    loaded += 1;
  }
  for await (const item of pages(query, '/api/v1/quarantine')) reckoning.quarantined(item);
  return { read, loaded, found: [...reckoning.differences(), ...(await evidenceDifferences(query, some.kept))] };
}
