/** The index of owners against the records, and quarantine. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CorruptRecord, HASH_AT, HASH_BYTES, LOG_ID_AT, LOG_ID_BYTES, readRefusalRecord } from '../journal/record.ts';
import { idOf } from './check-feed.ts';
import type { Findings } from './findings.ts';
import type { ArchiveCopy, KeptRefusal, Owner } from './ports.ts';
import type { Progress } from './progress.ts';

const CHUNK = 5_000;
const QUARANTINE_CHUNK = 500;

/** Every owner has the record of its log, in the feed. @param expected About how many there are. @returns how many there are. */
export async function checkOwners(archive: ArchiveCopy, findings: Findings, progress: Progress, expected: number): Promise<number> {
  let count = 0;
  for (let after: Uint8Array | null = null; ; ) {
    const owners: readonly Owner[] = archive.owners(after, CHUNK);
    for (const owner of owners) checkOwner(owner, findings);
    count += owners.length;
    progress.at('owner', count, Math.max(count, expected));
    const last = owners.at(-1);
    if (!last || owners.length < CHUNK) return count;
    after = last.logId;
    await nextTurn();
  }
}

function checkOwner({ logId, seq, held, settled }: Owner, findings: Findings): void {
  const at = { logId: idOf(logId), position: seq };
  if (held === null) findings.add('record_missing', at, 'the archive knows it, and nothing stands at its position');
  else if (!Buffer.from(held).equals(logId))
    findings.add('owner_differs', at, `the log ${idOf(held) ?? 'without a readable id'} stands at its position`);
  if (seq > settled) findings.add('position_wrong', at, `it was settled, and the read position is ${settled}: that was moved back`);
}

/** @returns how many refusals are kept. */
export async function checkQuarantine(archive: ArchiveCopy, findings: Findings): Promise<number> {
  let count = 0;
  for (let after = 0; ; ) {
    const kept = archive.quarantine(after, QUARANTINE_CHUNK);
    for (const refusal of kept) checkRefusal(refusal, findings);
    count += kept.length;
    const last = kept.at(-1);
    if (!last || kept.length < QUARANTINE_CHUNK) return count;
    after = last.id;
    await nextTurn();
  }
}

function checkRefusal({ id, logId, contentHash, code, record }: KeptRefusal, findings: Findings): void {
  try {
    const refusal = readRefusalRecord(record);
    if (refusal.code !== code) throw new CorruptRecord(`it stands under ${code} and is of ${refusal.code}`);
    const ownId = Buffer.from(logId).equals(record.subarray(LOG_ID_AT, LOG_ID_AT + LOG_ID_BYTES));
    const ownHash = Buffer.from(contentHash).equals(record.subarray(HASH_AT, HASH_AT + HASH_BYTES));
    if (!ownId || !ownHash) throw new CorruptRecord('it stands under another log_id or content hash than its own');
  } catch (error) {
    if (!(error instanceof CorruptRecord)) throw error;
    findings.add('quarantine_damaged', { logId: idOf(logId), position: id }, error.message);
  }
}
