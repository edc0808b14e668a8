/** Rows of an embedded quarantine, taken over into MongoDB with their counts. */
import { type AnyBulkWriteOperation, Binary, type Collection, type Db } from 'mongodb';
import type { WholeRefusal } from '../copy/ports.ts';
import { asFirstSaid, BULK_ROWS, idOf, prune, type QuarantinedLog, quarantineOf, takeNumbers } from './mongo-quarantine.ts';

interface CopyState {
  /** The journal's id. */
  readonly _id: string;
  /** Rows up to this place were taken over. */
  readonly quarantine_through: number;
}

/**
 * A document remembers how much of its count came from this source, so the same rows again change nothing, and a count that grew adds
 * what is new. A row that was taken over before and is gone here was removed on purpose and does not come back.
 *
 * @param rows Oldest first, all behind those of earlier calls.
 * @param perDevice Unproven refusals that are kept for each device, the newest.
 */
export async function copyRefusals(db: Db, journalId: string, rows: readonly WholeRefusal[], perDevice: number): Promise<void> {
  const last = rows.at(-1);
  if (!last) return;
  const through = (await statesOf(db).findOne({ _id: journalId }))?.quarantine_through ?? 0;
  const fresh = rows.filter(({ id }) => id > through);
  const first = fresh.length === 0 ? 0 : await takeNumbers(db, fresh.length);
  const quarantine = quarantineOf(db);
  const behind = rows.length - fresh.length;
  const writes = rows.map((row, place) => writeOf(journalId, row, row.id > through ? first + place - behind : null));
  for (let from = 0; from < writes.length; from += BULK_ROWS) {
    await quarantine.bulkWrite(writes.slice(from, from + BULK_ROWS), { ordered: false });
  }
  await statesOf(db).updateOne({ _id: journalId }, { $max: { quarantine_through: last.id } }, { upsert: true });
  const devices = new Set(fresh.flatMap(({ refusal }) => (refusal.proven || refusal.deviceId === null ? [] : [refusal.deviceId])));
  for (const deviceId of devices) await prune(quarantine, deviceId, perDevice);
}

/** Plays of the journal that another log under their log_id kept from standing. */
export async function copiedConflicts(db: Db, journalId: string): Promise<number> {
  return quarantineOf(db).countDocuments({ code: 'log_id_conflict', [`counted.${journalId}/0`]: { $exists: true } });
}

/** @param seq Null: only where it is there already. */
function writeOf(
  journalId: string,
  { count, lastReceived, refusal }: WholeRefusal,
  seq: number | null,
): AnyBulkWriteOperation<QuarantinedLog> {
  const field = `counted.${journalId}/quarantine`;
  const before = { $ifNull: [`$${field}`, 0] };
  return {
    updateOne: {
      filter: { _id: new Binary(idOf(refusal)) },
      upsert: seq !== null,
      update: [
        {
          $set: {
            ...(seq !== null && asFirstSaid(refusal, seq)),
            count: { $add: [{ $ifNull: ['$count', 0] }, { $max: [0, { $subtract: [count, before] }] }] },
            last_received: { $max: ['$last_received', lastReceived] },
          },
        },
        { $set: { [field]: { $max: [before, count] } } },
      ],
    },
  };
}

function statesOf(db: Db): Collection<CopyState> {
  return db.collection('copies');
}
