/** What settling promises, whatever journal, archive and feed are kept in. */
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Play } from '../../src/domain/play.ts';
import type { Refusal } from '../../src/domain/refusal.ts';
import type { JournalEntry } from '../../src/journal/journal.ts';
import { PositionLost, type Settlement } from '../../src/settle/settlement.ts';
import { playOf, uuidOf } from '../support/feed-file.ts';
import { damaged, playEntry, refusalEntry } from '../support/journal-entries.ts';
import { refusalOf } from '../support/plays.ts';

export type TestRecord =
  | { readonly play: Play }
  | { readonly refusal: Refusal }
  | { readonly damaged: 'play' | 'refusal'; readonly n: number };

/** As it stands in a journal. */
export function entryOf(record: TestRecord): JournalEntry {
  if ('play' in record) return playEntry(record.play);
  if ('refusal' in record) return refusalEntry(record.refusal);
  return damaged(record.damaged === 'play' ? playEntry(playOf(record.n)) : refusalEntry(refusalOf(record.n)));
}

export interface QuarantineRow {
  readonly logId: string | null;
  readonly hash: string;
  readonly code: string;
  readonly count: number;
}

export interface SettlementHarness {
  /** Records as acknowledged by one process; damaged ones as something else left them in the journal. */
  append(records: readonly TestRecord[]): Promise<void>;
  settlement(): Settlement;
  /** Everything in a new process, as after kill -9. */
  reopen(): Promise<void>;
  /** `log_id hash` in the order of the feed. */
  feed(): Promise<string[]>;
  /** `log_id hash` of every owner. */
  archive(): Promise<string[]>;
  quarantine(): Promise<QuarantineRow[]>;
  /** Spoils the read position: the next settlement refuses to work. */
  spoilPosition(how: 'absent' | 'other journal' | 'behind the end'): Promise<void>;
  /** Positions of damaged records that were told. */
  readonly told: string[];
  readonly quarantinePerDevice: number;
  dispose(): Promise<void>;
}

const OTHER = 'e'.repeat(64);
const play = (n: number, over: Partial<Play> = {}): TestRecord => ({ play: playOf(n, over) });
const refusal = (n: number, over: Partial<Refusal> = {}): TestRecord => ({ refusal: refusalOf(n, over) });
const entry = (n: number, hash = playOf(n).contentHash): string => `${uuidOf(1, n)} ${hash}`;

export async function settleAll(harness: SettlementHarness, limit = 1_000): Promise<Record<string, number>> {
  const sum: Record<string, number> = { taken: 0, owners: 0, duplicates: 0, conflicts: 0, quarantined: 0 };
  for (;;) {
    const step = await harness.settlement().step(limit);
    for (const [name, value] of Object.entries(step)) sum[name] = (sum[name] ?? 0) + value;
    if (step.taken === 0) return sum;
  }
}

