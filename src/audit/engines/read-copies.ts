/** Feed and analytics, read once from beginning to end and collected for the comparison by log_id. */
import { isUuid } from '../../domain/uuid.ts';
import { parseTimestamp } from '../../domain/timestamp.ts';
import type { Findings } from '../findings.ts';
import type { Progress } from '../progress.ts';
import { type Entry, writeEntry } from './entries.ts';
import { feedFingerprint, originOf } from './fingerprint.ts';
import type { Collected } from './groups.ts';
import type { EngineAnalytics, EngineFeed, FeedMessage, PartitionRange } from './ports.ts';

export interface FeedReading {
  readonly plays: number;
  /** By `<journal_id>/<partition>` the offset behind the highest that was published. */
  readonly published: ReadonlyMap<string, number>;
}

export interface ReadOptions {
  readonly collected: Collected;
  readonly findings: Findings;
  readonly progress: Progress;
}

export async function readFeed(feed: EngineFeed, ranges: readonly PartitionRange[], options: ReadOptions): Promise<FeedReading> {
  const { collected, findings, progress } = options;
  const published = new Map<string, number>();
  const total = ranges.reduce((sum, { low, end }) => sum + end - low, 0);
  let plays = 0;
  let before = 0;
  for (const range of ranges) {
    for await (const message of feed.messages(range)) {
      note(message.position, published);
      const entry = entryOf(message, range.partition);
      if (typeof entry === 'string')
        findings.add('record_damaged', { position: `${feed.topic}/${range.partition}/${message.offset}` }, entry);
      else collected.add((target, at) => writeEntry(target, at, entry));
      plays += 1;
      progress.at('feed offset', before + message.offset - range.low, total);
    }
    before += range.end - range.low;
  }
  return { plays, published };
}

/** `<journal_id>/<partition>` and the offset of a position; null where it is none. */
export function splitPosition(position: string): { readonly partition: string; readonly offset: number } | null {
  const match = /^(.+\/\d{1,10})\/(\d{1,16})$/.exec(position);
  return match ? { partition: match[1] as string, offset: Number(match[2]) } : null;
}

function note(position: string | null, published: Map<string, number>): void {
  const split = position === null ? null : splitPosition(position);
  if (split) published.set(split.partition, Math.max(published.get(split.partition) ?? 0, split.offset + 1));
}

const HASH = /^[0-9a-f]{64}$/;

/** A sentence where it cannot be told of which log the record is. */
function entryOf({ key, value, offset, position }: FeedMessage, partition: number): Entry | string {
  const record = objectOf(value);
  if (!record) return 'the feed record is no JSON object';
  const { log_id: logId, content_hash: contentHash, status, billable, received_at: receivedAt } = record;
  if (typeof logId !== 'string' || !isUuid(logId) || typeof contentHash !== 'string' || !HASH.test(contentHash))
    return 'the feed record has no log_id or content_hash that can be read';
  return {
    source: 'feed',
    logId,
    partition,
    offset,
    status: String(status),
    billable: billable === true,
    receivedAt: (typeof receivedAt === 'string' ? parseTimestamp(receivedAt) : undefined) ?? Number.NaN,
    contentHash,
    fingerprint: feedFingerprint(key, value ?? ''),
    origin: position === null ? null : originOf(position),
  };
}

function objectOf(value: string | null): Readonly<Record<string, unknown>> | null {
  try {
    const record: unknown = JSON.parse(value ?? 'null');
    return typeof record === 'object' && record !== null && !Array.isArray(record) ? (record as Readonly<Record<string, unknown>>) : null;
  } catch {
    return null;
  }
}

/** @returns how many rows reports count. */
export async function readAnalytics(analytics: EngineAnalytics, { collected, progress }: ReadOptions): Promise<number> {
  const total = await analytics.count();
  let rows = 0;
  for await (const page of analytics.pages()) {
    for (const row of page) collected.add((target, at) => writeEntry(target, at, { ...row, source: 'analytics', origin: null }));
    rows += page.length;
    progress.at('row of analytics', rows, Math.max(total, rows));
  }
  return rows;
}
