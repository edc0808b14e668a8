/**
 * Holds the ledger of the clients against the feed, the archive, analytics and quarantine, as multisets of (log_id, content_hash,
 * verdict). Answers differences by id, a sentence each; nothing to answer means that everything agrees.
 */
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { readPlayRecord } from '../../src/journal/record.ts';
import { auditOf } from './audit.ts';
import { call } from './http.ts';
import { isAcknowledged, type Ledger, type LedgerEntry } from './ledger.ts';
import type { Service } from './service.ts';

/** One log as one of the copies has it. */
export interface Copy {
  readonly logId: string;
  readonly hash: string;
  /** Status, billable and receivedAt in one text. */
  readonly verdict: string;
}

const COMPLETE_WITHIN_MS = 45_000;
/** Refused before the signature was looked at or in spite of it: the hash in quarantine is then that of the bytes as sent. */
const UNPROVEN = new Set(['malformed', 'too_large', 'invalid_field', 'unknown_device', 'device_disabled']);
/** Differences that are told; the rest is counted. */
const MAX_TOLD = 20;

/** Waits until everything received before `instant` is settled and loaded. @throws Error when that takes too long. */
export async function waitComplete(service: Service, instant = Date.now()): Promise<void> {
  const until = performance.now() + COMPLETE_WITHIN_MS;
  let last = '';
  while (performance.now() < until) {
    const { status, json, text } = await call(service, '/api/v1/reports/plays');
    if (status === 200 && Date.parse(json.complete_until) > instant) return;
    last = `${status} ${text}`;
    await sleep(100);
  }
  throw new Error(`reports were not complete after ${COMPLETE_WITHIN_MS} ms; the last answer: ${last}\n${service.output.slice(-4_000)}`);
}

export async function readFeed(service: Service, after?: string): Promise<{ copies: Copy[]; last: string | undefined }> {
  const copies: Copy[] = [];
  let last = after;
  for (;;) {
    const { status, text } = await call(service, `/api/v1/feed?limit=1000${last === undefined ? '' : `&after=${last}`}`);
    if (status !== 200) throw new Error(`the feed was answered ${status}: ${text}`);
    if (text === '') return { copies, last };
    for (const line of text.trimEnd().split('\n')) {
      const record = JSON.parse(line) as Listed & { position: string };
      if (last !== undefined && Number(record.position) <= Number(last)) throw new Error(`position ${record.position} came after ${last}`);
      last = record.position;
      copies.push(copyOf(record));
    }
  }
}

/** From the file itself: who owns each log_id, and the bytes that are kept for it. */
export function readArchive(service: Service): Copy[] {
  const db = new DatabaseSync(path.join(service.data, 'playproof.db'), { readOnly: true, timeout: 5_000 });
  try {
    const stray = db.prepare('SELECT count(*) AS n FROM journal WHERE seq NOT IN (SELECT seq FROM owners)').get() as { n: number };
    if (stray.n > 0) throw new Error(`${stray.n} journal rows are neither owned nor waiting to be settled`);
    const rows = db.prepare('SELECT journal.record FROM owners LEFT JOIN journal ON journal.seq = owners.seq').all();
    return rows.map(({ record }) => {
      if (record === null) throw new Error('an owner without its record');
      const { logId, contentHash, status, billable, receivedAt } = readPlayRecord(record as Uint8Array);
      return { logId, hash: contentHash, verdict: verdictText(status, billable, new Date(receivedAt).toISOString()) };
    });
  } finally {
    db.close();
  }
}

export async function readAnalytics(service: Service): Promise<Copy[]> {
  return (await readPages(service, '/api/v1/playback-logs')).map((item) => copyOf(item as unknown as Listed));
}