/** @param runs Of the model, which takes long where an engine lies apart; there a failure is not shrunk. */
export function settlementContract(name: string, open: () => Promise<SettlementHarness>, runs = 25): void {
  describe(`settling on ${name}`, () => {
    const opened: SettlementHarness[] = [];
    const fresh = async (): Promise<SettlementHarness> => {
      const harness = await open();
      opened.push(harness);
      return harness;
    };
    afterEach(async () => {
      for (const harness of opened.splice(0)) await harness.dispose();
    });

    it('I3: publishes each log once: the first stands, its repeats are dropped and counted, in one step or over many', async () => {
      for (const limit of [1_000, 2, 1]) {
        const harness = await fresh();
        await harness.append([play(1), play(2), play(1), play(3), play(2), play(1)]);
        expect(await settleAll(harness, limit)).toEqual({ taken: 6, owners: 3, duplicates: 3, conflicts: 0, quarantined: 0 });
        expect(await harness.feed()).toEqual([entry(1), entry(2), entry(3)]);
        expect((await harness.archive()).toSorted()).toEqual([entry(1), entry(2), entry(3)]);
        expect(await harness.quarantine()).toEqual([]);
      }
    });

    it('puts other content under the same log_id into quarantine, one row for each content with a count, and never bills it', async () => {
      const harness = await fresh();
      const other = play(1, { contentHash: OTHER, deviceId: uuidOf(2, 99) });
      await harness.append([play(1), other, play(2), other, play(1), play(1, { contentHash: 'd'.repeat(64) })]);
      expect(await settleAll(harness, 2)).toEqual({ taken: 6, owners: 2, duplicates: 1, conflicts: 3, quarantined: 3 });
      expect(await harness.feed()).toEqual([entry(1), entry(2)]);
      expect(await harness.quarantine()).toEqual([
        { logId: uuidOf(1, 1), hash: OTHER, code: 'log_id_conflict', count: 2 },
        { logId: uuidOf(1, 1), hash: 'd'.repeat(64), code: 'log_id_conflict', count: 1 },
      ]);
    });

    it('I4: puts refusals into quarantine, and a repeat of the same refusal only raises its count', async () => {
      const harness = await fresh();
      await harness.append([
        refusal(1),
        play(1),
        refusal(1),
        refusal(1, { code: 'in_future' }),
        refusal(2, { logId: null, proven: false }),
      ]);
      expect(await settleAll(harness)).toEqual({ taken: 5, owners: 1, duplicates: 0, conflicts: 0, quarantined: 4 });
      expect(await harness.quarantine()).toEqual([
        { logId: uuidOf(1, 1), hash: playOf(1).contentHash, code: 'too_old', count: 2 },
        { logId: uuidOf(1, 1), hash: playOf(1).contentHash, code: 'in_future', count: 1 },
        { logId: null, hash: playOf(2).contentHash, code: 'too_old', count: 1 },
      ]);
      // A refused log does not occupy its log_id.
      expect(await harness.feed()).toEqual([entry(1)]);
    });

    it('keeps the newest unproven refusals of each device, and every proven one', async () => {
      const harness = await fresh();
      const keep = harness.quarantinePerDevice;
      const device = uuidOf(2, 50);
      const records: TestRecord[] = [];
      for (let n = 0; n < keep + 3; n += 1) {
        records.push({ refusal: refusalOf(n, { deviceId: device, proven: false, code: 'invalid_signature' }) });
        records.push({ refusal: refusalOf(1_000 + n, { deviceId: device }) });
      }
      records.push({ refusal: refusalOf(2_000, { deviceId: uuidOf(2, 51), proven: false, code: 'invalid_signature' }) });
      await harness.append(records);
      await settleAll(harness, 5);
      const rows = await harness.quarantine();
      expect(rows.filter(({ code }) => code === 'too_old')).toHaveLength(keep + 3);
      const unproven = rows.filter(({ code }) => code === 'invalid_signature').map(({ logId }) => logId);
      expect(unproven).toEqual([...Array.from({ length: keep }, (_, i) => uuidOf(1, i + 3)), uuidOf(1, 2_000)]);
    });

    it('goes on where it was after a crash, and never takes a position twice', async () => {
      const harness = await fresh();
      await harness.append([play(1), play(2), play(1, { contentHash: OTHER })]);
      await harness.settlement().step(2);
      await harness.reopen();
      await harness.append([play(2), play(3)]);
      expect(await settleAll(harness)).toMatchObject({ taken: 3, owners: 1, duplicates: 1, conflicts: 1 });
      await harness.reopen();
      expect(await settleAll(harness)).toMatchObject({ taken: 0 });
      expect(await harness.feed()).toEqual([entry(1), entry(2), entry(3)]);
      expect(await harness.quarantine()).toHaveLength(1);
    });

    it('sets a damaged record aside in quarantine, says so, and moves on', async () => {
      const harness = await fresh();
      await harness.append([play(1), { damaged: 'play', n: 2 }, play(3), { damaged: 'refusal', n: 4 }, { refusal: refusalOf(5) }, play(1)]);
      await harness.reopen();
      expect(await settleAll(harness, 2)).toEqual({ taken: 6, owners: 2, duplicates: 1, conflicts: 0, quarantined: 3 });
      expect(await harness.feed()).toEqual([entry(1), entry(3)]);
      expect((await harness.quarantine()).map(({ code, logId }) => [code, logId])).toEqual([
        ['malformed', null],
        ['malformed', null],
        ['too_old', uuidOf(1, 5)],
      ]);
      expect(harness.told).toEqual([expect.stringMatching(/\/0\/\d+$/), expect.stringMatching(/\/0\/\d+$/)]);
      // The log itself can be sent again.
      await harness.append([play(2)]);
      await settleAll(harness);
      expect(await harness.feed()).toEqual([entry(1), entry(3), entry(2)]);
    });

    it.each(['absent', 'other journal', 'behind the end'] as const)(
      'refuses to work when its position is %s, with a sentence',
      async (how) => {
        const harness = await fresh();
        await harness.append([play(1), play(2)]);
        await harness.settlement().step(1);
        await harness.spoilPosition(how);
        const attempt = async (): Promise<unknown> => {
          await harness.reopen();
          return harness.settlement().step(1_000);
        };
        await expect(attempt()).rejects.toThrow(PositionLost);
        await expect(attempt()).rejects.toThrow(/docs\/operations\.md/);
        expect(await harness.archive()).toEqual([entry(1)]);
      },
    );

    it('I1, I3: gives what a simple model gives, for any mix of logs, repeats, conflicts, refusals, steps and crashes', async () => {
      const record = fc.record({ n: fc.nat(6), content: fc.nat(2), refused: fc.boolean() });
      const action = fc.oneof(
        fc.array(record, { minLength: 1, maxLength: 8 }).map((records) => ({ records, steps: 0, crash: false })),
        fc.record({ records: fc.constant([]), steps: fc.integer({ min: 1, max: 5 }), crash: fc.boolean() }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(action, { maxLength: 15 }), async (actions) => {
          const harness = await open();
          try {
            const owners = new Map<string, string>();
            const quarantined = new Map<string, number>();
            for (const { records, steps, crash } of actions) {
              if (records.length > 0) await harness.append(records.map(({ n, content, refused }) => testRecord(n, content, refused)));
              for (const { n, content, refused } of records) {
                const [id, hash] = [uuidOf(1, n), hashOf(content)];
                const why = refused ? 'too_old' : 'log_id_conflict';
                if (!refused && !owners.has(id)) owners.set(id, hash);
                else if (refused || owners.get(id) !== hash)
                  quarantined.set(`${id} ${hash} ${why}`, (quarantined.get(`${id} ${hash} ${why}`) ?? 0) + 1);
              }
              if (steps > 0) await harness.settlement().step(steps);
              if (crash) await harness.reopen();
            }
            await settleAll(harness, 3);
            // A Map keeps the order in which owners came, which is the order of the feed.
            expect(await harness.feed()).toEqual([...owners].map(([id, hash]) => `${id} ${hash}`));
            expect((await harness.archive()).toSorted()).toEqual((await harness.feed()).toSorted());
            const rows = (await harness.quarantine()).map(({ logId, hash, code, count }): [string, number] => [
              `${logId} ${hash} ${code}`,
              count,
            ]);
            expect(new Map(rows)).toEqual(quarantined);
            expect(rows).toHaveLength(quarantined.size);
          } finally {
            await harness.dispose();
          }
        }),
        { numRuns: runs, endOnFailure: runs < 25 },
      );
    });
  });
}

function hashOf(content: number): string {
  return String(content).repeat(64);
}

function testRecord(n: number, content: number, refused: boolean): TestRecord {
  const contentHash = hashOf(content);
  return refused ? { refusal: refusalOf(n, { contentHash }) } : play(n, { contentHash });
}
