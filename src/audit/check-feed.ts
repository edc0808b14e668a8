/** The feed, place by place: whole records, one owner each, a sample proven again, and analytics against it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RuleSettings } from '../domain/limits.ts';
import type { Play } from '../domain/play.ts';
import { readUuid } from '../domain/uuid.ts';
import {
  CorruptRecord,
  LOG_ID_AT,
  LOG_ID_BYTES,
  RECORD_PLAY,
  RECORD_REFUSAL,
  readPlayRecord,
  readRefusalRecord,
  recordHash,
  recordLogId,
  recordReceivedAt,
} from '../journal/record.ts';
import { type AnalyticsCheck, auditedPlay } from './check-analytics.ts';
import type { Findings } from './findings.ts';
import type { AuditedPlay, FeedCopy, JournalPlace } from './ports.ts';
import type { Progress } from './progress.ts';
import { type KeyLookup, recheck } from './recheck.ts';
import type { Sample } from './sample.ts';

/** Places read at once: some 1 MB. */
const CHUNK = 1_000;

export interface FeedCheckOptions {
  readonly feed: FeedCopy;
  /** The feed's end. */
  readonly settle: number;
  readonly analytics: AnalyticsCheck;
  readonly sample: Sample;
  readonly keyOf: KeyLookup;
  readonly rules: RuleSettings;
  readonly findings: Findings;
  readonly progress: Progress;
}

export interface FeedCounts {
  plays: number;
  proven: number;
  older_rules: number;
}

export async function checkFeed(options: FeedCheckOptions): Promise<FeedCounts> {
  const { settle, analytics, progress } = options;
  const counts: FeedCounts = { plays: 0, proven: 0, older_rules: 0 };
  // Analytics from 0 on, where nothing may stand; places begin with 1.
  for (let from = 0; from <= settle; from += analytics.span) {
    const until = Math.min(settle, from + analytics.span - 1);
    const plays = new Map<number, AuditedPlay>();
    const unread = new Set<number>();
    for (let after = from - 1; ; ) {
      const places = options.feed.places(after, until, CHUNK);
      for (const place of places) checkPlace(place, options, { plays, unread, counts });
      const last = places.at(-1);
      progress.at('position', last?.seq ?? until, settle);
      if (!last || places.length < CHUNK) break;
      after = last.seq;
      await nextTurn();
    }
    await analytics.range(from, until, plays, unread);
  }
  return counts;
}

interface Seen {
  readonly plays: Map<number, AuditedPlay>;
  readonly unread: Set<number>;
  readonly counts: FeedCounts;
}

function checkPlace(place: JournalPlace, { findings, sample, keyOf, rules }: FeedCheckOptions, seen: Seen): void {
  const { seq, kind, owner } = place;
  if (kind === RECORD_REFUSAL) {
    findings.add('refusal_in_feed', { position: seq }, 'it should have gone to quarantine when it was settled');
    return;
  }
  const play = readPlace(place, findings);
  if (!play) {
    seen.unread.add(seq);
    return;
  }
  const at = { logId: play.logId, position: seq };
  seen.plays.set(seq, auditedPlay(play));
  seen.counts.plays += 1;
  if (owner === null) findings.add('owner_missing', at, 'it is in the feed, and the archive does not find it by its log_id');
  else if (owner !== seq) findings.add('record_doubled', at, `its owner stands at position ${owner}`);
  if (!sample.takes(seq)) return;
  const { doubts, older } = recheck(play, keyOf, rules);
  for (const { kind: doubt, detail } of doubts) findings.add(doubt, at, detail);
  if (doubts.length === 0) seen.counts[older ? 'older_rules' : 'proven'] += 1;
}

/** Null where the record is damaged, which is told. */
function readPlace({ seq, kind, logId, record }: JournalPlace, findings: Findings): Play | null {
  try {
    if (kind !== RECORD_PLAY) throw new CorruptRecord(`a row of kind ${kind}`);
    const play = readPlayRecord(record);
    assertOneLog(logId, record, play);
    return play;
  } catch (error) {
    if (!(error instanceof CorruptRecord)) throw error;
    findings.add('record_damaged', { logId: idOf(logId), position: seq }, error.message);
    return null;
  }
}

/** Settling goes by the column and the record's header, reports by its row: they have to say the same. @throws CorruptRecord */
function assertOneLog(logId: Uint8Array, record: Uint8Array, play: Play): void {
  if (!Buffer.from(logId).equals(record.subarray(LOG_ID_AT, LOG_ID_AT + LOG_ID_BYTES)))
    throw new CorruptRecord('a record that stands under the log_id of another');
  const agree =
    recordLogId(record) === play.logId && recordHash(record) === play.contentHash && recordReceivedAt(record) === play.receivedAt;
  if (!agree) throw new CorruptRecord('the header of the record is of another log than its row');
}

/** The id beside a record, where it has the length of one. */
export function idOf(bytes: Uint8Array): string | null {
  return bytes.length === LOG_ID_BYTES ? readUuid(bytes, 0) : null;
}

/**
 * What waits to be settled: acknowledged, so every position has its record. Read at once, since settling takes records away.
 *
 * @returns how many wait.
 */
export function checkWaiting(feed: FeedCopy, findings: Findings): number {
  return feed.atOnce(() => {
    const { end, settle } = feed.positions();
    if (!end || !settle) return 0;
    let expected = settle.seq + 1;
    for (let after = settle.seq; ; ) {
      const places = feed.places(after, Number.MAX_SAFE_INTEGER, CHUNK);
      for (const place of places) {
        if (place.seq > end.seq)
          findings.add('position_wrong', { logId: idOf(place.logId), position: place.seq }, `the journal says that it ends at ${end.seq}`);
        else gap(expected, place.seq, findings);
        expected = place.seq + 1;
        checkWaitingRecord(place, findings);
      }
      const last = places.at(-1);
      if (!last || places.length < CHUNK) break;
      after = last.seq;
    }
    gap(expected, end.seq + 1, findings);
    return Math.max(0, end.seq - settle.seq);
  });
}

function gap(expected: number, found: number, findings: Findings): void {
  if (found > expected) findings.add('journal_gap', { position: expected }, `nothing stands at the positions ${expected} to ${found - 1}`);
}

function checkWaitingRecord(place: JournalPlace, findings: Findings): void {
  if (place.kind !== RECORD_REFUSAL) {
    readPlace(place, findings);
    return;
  }
  try {
    readRefusalRecord(place.record);
  } catch (error) {
    if (!(error instanceof CorruptRecord)) throw error;
    findings.add('record_damaged', { position: place.seq }, error.message);
  }
}
