/**
 * Holds the clients' ledger against the copies of a distributed installation: the feed as Java's consumer reads it, the archive as
 * MongoDB has it, analytics as the service lists it, and quarantine.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient, type Binary } from 'mongodb';
import type { FeedRecord } from '../../../src/feed/feed-record.ts';
import { readPlayRecord } from '../../../src/journal/record.ts';
import { call } from '../../support/http.ts';
import type { Ledger } from '../../support/ledger.ts';
import { type Copy, ledgerDifferences, multisetDifferences, readAnalytics, readPages } from '../../support/oracle.ts';
import type { Service } from '../../support/service.ts';
import type { Installation } from './installation.ts';
import { javaConsume } from './witness.ts';

/** Half a minute of it is the time for which other nodes may have logs in flight. */
const COMPLETE_WITHIN_MS = 120_000;
/** Plays whose evidence is asked for over HTTP. */
const EVIDENCE = 40;
const MAX_TOLD = 20;

/** Waits until everything received before `instant` is settled and loaded, as a node with the role query tells. */
export async function waitComplete(query: Service, instant: number): Promise<void> {
  const until = performance.now() + COMPLETE_WITHIN_MS;
  let last = '';
  while (performance.now() < until) {
    const { status, json, text } = await call(query, '/api/v1/reports/plays');
    if (status === 200 && Date.parse(json.complete_until) > instant) return;
    last = `${status} ${text}`;
    await sleep(250);
  }
  throw new Error(`reports were not complete after ${COMPLETE_WITHIN_MS} ms; the last answer: ${last}`);
}

/** The topic's records, as billing would read them. */
export async function readTopic({ kafka }: Installation): Promise<FeedRecord[]> {
  const records = await javaConsume('playback-logs', { bootstrap: kafka.bootstrap, readCommitted: true });
  return records.map(({ value }) => JSON.parse(value ?? 'null') as FeedRecord);
}

function copyOf({ log_id, content_hash, status, billable, received_at }: FeedRecord): Copy {
  return { logId: log_id, hash: content_hash, verdict: `${status} ${billable ? 'billable' : 'not billable'} ${received_at}` };
}

async function readArchive({ mongo }: Installation): Promise<Copy[]> {
  const client = new MongoClient(mongo.url);
  try {
    const found = await client.db('playproof').collection<{ record: Binary }>('archive').find().toArray();
    return found.map(({ record }) => {
      const { logId, contentHash, status, billable, receivedAt } = readPlayRecord(record.value());
      return {
        logId,
        hash: contentHash,
        verdict: `${status} ${billable ? 'billable' : 'not billable'} ${new Date(receivedAt).toISOString()}`,
      };
    });
  } finally {
    await client.close();
  }
}

/** The evidence of some plays, spread over the feed, against their feed records. */
async function evidenceDifferences(query: Service, feed: readonly Copy[]): Promise<string[]> {
  const found: string[] = [];
  for (let i = 0; i < feed.length; i += Math.max(1, Math.floor(feed.length / EVIDENCE))) {
    const { logId, hash, verdict } = feed[i] as Copy;
    const { status, json, text } = await call(query, `/api/v1/playback-logs/${logId}`);
    if (status !== 200) found.push(`the evidence of ${logId} was answered ${status}: ${text}`);
    else {
      const told = `${json.verdict.status} ${json.verdict.billable ? 'billable' : 'not billable'} ${json.verdict.received_at}`;
      if (json.content_hash !== hash || told !== verdict) found.push(`the evidence of ${logId} says ${json.content_hash} ${told}`);
    }
  }
  return found;
}

/** Everything at once; call it when the clients have stopped and nothing unknown is left. */
export async function differences(installation: Installation, query: Service, ledger: Ledger): Promise<string[]> {
  await waitComplete(query, ledger.lastAcknowledged);
  const feed = (await readTopic(installation)).map(copyOf);
  const found = [
    ...multisetDifferences('feed', feed, 'archive', await readArchive(installation)),
    ...multisetDifferences('feed', feed, 'analytics', await readAnalytics(query)),
    ...ledgerDifferences(ledger, feed, await readPages(query, '/api/v1/quarantine')),
    ...(await evidenceDifferences(query, feed)),
  ];
  return found.length <= MAX_TOLD ? found : [...found.slice(0, MAX_TOLD), `and ${found.length - MAX_TOLD} more differences`];
}
