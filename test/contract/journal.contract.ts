/** What every journal promises, whatever it is kept in. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Journal } from '../../src/journal/journal.ts';
import { JournalFull } from '../../src/journal/journal.ts';
import { playOf, uuidOf } from '../support/feed-file.ts';
import { playEntry, refusalEntry } from '../support/journal-entries.ts';
import { refusalOf } from '../support/plays.ts';

export interface JournalHarness {
  readonly journal: Journal;
  /** What a reader of a copy finds that was made this moment, as after a power cut: position, kind and log_id, in order. */
  durable(): Promise<string[]>;
  /** In order, as a graceful stop does it. */
  reopen(): Promise<void>;
  /** Everything is settled and removed. */
  empty(): Promise<void>;
  /** Whether there is room from now on. */
  setRoom(room: boolean): void;
  dispose(): Promise<void>;
}

const play = (n: number) => playEntry(playOf(n));
const row = (position: number, n: number, kind = 1): string => `${position} ${kind} ${uuidOf(1, n)}`;

export function journalContract(name: string, open: () => Promise<JournalHarness>): void {
  describe(`journal on ${name}`, () => {
    const opened: JournalHarness[] = [];
    const fresh = async (): Promise<JournalHarness> => {
      const harness = await open();
      opened.push(harness);
      return harness;
    };
    afterEach(async () => {
      for (const harness of opened.splice(0)) await harness.dispose();
    });

    it('I1: what was appended is durable the moment that append resolves', async () => {
      const harness = await fresh();
      expect(harness.journal.end).toBe(0);
      await harness.journal.append([play(1), refusalEntry(refusalOf(2))]);
      expect(await harness.durable()).toEqual([row(1, 1), row(2, 2, 2)]);
      expect(harness.journal.end).toBe(2);
      await harness.journal.append([]);
      expect(harness.journal.end).toBe(2);
    });

    it('keeps the order of the calls, and each call together, when many are under way at once', async () => {
      const harness = await fresh();
      const calls = Array.from({ length: 60 }, (_, call) => Array.from({ length: (call % 4) + 1 }, (_entry, i) => call * 10 + i));
      await Promise.all(calls.slice(0, 20).map((numbers) => harness.journal.append(numbers.map(play))));
      await Promise.all(calls.slice(20).map((numbers) => harness.journal.append(numbers.map(play))));
      expect(await harness.durable()).toEqual(calls.flat().map((n, i) => row(i + 1, n)));
    });

    it('keeps its id and goes on behind its end after a stop', async () => {
      const harness = await fresh();
      const { journalId } = harness.journal;
      expect(journalId).toMatch(/^[0-9a-f-]{36}$/);
      await harness.journal.append([play(1)]);
      await harness.reopen();
      expect([harness.journal.journalId, harness.journal.end]).toEqual([journalId, 1]);
      await harness.journal.append([play(2)]);
      expect(await harness.durable()).toEqual([row(1, 1), row(2, 2)]);
    });

    it('never uses a position again, also when everything was settled and removed', async () => {
      const harness = await fresh();
      await harness.journal.append([play(1), play(2), play(3)]);
      await harness.empty();
      expect(await harness.durable()).toEqual([]);
      await harness.reopen();
      await harness.journal.append([play(4)]);
      expect(await harness.durable()).toEqual([row(4, 4)]);
    });

    it('rejects with JournalFull while there is no room, keeps nothing of that, and goes on when there is', async () => {
      const harness = await fresh();
      await harness.journal.append([play(1)]);
      harness.setRoom(false);
      await expect(harness.journal.append([play(2)])).rejects.toThrow(JournalFull);
      await expect(harness.journal.append([play(3)])).rejects.toThrow(JournalFull);
      harness.setRoom(true);
      await harness.journal.append([play(4)]);
      expect(await harness.durable()).toEqual([row(1, 1), row(2, 4)]);
    });
  });
}
