/** What every archive promises to settling, whatever it is kept in. */
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Refusal } from '../../src/domain/refusal.ts';
import { HASH_AT, HASH_BYTES, LOG_ID_AT, LOG_ID_BYTES } from '../../src/journal/record.ts';
import type { ArchiveWriter, Claim, Claimed, Kept } from '../../src/settle/ports.ts';
import { playOf, uuidOf } from '../support/feed-file.ts';
import { playBytes, refusalOf } from '../support/plays.ts';

export interface ArchiveHarness {
  readonly archive: ArchiveWriter;
  /** Another process at the same archive. */
  readonly another: () => Promise<ArchiveWriter>;
  /** `log_id hash position` of what stands, by log_id. */
  readonly standing: () => Promise<string[]>;
  /** `log_id hash code count` of the quarantine, oldest first; a missing log_id is `-`. */
  readonly quarantined: () => Promise<string[]>;
  readonly quarantinePerDevice: number;
  readonly dispose: () => Promise<void>;
}

const JOURNAL = 'c0ffee00-0000-4000-8000-000000000001';

export function claimOf(n: number, position: string | number, contentHash = playOf(n).contentHash): Claim {
  const bytes = playBytes(playOf(n, { contentHash }));
  return {
    logId: bytes.subarray(LOG_ID_AT, LOG_ID_AT + LOG_ID_BYTES),
    contentHash: bytes.subarray(HASH_AT, HASH_AT + HASH_BYTES),
    position: typeof position === 'number' ? `${JOURNAL}/0/${position}` : position,
    bytes,
  };
}

export function hashOf(content: number): string {
  return String(content).repeat(64);
}

function kept(n: number, offset: number, over: Partial<Refusal> = {}, partition = 0): Kept {
  return { refusal: refusalOf(n, over), position: `${JOURNAL}/${partition}/${offset}` };
}

function line(n: number, code: string, count: number): string {
  return `${uuidOf(1, n)} ${playOf(n).contentHash} ${code} ${count}`;
}

