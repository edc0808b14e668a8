/**
 * Holds the ledger of the clients against the feed, the archive, analytics and quarantine, as multisets of (log_id, content_hash,
 * verdict). Answers differences by id, a sentence each; nothing to answer means that everything agrees.
 */
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { readPlayRecord } from '../../src/journal/record.ts';
import { auditOf } from './audit.ts';
import { tellDifferences } from './figures.ts';
import { call } from './http.ts';
import type { Ledger } from './ledger.ts';
import { type Copy, Reckoning, verdictText } from './reckoning.ts';
import type { Service } from './service.ts';

export { type Copy, multisetDifferences } from './reckoning.ts';

const COMPLETE_WITHIN_MS = 45_000;
/** Waits until everything received before `instant` is settled and loaded. @throws Error when that takes too long. */
export async function waitComplete(service: Service, instant = Date.now(), withinMs = COMPLETE_WITHIN_MS): Promise<void> {
  const until = performance.now() + withinMs;
  let last = '';
  while (performance.now() < until) {
    const { status, json, text } = await call(service, '/api/v1/reports/plays');
    if (status === 200 && Date.parse(json.complete_until) > instant) return;
    last = `${status} ${text}`;
    await sleep(100);
  }
  throw new Error(`reports were not complete after ${withinMs} ms; the last answer: ${last}\n${service.output.slice(-4_000)}`);
}

export async function readFeed(service: Service, after?: string): Promise<{ copies: Copy[]; last: string | undefined }> {
  const copies: Copy[] = [];
  let last = after;
  for await (const { position, ...copy } of feedCopies(service, after)) {
    copies.push(copy);
    last = position;
  }
  return { copies, last };
}

/** The feed page by page, with the position of each record. */
export async function* feedCopies(service: Service, after?: string): AsyncGenerator<Copy & { readonly position: string }> {
  let last = after;
  for (;;) {
    const { status, text } = await call(service, `/api/v1/feed?limit=1000${last === undefined ? '' : `&after=${last}`}`);
    if (status !== 200) throw new Error(`the feed was answered ${status}: ${text}`);
    if (text === '') return;
    for (const line of text.trimEnd().split('\n')) {
      const record = JSON.parse(line) as Listed & { position: string };
      if (last !== undefined && Number(record.position) <= Number(last)) throw new Error(`position ${record.position} came after ${last}`);
      last = record.position;
      yield { ...copyOf(record), position: record.position };
    }
  }
}

export function readArchive(service: Service): Copy[] {
  return [...archiveCopies(service)];
}

/** From the file itself: who owns each log_id, and the bytes that are kept for it. */
export function* archiveCopies(service: Service): Generator<Copy> {
  const db = new DatabaseSync(path.join(service.data, 'playproof.db'), { readOnly: true, timeout: 5_000 });
  try {
    const stray = db.prepare('SELECT count(*) AS n FROM journal WHERE seq NOT IN (SELECT seq FROM owners)').get() as { n: number };
    if (stray.n > 0) throw new Error(`${stray.n} journal rows are neither owned nor waiting to be settled`);
    for (const { record } of db.prepare('SELECT journal.record FROM owners LEFT JOIN journal ON journal.seq = owners.seq').iterate()) {
      if (record === null) throw new Error('an owner without its record');
      const { logId, contentHash, status, billable, receivedAt } = readPlayRecord(record as Uint8Array);
      yield { logId, hash: contentHash, verdict: verdictText(status, billable, new Date(receivedAt).toISOString()) };
    }
  } finally {
    db.close();
  }
}

export async function readAnalytics(service: Service): Promise<Copy[]> {
  return Array.fromAsync(analyticsCopies(service));
}

/** As the service lists plays. */
export async function* analyticsCopies(service: Service): AsyncGenerator<Copy> {
  for await (const item of pages(service, '/api/v1/playback-logs')) yield copyOf(item as unknown as Listed);
}

export async function readPages(service: Service, address: string, token?: string): Promise<Record<string, unknown>[]> {
  return Array.fromAsync(pages(service, address, token));
}

/** Follows `next_cursor` to the last page. */
export async function* pages(service: Service, address: string, token?: string): AsyncGenerator<Record<string, unknown>> {
  let cursor: string | null = null;
  do {
    const query: string = `${address.includes('?') ? '&' : '?'}limit=1000${cursor === null ? '' : `&cursor=${cursor}`}`;
    const { status, json, text } = await call(service, `${address}${query}`, token === undefined ? {} : { token });
    if (status !== 200) throw new Error(`${address} was answered ${status}: ${text}`);
    yield* json.items as Record<string, unknown>[];
    cursor = json.next_cursor as string | null;
  } while (cursor !== null);
}

interface Listed {
  readonly log_id: string;
  readonly content_hash: string;
  readonly status: string;
  readonly billable: boolean;
  readonly received_at: string;
}

function copyOf({ log_id, content_hash, status, billable, received_at }: Listed): Copy {
  return { logId: log_id, hash: content_hash, verdict: verdictText(status, billable, received_at) };
}

/** Everything at once, with the audit; call it when the clients have stopped and nothing unknown is left. */
export async function differences(service: Service, ledger: Ledger): Promise<string[]> {
  await waitComplete(service);
  return tellDifferences(ledger, [...(await copyDifferences(service, ledger)), ...(await auditFindings(service))]);
}

/** The copies against each other and against the ledger, read one by one; everything must be settled and loaded. */
export async function copyDifferences(service: Service, ledger: Ledger): Promise<string[]> {
  const reckoning = new Reckoning(ledger);
  await reckoning.countAll('feed', feedCopies(service));
  await reckoning.countAll('archive', archiveCopies(service));
  await reckoning.countAll('analytics', analyticsCopies(service));
  for await (const item of pages(service, '/api/v1/quarantine')) reckoning.quarantined(item);
  return reckoning.differences();
}

/** What an operator would be told of the running service. */
async function auditFindings(service: Service): Promise<string[]> {
  const { findings } = await auditOf(service.dataDir, 'all', service);
  return findings.map(({ kind, log_id, position, detail }) => `audit: ${kind} ${log_id} ${position}: ${detail}`);
}
