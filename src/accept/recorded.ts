/** Reading judged logs, and what becomes of one: small functions of the recorder, without its memory. */
import { parseTimestamp } from '../domain/timestamp.ts';
import { conflictOf } from '../journal/conflict.ts';
import type { JournalEntry } from '../journal/journal.ts';
import { LOG_ID_AT, LOG_ID_BYTES, RECORD_REFUSAL, readRefusalRecord, recordLogId, refusalRecord } from '../journal/record.ts';
import type { Result } from './answer-writer.ts';
import { type FirstVerdict, refusalAnswer, statusOfFlags } from './answers.ts';
import { BILLABLE, OUTCOME_REFUSED, OUTCOME_REFUSED_UNPROVEN } from './messages.ts';

export interface Recorded extends Result {
  /** What goes into the journal for it. */
  readonly entry: JournalEntry | null;
}

/** Whether the signature was proven, so that rule 4 looks at the log. */
export function isProven(outcome: number | undefined): boolean {
  return outcome !== OUTCOME_REFUSED && outcome !== OUTCOME_REFUSED_UNPROVEN;
}

export function verdictOf(flags: number, receivedAt: number): FirstVerdict {
  return { status: statusOfFlags(flags), billable: (flags & BILLABLE) !== 0, receivedAt };
}

/** Of a log that was proven: its canonical form stands in the refusal. */
export function endedAtOf(refusal: Uint8Array): number {
  const { ended_at: text } = JSON.parse(Buffer.from(readRefusalRecord(refusal).body).toString('utf8')) as { readonly ended_at: string };
  return parseTimestamp(text) as number;
}

export function keyOf(bytes: Buffer, recordAt: number): string {
  return bytes.toString('latin1', recordAt + LOG_ID_AT, recordAt + LOG_ID_AT + LOG_ID_BYTES);
}

export function entryOf(kind: 1 | 2, record: Uint8Array): JournalEntry {
  return { kind, logId: record.subarray(LOG_ID_AT, LOG_ID_AT + LOG_ID_BYTES), record };
}

export function conflict(index: number | null, record: Buffer, accepted: boolean): Recorded {
  const code = 'log_id_conflict' as const;
  const detail = 'Another log was accepted under this log_id; a new showing needs a new log_id, and a signed log is never changed.';
  const kept = accepted ? conflictOf(record, detail) : { ...readRefusalRecord(record), code, detail };
  return {
    outcome: 'refused',
    code,
    entry: entryOf(RECORD_REFUSAL, refusalRecord(kept)),
    replaced: refusalAnswer(index, recordLogId(record), code, detail, null),
  };
}
