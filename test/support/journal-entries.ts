import type { Play } from '../../src/domain/play.ts';
import type { Refusal } from '../../src/domain/refusal.ts';
import type { JournalEntry } from '../../src/journal/journal.ts';
import { LOG_ID_AT, LOG_ID_BYTES, RECORD_PLAY, RECORD_REFUSAL, refusalRecord } from '../../src/journal/record.ts';
import { playBytes } from './plays.ts';

function entryOf(kind: 1 | 2, record: Buffer): JournalEntry {
  return { kind, logId: record.subarray(LOG_ID_AT, LOG_ID_AT + LOG_ID_BYTES), record };
}

export function playEntry(play: Play): JournalEntry {
  return entryOf(RECORD_PLAY, playBytes(play));
}

export function refusalEntry(refusal: Refusal): JournalEntry {
  return entryOf(RECORD_REFUSAL, refusalRecord(refusal));
}

/** The entry with one byte of its record changed behind the header. */
export function damaged(entry: JournalEntry): JournalEntry {
  const record = Buffer.from(entry.record);
  record[100] = (record[100] as number) ^ 0x10;
  return { ...entry, record };
}