/** Follows `next_cursor` to the last page. */
export async function readPages(service: Service, address: string, token?: string): Promise<Record<string, unknown>[]> {
  const items: Record<string, unknown>[] = [];
  let cursor: string | null = null;
  do {
    const query: string = `${address.includes('?') ? '&' : '?'}limit=1000${cursor === null ? '' : `&cursor=${cursor}`}`;
    const { status, json, text } = await call(service, `${address}${query}`, token === undefined ? {} : { token });
    if (status !== 200) throw new Error(`${address} was answered ${status}: ${text}`);
    items.push(...(json.items as Record<string, unknown>[]));
    cursor = json.next_cursor as string | null;
  } while (cursor !== null);
  return items;
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

function verdictText(status: string, billable: boolean, receivedAt: string): string {
  return `${status} ${billable ? 'billable' : 'not billable'} ${receivedAt}`;
}

/** Everything at once; call it when the clients have stopped and nothing unknown is left. */
export async function differences(service: Service, ledger: Ledger): Promise<string[]> {
  await waitComplete(service);
  const feed = (await readFeed(service)).copies;
  const found = [
    ...multisetDifferences('feed', feed, 'archive', readArchive(service)),
    ...multisetDifferences('feed', feed, 'analytics', await readAnalytics(service)),
    ...ledgerDifferences(ledger, feed, await readPages(service, '/api/v1/quarantine')),
    ...(await auditFindings(service)),
  ];
  return found.length <= MAX_TOLD ? found : [...found.slice(0, MAX_TOLD), `and ${found.length - MAX_TOLD} more differences`];
}

/** What an operator would be told of the running service. */
async function auditFindings(service: Service): Promise<string[]> {
  const { findings } = await auditOf(service.dataDir, 'all', service);
  return findings.map(({ kind, log_id, position, detail }) => `audit: ${kind} ${log_id} ${position}: ${detail}`);
}

export function multisetDifferences(nameA: string, a: readonly Copy[], nameB: string, b: readonly Copy[]): string[] {
  const counts = new Map<string, number>();
  const text = ({ logId, hash, verdict }: Copy): string => `${logId} ${hash} ${verdict}`;
  for (const copy of a) counts.set(text(copy), (counts.get(text(copy)) ?? 0) + 1);
  for (const copy of b) counts.set(text(copy), (counts.get(text(copy)) ?? 0) - 1);
  return [...counts]
    .filter(([, n]) => n !== 0)
    .map(([what, n]) => `${what} is ${Math.abs(n)} times more in the ${n > 0 ? nameA : nameB} than in the ${n > 0 ? nameB : nameA}`);
}

/** I1, I2 and I4: what was told against what is there. */
export function ledgerDifferences(
  ledger: Ledger,
  feed: readonly Copy[],
  quarantine: readonly Readonly<Record<string, unknown>>[],
): string[] {
  const found: string[] = [];
  const published = new Map<string, Copy>();
  for (const copy of feed) {
    if (published.has(copy.logId)) found.push(`${copy.logId} is in the feed twice`);
    published.set(copy.logId, copy);
  }
  const kept = new Set(
    quarantine.flatMap((item) => {
      const id = String(item['log_id']);
      return [`${id} ${String(item['content_hash'])} ${String(item['code'])}`, `${id} ${String(item['code'])}`];
    }),
  );
  const entries = ledger.entries();
  const byId = Map.groupBy(entries, ({ logId }) => logId);
  for (const copy of feed) {
    const entry = byId.get(copy.logId)?.find(({ hash }) => hash === copy.hash);
    if (!entry) found.push(`${copy.logId} ${copy.hash} is in the feed, and nobody sent it`);
    else if (!entry.provable) found.push(`${copy.logId} ${copy.hash} is in the feed without a valid signature`);
    else if (entry.verdict && !copy.verdict.startsWith(verdictText(entry.verdict.status, entry.verdict.billable, ''))) {
      found.push(`${copy.logId} was told as ${JSON.stringify(entry.verdict)} and published as ${copy.verdict}`);
    }
  }
  for (const [logId, sent] of byId) found.push(...missing(logId, sent, published.get(logId), kept));
  return found;
}

function missing(logId: string, sent: readonly LedgerEntry[], copy: Copy | undefined, kept: ReadonlySet<string>): string[] {
  const found: string[] = [];
  const acknowledged = sent.filter(isAcknowledged);
  if (acknowledged.length > 0 && !copy) found.push(`${logId} was acknowledged and is not in the feed`);
  for (const { hash } of acknowledged) {
    // Two contents were acknowledged under one id, around a restart: one stands, the other must be in quarantine.
    if (copy && copy.hash !== hash && !kept.has(`${logId} ${hash} log_id_conflict`)) {
      found.push(`${logId} ${hash} was acknowledged, ${copy.hash} stands, and the conflict is not in quarantine`);
    }
  }
  for (const { hash, heard, provable } of sent) {
    for (const code of heard.keys()) {
      if (code === 'accepted' || code === 'duplicate') continue;
      const asProven = provable && !UNPROVEN.has(code);
      if (!kept.has(asProven ? `${logId} ${hash} ${code}` : `${logId} ${code}`)) {
        found.push(`${logId} was refused as ${code} and is not in quarantine`);
      }
    }
  }
  return found;
}
