/** What everyone who reads archive, feed and quarantine is promised, whatever they are kept in. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Play } from '../../src/domain/play.ts';
import type { Refusal } from '../../src/domain/refusal.ts';
import type { PlayArchive, QuarantineQuery } from '../../src/query/archive-port.ts';
import { SCOPE_ALL, type Scope } from '../../src/server/access.ts';
import { playOf, uuidOf } from '../support/feed-file.ts';
import { refusalOf } from '../support/plays.ts';

export interface ReaderHarness {
  readonly reader: PlayArchive;
  acknowledge(records: readonly ({ play: Play } | { refusal: Refusal })[]): Promise<void>;
  settle(): Promise<void>;
  dispose(): Promise<void>;
}

export interface Offered {
  /** Whether the feed is read here; where it is a topic, it is not. */
  readonly feed: boolean;
}

const play = (n: number, over: Partial<Play> = {}): { play: Play } => ({
  play: playOf(n, { canonical: Buffer.from(`{"n":${n}}`), ...over }),
});
const supplier = (n: number): Scope => ({ supplierId: uuidOf(6, n), advertiserId: null });
const advertiser = (n: number): Scope => ({ supplierId: null, advertiserId: uuidOf(7, n) });

interface Line {
  readonly log_id: string;
  readonly position: string;
  readonly content_hash: string;
}

export async function linesOf(reader: PlayArchive, after: number, limit: number, scope = SCOPE_ALL) {
  const page = await reader.feed(after, limit, scope);
  const text = Buffer.from(page.lines).toString('utf8');
  const lines =
    text === ''
      ? []
      : text
          .slice(0, -1)
          .split('\n')
          .map((line) => JSON.parse(line) as Line);
  expect(text === '' || text.endsWith('\n')).toBe(true);
  expect(page.count).toBe(lines.length);
  return { lines, through: page.through };
}

