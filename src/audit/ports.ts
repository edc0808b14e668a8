/** What the audit holds against each other: the same play as each copy has it. */
import type { PlaybackStatus } from '../domain/play.ts';

/** A play of the feed as it has to be in every copy. What differs is told by these fields; that nothing does, by the fingerprint. */
export interface AuditedPlay {
  /** Lower-case UUID. */
  readonly logId: string;
  /** Lower-case hex. */
  readonly contentHash: string;
  readonly status: PlaybackStatus;
  readonly billable: boolean;
  /** Milliseconds since 1970 UTC: with the log_id it decides what counts as the same play in analytics. */
  readonly endedAt: number;
  /** Of the whole row (fingerprint.ts), lower-case hex. */
  readonly fingerprint: string;
}

/** A row as analytics has it; its texts are not trusted to be anything. */
export interface AnalyticsRow {
  readonly partition: number;
  readonly offset: number;
  readonly logId: string;
  readonly contentHash: string;
  readonly status: string;
  readonly billable: boolean;
  readonly endedAt: number;
  readonly fingerprint: string;
}

/** How far analytics was loaded from one feed. */
export interface LoadedFeed {
  readonly feedId: string;
  /** Every play up to this position was loaded. */
  readonly position: number;
}

/** Analytics as the audit asks it. Every answer is bounded; each rejects with a sentence when analytics cannot answer. */
export interface AnalyticsCopy {
  /** The most rows that `stored` answers. */
  readonly maxRows: number;
  /** Positions by feed; more than one says that another feed was loaded as well. */
  loaded(): Promise<readonly LoadedFeed[]>;
  /** Different rows with from <= offset <= until (null: to the end) in the order of offsets, whether or not they count; at most `maxRows`. */
  stored(from: number, until: number | null): Promise<readonly AnalyticsRow[]>;
  /** The rows that reports count for these log_ids (at most 100); a play has to have exactly one. */
  counted(logIds: readonly string[]): Promise<readonly AnalyticsRow[]>;
}

/** The most log_ids that `counted` takes. */
export const MAX_COUNTED = 100;

/** A settled or waiting place of the journal that holds a record. */
export interface JournalPlace {
  readonly seq: number;
  readonly kind: number;
  /** The column beside the record, sixteen bytes where nobody touched it. */
  readonly logId: Uint8Array;
  /** journal/record.ts */
  readonly record: Uint8Array;
  /** The position that owns this log_id; null: nobody does. */
  readonly owner: number | null;
}

export interface JournalPositions {
  /** Null: the row is missing. */
  readonly end: { readonly journalId: string; readonly seq: number } | null;
  readonly settle: { readonly journalId: string; readonly seq: number } | null;
}

/** Journal and feed. Settled places never change, so they may be read bit by bit while a service runs. */
export interface FeedCopy {
  positions(): JournalPositions;
  /** Places behind `after`, in their order, at most `limit`, none behind `until`. */
  places(after: number, until: number, limit: number): readonly JournalPlace[];
  /** Runs `read` on one state of the whole: what waits changes all the time. */
  atOnce<T>(read: () => T): T;
}

export interface Owner {
  readonly logId: Uint8Array;
  readonly seq: number;
  /** The log_id that stands at `seq`; null: nothing stands there. */
  readonly held: Uint8Array | null;
  /** The settle position, as of the same moment. */
  readonly settled: number;
}

export interface KeptRefusal {
  readonly id: number;
  readonly logId: Uint8Array;
  readonly contentHash: Uint8Array;
  readonly code: string;
  readonly record: Uint8Array;
}

/** Who owns each log_id, and quarantine beside it. */
export interface ArchiveCopy {
  /** In the order of log_ids, at most `limit` behind `after`. */
  owners(after: Uint8Array | null, limit: number): readonly Owner[];
  /** The record that stands for a log_id; null: none. */
  owned(logId: string): { readonly seq: number; readonly record: Uint8Array } | null;
  quarantine(after: number, limit: number): readonly KeptRefusal[];
}
