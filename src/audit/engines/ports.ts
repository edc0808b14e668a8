/** What the audit of a distributed installation reads, each engine behind a port of its own. Nothing here writes. */
import type { Play } from '../../domain/play.ts';
import type { KeyLookup } from '../recheck.ts';

/** Offsets with `low` ≤ offset < `end`. */
export interface PartitionRange {
  readonly partition: number;
  /** The first offset that is still there. */
  readonly low: number;
  readonly end: number;
}

/** How far each journal was settled, as the feed's transactions wrote it down. */
export interface ReadPositions {
  /** By `<journal_id>/<partition>` the offset to settle next. */
  readonly next: ReadonlyMap<string, number>;
  /** Journals that were marked before their first record: a partition of theirs without a position was never settled. */
  readonly begun: ReadonlySet<string>;
  /** Sentences about positions that cannot be read. */
  readonly unreadable: readonly string[];
}

/** A record of the feed as a `read_committed` consumer gets it. */
export interface FeedMessage {
  readonly offset: number;
  readonly key: string;
  /** Null: a record without a value. */
  readonly value: string | null;
  /** `<journal_id>/<partition>/<offset>`; null where the record does not carry one that can be read. */
  readonly position: string | null;
}

export interface EngineFeed {
  readonly topic: string;
  readonly feedId: string;
  ranges(): Promise<readonly PartitionRange[]>;
  /** Committed records of the range, in order; waits for open transactions in it to be decided. */
  messages(range: PartitionRange): AsyncIterable<FeedMessage>;
  positions(): Promise<ReadPositions>;
}

export interface JournalRecordRead {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface EngineJournal {
  readonly journalId: string;
  /** What was noted beside the journal about how far it is durable, where something is. Asked before `ranges`. @throws Error when it is damaged. */
  durableEnd(): number | null;
  ranges(): Promise<readonly PartitionRange[]>;
  /** The first offset that `records` can read now: what lies before it was removed, as settling does. It never moves back. */
  low(partition: number): Promise<number>;
  /** Records of the range, in order. Those at its beginning may be gone by now, because they were settled. */
  records(range: PartitionRange): AsyncIterable<JournalRecordRead>;
}

/** A log of the archive. */
export interface ArchivedEntry {
  /** Sixteen bytes. */
  readonly logId: Uint8Array;
  /** `<journal_id>/<partition>/<offset>` */
  readonly position: string;
  readonly contentHash: Uint8Array;
  /** Milliseconds since 1970 UTC. */
  readonly receivedAt: number;
  /** journal/record.ts */
  readonly record: Uint8Array;
}

export interface KeptEntry {
  readonly id: Uint8Array;
  /** The place in the list of quarantine. */
  readonly seq: number;
  readonly code: string;
  readonly record: Uint8Array;
}

export interface EngineArchive {
  /** About how many logs there are. */
  count(): Promise<number>;
  /** Behind `after` (null: from the beginning) in the order of log_ids, at most `limit`. */
  entries(after: Uint8Array | null, limit: number): Promise<readonly ArchivedEntry[]>;
  /** Behind the `seq` `after` (0: from the beginning) in that order, at most `limit`. */
  quarantine(after: number, limit: number): Promise<readonly KeptEntry[]>;
  /** Which of these (log_id, content hash, code) are in quarantine. */
  quarantined(wanted: readonly QuarantineKey[]): Promise<readonly boolean[]>;
}

export interface QuarantineKey {
  /** Null: nobody can tell. */
  readonly logId: string | null;
  /** Lower-case hex. */
  readonly contentHash: string;
  readonly code: string;
}

/** A play as reports count it. */
export interface CountedRow {
  readonly partition: number;
  readonly offset: number;
  readonly logId: string;
  readonly contentHash: string;
  readonly status: string;
  readonly billable: boolean;
  /** Milliseconds since 1970 UTC. */
  readonly receivedAt: number;
  /** fingerprint.ts */
  readonly fingerprint: Uint8Array;
}

export interface EngineAnalytics {
  /** For each feed and partition the offset to load next; empty where nothing was ever loaded. */
  loaded(): Promise<ReadonlyMap<string, ReadonlyMap<number, number>>>;
  /** About how many rows there are. */
  count(): Promise<number>;
  /** Every play as reports count it, page by page. */
  pages(): AsyncIterable<readonly CountedRow[]>;
}

/** Keys of the registry; `prepare` makes those of these devices ready for `keyOf`. */
export interface RegisteredKeys {
  prepare(plays: readonly Play[]): Promise<void>;
  readonly keyOf: KeyLookup;
}
