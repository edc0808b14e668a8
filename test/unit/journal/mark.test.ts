/** The mark tells a journal that lost records from a whole one; a crash of its own making must not look like a loss. */
import { mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Mark, readMark } from '../../../src/journal/mark.ts';
import { RECORD_PLAY } from '../../../src/journal/record.ts';
import { SqliteJournal } from '../../../src/journal/sqlite-journal.ts';

const JOURNAL_ID = '0197a1c0-7b5e-7c3a-9d55-2f6b8a4e1d01';
const ENTRY = { kind: RECORD_PLAY, logId: new Uint8Array(16), record: new Uint8Array(100) } as const;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'playproof-mark-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('a mark is read back as it was set, and nothing else is left beside it', () => {
  const file = path.join(directory, 'mark');
  expect(readMark(file)).toBeNull();
  const mark = new Mark(file, { journalId: JOURNAL_ID, end: 3, clean: false });
  expect(readMark(file)).toEqual({ journalId: JOURNAL_ID, end: 3, clean: false });
  mark.set(5, true);
  mark.close();
  expect(readMark(file)).toEqual({ journalId: JOURNAL_ID, end: 5, clean: true });
  expect(readdirSync(directory)).toEqual(['mark']);
  truncateSync(file, 10);
  expect(() => readMark(file)).toThrow(/is damaged/);
});

test('a crash in the middle of an orderly close leaves a journal that opens', async () => {
  const journal = new SqliteJournal(directory);
  await journal.append([ENTRY]);
  // The last connection removes the emptied log as it closes, and then the process is killed.
  const close = journal.db.close.bind(journal.db);
  journal.db.close = () => {
    close();
    throw new Error('killed');
  };
  expect(() => journal.close()).toThrow('killed');
  const again = new SqliteJournal(directory);
  expect(again.end).toBe(1);
  again.close();
});

test('a write-ahead log that was removed after a crash is told', async () => {
  const journal = new SqliteJournal(directory);
  await journal.append([ENTRY]);
  // No orderly close: the files are as a kill leaves them.
  rmSync(path.join(directory, 'playproof.db-wal'));
  expect(() => new SqliteJournal(directory)).toThrow(/-wal is gone/);
  journal.db.close();
});
