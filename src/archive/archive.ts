import { BILLABLE } from '../accept/messages.ts';
import { STATUSES } from '../domain/play.ts';
import { readPlayRecord } from '../journal/record.ts';

/** What was decided for a log_id when it was settled. */
export interface StoredVerdict {
  /** 32 bytes. */
  readonly contentHash: Uint8Array;
  /** Bits as in accept/messages.ts FLAGS: status and BILLABLE. */
  readonly flags: number;
  /** Milliseconds since 1970 UTC. */
  readonly receivedAt: number;
}

/** The part of the archive that accept needs: whether a log_id was settled before, and as what. */
export interface SettledLogs {
  /**
   * @param logId Sixteen bytes.
   * @param tooOldEndedAt When the play ended, of a log that is too old now: then "not there" is the last word on it, so it is said
   *   only where no older log waits to be settled. Milliseconds since 1970 UTC; null: what is settled is answer enough.
   * Rejects when the archive cannot answer now.
   */
  find(logId: Uint8Array, tooOldEndedAt: (() => number) | null): Promise<StoredVerdict | null>;
}

/** The verdict that an archived record stands for. @throws CorruptRecord */
export function storedVerdict(record: Uint8Array): StoredVerdict {
  const play = readPlayRecord(record);
  return {
    contentHash: Buffer.from(play.contentHash, 'hex'),
    flags: STATUSES.indexOf(play.status) | (play.billable ? BILLABLE : 0),
    receivedAt: play.receivedAt,
  };
}
