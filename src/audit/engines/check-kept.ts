/** Quarantine: each refusal can be read, and stands under its own log_id, content hash and code. */
import {
  CorruptRecord,
  HASH_AT,
  HASH_BYTES,
  LOG_ID_AT,
  LOG_ID_BYTES,
  readRefusalRecord,
  recordKind,
  RECORD_REFUSAL,
} from '../../journal/record.ts';
import { idOf } from '../check-feed.ts';
import type { Findings } from '../findings.ts';
import type { Progress } from '../progress.ts';
import type { EngineArchive, KeptEntry } from './ports.ts';

const PAGE = 500;

/** @returns how many refusals are kept. */
export async function checkKept(archive: EngineArchive, findings: Findings, progress: Progress): Promise<number> {
  let count = 0;
  for (let after = 0; ; ) {
    const kept: readonly KeptEntry[] = await archive.quarantine(after, PAGE);
    for (const refusal of kept) checkRefusal(refusal, findings);
    count += kept.length;
    progress.at('refusal', count, count);
    const last = kept.at(-1);
    if (!last || kept.length < PAGE) return count;
    after = last.seq;
  }
}

function checkRefusal({ id, seq, code, record }: KeptEntry, findings: Findings): void {
  try {
    if (recordKind(record) !== RECORD_REFUSAL) throw new CorruptRecord(`a record of kind ${recordKind(record)}`);
    const refusal = readRefusalRecord(record);
    const own = Buffer.concat([
      record.subarray(LOG_ID_AT, LOG_ID_AT + LOG_ID_BYTES),
      record.subarray(HASH_AT, HASH_AT + HASH_BYTES),
      Buffer.from(refusal.code, 'latin1'),
    ]);
    if (refusal.code !== code || !own.equals(id))
      throw new CorruptRecord('it stands under another log_id, content hash or code than its own');
  } catch (error) {
    if (!(error instanceof CorruptRecord)) throw error;
    findings.add('quarantine_damaged', { logId: idOf(id.subarray(0, LOG_ID_BYTES)), position: seq }, error.message);
  }
}
