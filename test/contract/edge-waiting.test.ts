import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EdgeBacklog } from '../../src/archive/edge-backlog.ts';
import { EdgeWaiting } from '../../src/archive/edge-waiting.ts';
import { DATABASE_FILE, SqliteJournal } from '../../src/journal/sqlite-journal.ts';
import { SCOPE_ALL } from '../../src/server/access.ts';
import { playOf } from '../support/feed-file.ts';
import { playEntry, refusalEntry } from '../support/journal-entries.ts';
import { refusalOf } from '../support/plays.ts';

let directory: string;
let journal: SqliteJournal;
let settledUpTo: number;
beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'playproof-edge-'));
  journal = new SqliteJournal(directory);
  settledUpTo = 0;
});
afterEach(() => {
  journal.close();
  rmSync(directory, { recursive: true, force: true });
});

it('a log that waits in the journal of an edge box is found, within the scope of who asks, and not once it is settled', async () => {
  const [first, last] = [playOf(1), playOf(3_000)];
  await journal.append(Array.from({ length: 3_000 }, (_, i) => playEntry(playOf(i + 1))));
  const waiting = new EdgeWaiting(path.join(directory, DATABASE_FILE), () => settledUpTo);
  for (const { logId } of [first, last]) expect(await waiting.has(logId, SCOPE_ALL)).toBe(true);
  expect(await waiting.has(last.logId, { supplierId: last.supplierId, advertiserId: null })).toBe(true);
  expect(await waiting.has(last.logId, { supplierId: playOf(1).logId, advertiserId: null })).toBe(false);
  expect(await waiting.has(playOf(3_001).logId, SCOPE_ALL)).toBe(false);
  settledUpTo = 2_999;
  expect(await waiting.has(first.logId, SCOPE_ALL)).toBe(false);
  expect(await waiting.has(last.logId, SCOPE_ALL)).toBe(true);
  waiting.close();
});

it('what an edge box does not remember any more and has not settled yet is not taken as unheard of', async () => {
  const { receivedAt } = playOf(0);
  let rememberedSince = receivedAt + 1_000_000;
  const backlog = new EdgeBacklog(
    journal.db,
    () => settledUpTo,
    () => rememberedSince,
  );
  expect(backlog.isSettled()).toBe(true);
  await journal.append([refusalEntry(refusalOf(1)), playEntry(playOf(2)), playEntry(playOf(3))]);
  expect(backlog.isSettled()).toBe(false);
  settledUpTo = 2;
  expect(backlog.isSettled()).toBe(false);
  settledUpTo = 3;
  // The last settled row stays in the journal.
  expect(backlog.isSettled()).toBe(true);
  settledUpTo = 0;
  rememberedSince = receivedAt - 1_000_000;
  expect(backlog.isSettled()).toBe(true);
});