export function archiveWriterContract(name: string, open: () => Promise<ArchiveHarness>): void {
  describe(`archive as settling writes it, on ${name}`, () => {
    const opened: ArchiveHarness[] = [];
    const fresh = async (): Promise<ArchiveHarness> => {
      const harness = await open();
      opened.push(harness);
      return harness;
    };
    afterEach(async () => {
      for (const harness of opened.splice(0)) await harness.dispose();
    });

    describe('claims', () => {
      it('the first one stands; the same content again is a duplicate, other content a conflict', async () => {
        const harness = await fresh();
        expect(await harness.archive.claim([claimOf(1, 1), claimOf(2, 2)])).toEqual(['owner', 'owner']);
        expect(await harness.archive.claim([claimOf(1, 3), claimOf(3, 4), claimOf(2, 5, hashOf(9))])).toEqual([
          'duplicate',
          'owner',
          'conflict',
        ]);
        expect(await harness.standing()).toEqual([
          `${uuidOf(1, 1)} ${playOf(1).contentHash} ${JOURNAL}/0/1`,
          `${uuidOf(1, 2)} ${playOf(2).contentHash} ${JOURNAL}/0/2`,
          `${uuidOf(1, 3)} ${playOf(3).contentHash} ${JOURNAL}/0/4`,
        ]);
      });

      it('nothing is an answer to nothing', async () => {
        const { archive } = await fresh();
        expect(await archive.claim([])).toEqual([]);
        await archive.quarantine([]);
      });

      it('in one batch the first in order stands', async () => {
        const { archive, standing } = await fresh();
        const batch = [claimOf(1, 7), claimOf(1, 8, hashOf(9)), claimOf(2, 9), claimOf(1, 10), claimOf(1, 11, hashOf(9))];
        expect(await archive.claim(batch)).toEqual(['owner', 'conflict', 'owner', 'duplicate', 'conflict']);
        expect((await standing())[0]).toBe(`${uuidOf(1, 1)} ${playOf(1).contentHash} ${JOURNAL}/0/7`);
      });

      it('the same batch again gives the same answers, also cut in another way', async () => {
        const { archive } = await fresh();
        const batch = [claimOf(1, 7), claimOf(1, 8), claimOf(2, 9), claimOf(2, 10, hashOf(9)), claimOf(3, 11)];
        const answers: readonly Claimed[] = ['owner', 'duplicate', 'owner', 'conflict', 'owner'];
        expect(await archive.claim(batch)).toEqual(answers);
        expect(await archive.claim(batch)).toEqual(answers);
        expect(await archive.claim(batch.toReversed())).toEqual(answers.toReversed());
        for (const [place, one] of batch.entries()) expect(await archive.claim([one])).toEqual([answers[place]]);
      });

      it('the same offset of another journal or another partition is another position', async () => {
        const { archive } = await fresh();
        expect(await archive.claim([claimOf(1, `${JOURNAL}/0/1`)])).toEqual(['owner']);
        expect(await archive.claim([claimOf(1, `${JOURNAL}/1/1`), claimOf(1, 'another/0/1')])).toEqual(['duplicate', 'duplicate']);
      });

      it('keeps bytes as they are, of any size', async () => {
        const harness = await fresh();
        const play = playOf(5, { canonical: Buffer.alloc(16 * 1024, 0xff), contentHash: 'ff'.repeat(32) });
        const bytes = playBytes(play);
        const claim = { ...claimOf(5, 1), contentHash: new Uint8Array(32).fill(0xff), bytes };
        expect(await harness.archive.claim([claim])).toEqual(['owner']);
        expect(await harness.standing()).toEqual([`${play.logId} ${'ff'.repeat(32)} ${JOURNAL}/0/1`]);
      });

      it('I1: many that claim the same ids at once: each id is won once, and everybody hears by whom', async () => {
        const harness = await fresh();
        const clients = await Promise.all(Array.from({ length: 20 }, () => harness.another()));
        const ids = 30;
        const answers = await Promise.all(
          clients.map(async (client, c) => {
            const claims = Array.from({ length: ids }, (_, n) => claimOf(n, `${JOURNAL}/${c}/${n}`, hashOf(c % 3)));
            // Each in its own order and pieces.
            const order = claims.map((_, n) => claims[(n * 7 + c) % ids] as Claim);
            const heard = new Map<Claim, Claimed>();
            for (let from = 0; from < ids; from += 10) {
              const piece = order.slice(from, from + 10);
              for (const [i, answer] of (await client.claim(piece)).entries()) heard.set(piece[i] as Claim, answer);
            }
            return claims.map((claim) => heard.get(claim));
          }),
        );
        const stands = (await harness.standing()).map((one) => one.split(' '));
        expect(stands).toHaveLength(ids);
        for (let n = 0; n < ids; n += 1) {
          const winners = answers.flatMap((heard, c) => (heard[n] === 'owner' ? [c] : []));
          expect(winners).toHaveLength(1);
          const [winner = -1] = winners;
          expect(stands.find(([id]) => id === uuidOf(1, n))).toEqual([uuidOf(1, n), hashOf(winner % 3), `${JOURNAL}/${winner}/${n}`]);
          for (const [c, heard] of answers.entries()) {
            if (c !== winner) expect(heard[n]).toBe(c % 3 === winner % 3 ? 'duplicate' : 'conflict');
          }
        }
      });

      it('gives what a simple model gives, for any batches and any repeats of them', async () => {
        const claim = fc.record({ n: fc.nat(8), content: fc.nat(2) });
        const batches = fc.array(fc.record({ claims: fc.array(claim, { minLength: 1, maxLength: 12 }), again: fc.boolean() }), {
          maxLength: 8,
        });
        await fc.assert(
          fc.asyncProperty(batches, async (drawn) => {
            const { archive, dispose } = await open();
            try {
              const owners = new Map<number, { position: number; content: number }>();
              let position = 0;
              for (const { claims, again } of drawn) {
                const numbered = claims.map((one) => ({ ...one, position: (position += 1) }));
                for (const { n, content, position: at } of numbered) if (!owners.has(n)) owners.set(n, { position: at, content });
                const expected = numbered.map(({ n, content, position: at }) => {
                  const owner = owners.get(n);
                  if (owner?.position === at) return 'owner';
                  return owner?.content === content ? 'duplicate' : 'conflict';
                });
                for (let time = 0; time < (again ? 2 : 1); time += 1) {
                  const given = numbered.map(({ n, content, position: at }) => claimOf(n, at, hashOf(content)));
                  expect(await archive.claim(given)).toEqual(expected);
                }
              }
            } finally {
              await dispose();
            }
          }),
          { numRuns: 20 },
        );
      });
    });

    describe('quarantine', () => {
      it('I4: one row for each log_id, content and code, with a count', async () => {
        const { archive, quarantined } = await fresh();
        await archive.quarantine([kept(1, 1), kept(1, 2), kept(1, 3, { code: 'in_future' }), kept(1, 4, { contentHash: hashOf(9) })]);
        await archive.quarantine([kept(2, 5, { logId: null }), kept(1, 6)]);
        expect(await quarantined()).toEqual([
          line(1, 'too_old', 3),
          line(1, 'in_future', 1),
          `${uuidOf(1, 1)} ${hashOf(9)} too_old 1`,
          `- ${playOf(2).contentHash} too_old 1`,
        ]);
      });

      it('counts a position once, however often and in whatever pieces it comes again', async () => {
        const { archive, another, quarantined } = await fresh();
        const all = [kept(1, 1), kept(1, 2), kept(2, 3), kept(1, 5), kept(1, 1, {}, 1), kept(1, 9, {}, 1)];
        await archive.quarantine(all);
        await archive.quarantine(all);
        for (const one of all) await (await another()).quarantine([one]);
        await archive.quarantine(all.slice(0, 2));
        expect(await quarantined()).toEqual([line(1, 'too_old', 5), line(2, 'too_old', 1)]);
        await archive.quarantine([...all.slice(3, 4), kept(1, 6)]);
        expect(await quarantined()).toEqual([line(1, 'too_old', 6), line(2, 'too_old', 1)]);
        const elsewhere = { ...kept(1, 1), position: 'another.journal$/0/1' };
        await archive.quarantine([elsewhere, elsewhere]);
        expect((await quarantined())[0]).toBe(line(1, 'too_old', 7));
      });

      it('many at once count every position', async () => {
        const harness = await fresh();
        const clients = await Promise.all(Array.from({ length: 8 }, () => harness.another()));
        // Partitions are settled by one each; two of them at a time in a rebalance.
        await Promise.all(
          clients.map(async (client, c) => {
            const partition = c >> 1;
            for (let offset = 0; offset < 10; offset += 2)
              await client.quarantine([kept(1, offset, {}, partition), kept(1, offset + 1, {}, partition)]);
          }),
        );
        expect(await harness.quarantined()).toEqual([line(1, 'too_old', 40)]);
      });

      it('keeps the newest unproven refusals of each device, and every proven one', async () => {
        const { archive, quarantined, quarantinePerDevice: keep } = await fresh();
        const device = uuidOf(2, 50);
        const code = 'invalid_signature' as const;
        let offset = 0;
        for (let n = 0; n < keep + 3; n += 1) {
          await archive.quarantine([
            kept(n, (offset += 1), { deviceId: device, proven: false, code }),
            kept(1_000 + n, (offset += 1), { deviceId: device }),
          ]);
        }
        await archive.quarantine([kept(2_000, (offset += 1), { deviceId: uuidOf(2, 51), proven: false, code })]);
        const rows = await quarantined();
        expect(rows.filter((row) => row.includes('too_old'))).toHaveLength(keep + 3);
        expect(rows.filter((row) => row.includes(code))).toEqual([
          ...Array.from({ length: keep }, (_, i) => line(i + 3, code, 1)),
          line(2_000, code, 1),
        ]);
      });
    });
  });
}
