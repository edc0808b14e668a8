/** What settling needs of engines that lie apart: the journal with the feed, and the archive. */
import type { Refusal } from '../domain/refusal.ts';

/** One journal record as the settler reads it. */
export interface JournalRecord {
  readonly partition: number;
  readonly offset: number;
  /** journal/record.ts; may be damaged. */
  readonly bytes: Uint8Array;
}

/** Records read together. `token` ties them to the reading they came from, e.g. the consumer's generation. */
export interface JournalBatch {
  readonly records: readonly JournalRecord[];
  readonly token: unknown;
}

/** A play to be published, with the journal position it came from. */
export interface Publication {
  readonly record: JournalRecord;
  /** Lower-case UUID; the feed's key. */
  readonly deviceId: string;
}

/** The batch was read before somebody else took over its partitions: it must be dropped, whatever was done for it. */
export class StaleBatch extends Error {
  override readonly name = 'StaleBatch';
}

/** Another settler with the same identity took over for good: this process must end. */
export class Fenced extends Error {
  override readonly name = 'Fenced';
}

/**
 * The journal as it is read and the feed as it is written. They are one port, because publishing a batch and moving the read
 * position behind it are one transaction.
 */
export interface SettleLog {
  /** Which journal this is; part of every position. */
  readonly journalId: string;
  /**
   * The next records behind the read position, in the order of each partition; empty after a short wait without any. A batch
   * that was neither published nor dropped is read again.
   *
   * @throws PositionLost when the read position is absent, of another journal, or outside it.
   */
  read(limit: number): Promise<JournalBatch>;
  /**
   * Publishes exactly these records of the batch, and moves the read position behind the whole batch, in one transaction. When it
   * rejects, either both or neither happened, and the next `read` tells which.
   *
   * @throws StaleBatch, Fenced
   */
  publish(batch: JournalBatch, publications: readonly Publication[]): Promise<void>;
  /** Records that wait behind the read position as it was last known; null: it is not known, which is not the same as none. */
  backlog(): Promise<number | null>;
  close(): Promise<void>;
}

/** A play that wants to own its log_id. */
export interface Claim {
  /** Sixteen bytes. */
  readonly logId: Uint8Array;
  /** Thirty-two bytes. */
  readonly contentHash: Uint8Array;
  /** `<journal_id>/<partition>/<offset>` */
  readonly position: string;
  readonly bytes: Uint8Array;
}

/** owner: this very position stands. duplicate: the same content stands at another. conflict: another content stands. */
export type Claimed = 'owner' | 'duplicate' | 'conflict';

/** A refusal on its way to quarantine. The same position twice counts once. */
export interface Kept {
  readonly refusal: Refusal;
  readonly position: string;
}

/** The archive as settling writes it. */
export interface ArchiveWriter {
  /**
   * Decides atomically, for each claim, who owns its log_id; first come, first served, and claiming again from the same position
   * is harmless. Resolves when every owner is durable (a majority, journalled) with an answer for each claim, in their order.
   * Rejects when it is not known of all; then everything is claimed again.
   */
  claim(claims: readonly Claim[]): Promise<readonly Claimed[]>;
  /** One row for each log_id, content hash and code, with a count. Resolves when durable. */
  quarantine(kept: readonly Kept[]): Promise<void>;
}