export function archiveReaderContract(name: string, open: () => Promise<ReaderHarness>, { feed }: Offered = { feed: true }): void {
  describe(`reading archive, feed and quarantine on ${name}`, () => {
    const opened: ReaderHarness[] = [];
    const fresh = async (): Promise<ReaderHarness> => {
      const harness = await open();
      opened.push(harness);
      return harness;
    };
    afterEach(async () => {
      for (const harness of opened.splice(0)) await harness.dispose();
    });

    it('I5: gives back a play as it was judged, with the positions it has', async () => {
      const harness = await fresh();
      const given = play(1, { region: 'Süd', distanceM: 12.5, keyValidFrom: 5, status: 'PARTIAL', billable: false });
      await harness.acknowledge([given]);
      await harness.settle();
      const found = await harness.reader.play(uuidOf(1, 1), SCOPE_ALL);
      expect(found).toMatchObject({
        positions: {
          journal: expect.stringMatching(/^[0-9a-f-]{36}\/0\/\d+$/),
          feed: expect.stringMatching(feed ? /^\d+$/ : /^playback-logs\?journal_position=/),
        },
      });
      if (found === null || found === 'unsettled') throw new Error('not found');
      expect({ ...found.play, canonical: Buffer.from(found.play.canonical), signature: Buffer.from(found.play.signature) }).toEqual(
        given.play,
      );
    });

    it('tells what is acknowledged and not settled from what is not there', async () => {
      const harness = await fresh();
      await harness.acknowledge([play(1), { refusal: refusalOf(2) }]);
      expect(await harness.reader.play(uuidOf(1, 1), SCOPE_ALL)).toBe('unsettled');
      expect(await harness.reader.play(uuidOf(1, 2), SCOPE_ALL)).toBeNull();
      expect(await harness.reader.play(uuidOf(1, 3), SCOPE_ALL)).toBeNull();
      if (feed) expect((await linesOf(harness.reader, 0, 10)).lines).toEqual([]);
      await harness.settle();
      expect(await harness.reader.play(uuidOf(1, 1), SCOPE_ALL)).toMatchObject({ play: { logId: uuidOf(1, 1) } });
      // Refused logs are in quarantine and nowhere else.
      expect(await harness.reader.play(uuidOf(1, 2), SCOPE_ALL)).toBeNull();
    });

    it('shows nobody a play of others, settled or not', async () => {
      const harness = await fresh();
      await harness.acknowledge([play(1)]);
      for (let round = 0; round < 2; round += 1) {
        expect(await harness.reader.play(uuidOf(1, 1), supplier(0))).toBeNull();
        expect(await harness.reader.play(uuidOf(1, 1), advertiser(0))).toBeNull();
        expect(await harness.reader.play(uuidOf(1, 1), supplier(1))).not.toBeNull();
        expect(await harness.reader.play(uuidOf(1, 1), advertiser(1))).not.toBeNull();
        await harness.settle();
      }
    });

    it.runIf(feed)('feeds in the order of the journal, each play once, in pages that fit together', async () => {
      const harness = await fresh();
      const records = Array.from({ length: 25 }, (_, n) => (n % 5 === 3 ? { refusal: refusalOf(n) } : play(n)));
      await harness.acknowledge([...records, play(1), play(2, { contentHash: 'a'.repeat(64) })]);
      await harness.settle();
      const expected = records.flatMap((record) => ('play' in record ? [record.play.logId] : []));
      for (const limit of [1, 7, 1_000]) {
        const seen: string[] = [];
        for (let after = 0; ; ) {
          const { lines } = await linesOf(harness.reader, after, limit);
          if (lines.length === 0) break;
          expect(lines.length).toBeLessThanOrEqual(limit);
          seen.push(...lines.map((line) => line.log_id));
          const positions = lines.map(({ position }) => Number(position));
          expect(positions).toEqual(positions.toSorted((a, b) => a - b));
          after = positions.at(-1) ?? 0;
        }
        expect(seen).toEqual(expected);
      }
    });

    it.runIf(feed)('feeds each scope its own, and says how far it looked, so that nobody looks twice', async () => {
      const harness = await fresh();
      await harness.acknowledge(
        Array.from({ length: 1_300 }, (_, n) => play(n, { supplierId: uuidOf(6, n === 0 || n === 1_250 ? 9 : 1) })),
      );
      await harness.settle();
      const mine = await linesOf(harness.reader, 0, 10, supplier(9));
      expect(mine.lines.map(({ log_id }) => log_id)).toEqual([uuidOf(1, 0), uuidOf(1, 1_250)]);
      const { lines } = await linesOf(harness.reader, 0, 1_000);
      expect(lines).toHaveLength(1_000);
      expect(Number(lines.at(-1)?.position)).toBeLessThan(mine.through);
      expect(await linesOf(harness.reader, mine.through, 10, supplier(9))).toEqual({ lines: [], through: mine.through });
      await harness.acknowledge([play(2_000, { supplierId: uuidOf(6, 9) })]);
      await harness.settle();
      expect((await linesOf(harness.reader, mine.through, 10, supplier(9))).lines).toHaveLength(1);
      // Full pages say where they stopped, too.
      const one = await linesOf(harness.reader, 0, 1, supplier(9));
      expect(String(one.through)).toBe(one.lines[0]?.position);
    });

    it('I4: lists refusals newest first, filtered, scoped and in pages', async () => {
      const harness = await fresh();
      const refusals = Array.from({ length: 30 }, (_, n) =>
        refusalOf(n, { code: n % 3 === 0 ? 'in_future' : 'too_old', detail: `Number ${n}.`, fields: n === 5 ? ['/x'] : null }),
      );
      await harness.acknowledge([
        ...refusals.map((refusal) => ({ refusal })),
        { refusal: refusalOf(4, { detail: 'again', receivedAt: 2e12 }) },
      ]);
      await harness.settle();
      const list = (over: Partial<QuarantineQuery> = {}) =>
        harness.reader.quarantine({ scope: SCOPE_ALL, code: null, deviceId: null, limit: 1_000, before: null, ...over });
      const all = await list();
      expect(all.map(({ log_id }) => log_id)).toEqual(refusals.map(({ logId }) => logId).toReversed());
      expect(all.find(({ log_id }) => log_id === uuidOf(1, 4))).toMatchObject({ count: 2, last_received_at: '2033-05-18T03:33:20.000Z' });
      expect(all.at(-6)).toMatchObject({
        code: 'too_old',
        detail: 'Number 5.',
        fields: ['/x'],
        retryable: false,
        signature_proven: true,
        count: 1,
        content_hash: playOf(5).contentHash,
        body: Buffer.from('{"n":5}').toString('base64'),
      });
      const paged = [];
      for (let before: number | null = null; ; ) {
        const page = await list({ limit: 7, before });
        paged.push(...page);
        if (page.length < 7) break;
        before = page.at(-1)?.quarantine_id ?? null;
      }
      expect(paged).toEqual(all);
      expect(await list({ code: 'in_future' })).toHaveLength(10);
      const device = uuidOf(2, 3);
      expect((await list({ deviceId: device })).every(({ device_id }) => device_id === device)).toBe(true);
      expect(await list({ deviceId: device })).toHaveLength(4);
      for (const scope of [supplier(0), supplier(1)]) expect(await list({ scope })).toHaveLength(15);
      expect(await list({ scope: advertiser(2), code: 'too_old' })).toEqual(
        all.filter(({ advertiser_id, code }) => advertiser_id === uuidOf(7, 2) && code === 'too_old'),
      );
      expect(await list({ scope: supplier(77) })).toEqual([]);
      expect(await list({ before: 1 })).toEqual([]);
    });
  });
}
