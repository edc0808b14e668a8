import { failpoint } from '../failpoints.ts';
import {
  CorruptRecord,
  HASH_AT,
  HASH_BYTES,
  LOG_ID_AT,
  LOG_ID_BYTES,
  RECORD_PLAY,
  readPlayRecord,
  readRefusalRecord,
  recordKind,
} from '../journal/record.ts';
import { conflictOf } from '../journal/conflict.ts';
import { poisonOf } from './poison.ts';
import type { ArchiveWriter, Claim, JournalRecord, Kept, Publication, SettleLog } from './ports.ts';
import type { Settlement, SettleStep } from './settlement.ts';

interface Sorted {
  readonly plays: { readonly record: JournalRecord; readonly deviceId: string; readonly claim: Claim }[];
  readonly kept: Kept[];
}

export interface EngineSettlementDeps {
  readonly log: SettleLog;
  readonly archive: ArchiveWriter;
  /** Told of each damaged record; it goes to quarantine as it is, and the queue moves on. */
  readonly onPoison: (position: string, error: Error) => void;
  readonly now: () => number;
}

/**
 * Settling where journal, archive and feed are engines apart.
 *
 * The order of effects: the archive decides who owns each log_id, durably; then the feed's transaction publishes the owners and
 * moves the read position. A crash in between claims again from the same positions, which gives the same owners, and publishes
 * them then. Quarantine is written before the position moves and counts a position once, so it neither misses nor doubles.
 */
export class EngineSettlement implements Settlement {
  readonly #deps: EngineSettlementDeps;

  constructor(deps: EngineSettlementDeps) {
    this.#deps = deps;
  }

  async step(limit: number): Promise<SettleStep> {
    const { log, archive } = this.#deps;
    const batch = await log.read(limit);
    const taken = batch.records.length;
    if (taken === 0) return { taken, owners: 0, duplicates: 0, conflicts: 0, quarantined: 0 };
    const { plays, kept } = this.#sort(batch.records);
    failpoint('before-archive');
    const claimed = await archive.claim(plays.map(({ claim }) => claim));
    failpoint('inside-settle');
    const publications: Publication[] = [];
    let duplicates = 0;
    let conflicts = 0;
    for (const [i, { record, deviceId, claim }] of plays.entries()) {
      const outcome = claimed[i];
      if (outcome === 'owner') publications.push({ record, deviceId });
      else if (outcome === 'duplicate') duplicates += 1;
      else {
        conflicts += 1;
        kept.push({ refusal: conflictOf(record.bytes), position: claim.position });
      }
    }
    if (kept.length > 0) await archive.quarantine(kept);
    failpoint('before-settle-commit');
    await log.publish(batch, publications);
    failpoint('after-settle');
    return { taken, owners: publications.length, duplicates, conflicts, quarantined: kept.length };
  }

  #sort(records: readonly JournalRecord[]): Sorted {
    const sorted: Sorted = { plays: [], kept: [] };
    for (const record of records) {
      const { bytes } = record;
      const position = `${this.#deps.log.journalId}/${record.partition}/${record.offset}`;
      try {
        if (recordKind(bytes) === RECORD_PLAY) {
          const { deviceId } = readPlayRecord(bytes);
          const logId = bytes.subarray(LOG_ID_AT, LOG_ID_AT + LOG_ID_BYTES);
          const contentHash = bytes.subarray(HASH_AT, HASH_AT + HASH_BYTES);
          sorted.plays.push({ record, deviceId, claim: { logId, contentHash, position, bytes } });
        } else sorted.kept.push({ refusal: readRefusalRecord(bytes), position });
      } catch (error) {
        if (!(error instanceof CorruptRecord)) throw error;
        this.#deps.onPoison(position, error);
        sorted.kept.push({ refusal: poisonOf(bytes, position, this.#deps.now()), position });
      }
    }
    return sorted;
  }
}
