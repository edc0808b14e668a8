/** When a group of appends goes to the disk. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SqliteJournal } from '../../../src/journal/sqlite-journal.ts';
import { playOf } from '../../support/feed-file.ts';
import { playEntry } from '../../support/journal-entries.ts';

let directory: string;
let journal: SqliteJournal;
let moreComes: boolean;
let last = 0;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'playproof-group-'));
  moreComes = true;
  journal = new SqliteJournal(directory, { moreComes: () => moreComes });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
  journal.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Whether the append was durable within some turns of the event loop, in which no timer fires. */
async function goesAtOnce(): Promise<boolean> {
  let durable = false;
  last += 1;
  void journal.append([playEntry(playOf(last))]).then(() => {
    durable = true;
  });
  for (let i = 0; i < 5; i += 1) await turn();
  return durable;
}

async function groupOfTwo(): Promise<void> {
  last += 2;
  await Promise.all([journal.append([playEntry(playOf(last - 1))]), journal.append([playEntry(playOf(last))])]);
}

test('alone at once; after company it waits for more that is on its way, and for nothing else', async () => {
  expect(await goesAtOnce()).toBe(true);
  await groupOfTwo();
  expect(await goesAtOnce()).toBe(false);
  vi.advanceTimersByTime(5);
  await turn();
  await groupOfTwo();
  moreComes = false;
  expect(await goesAtOnce()).toBe(true);
});
