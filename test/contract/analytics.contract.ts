/** What every analytics engine has to do, whatever brings the bytes there. */
import type { ClickHouseClient } from '@clickhouse/client';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FeedFault, type FeedPositions, type FeedRead, type FeedSource, type LoadedPlay } from '../../src/analytics/feed-source.ts';
import { Loader } from '../../src/analytics/loader.ts';
import type { RowBatch } from '../../src/analytics/row-batch.ts';
import { migrate, PLAYS, POSITIONS } from '../../src/analytics/schema.ts';
import { type AnalyticsSink, ClickHouseSink, type InsertBatch } from '../../src/analytics/sink.ts';
import type { Play } from '../../src/domain/play.ts';
import { MAX_PLAY_ROW_BYTES, writePlayRow } from '../../src/domain/play-row.ts';
import type { AnalyticsQueries, QueryParams } from '../../src/query/analytics-port.ts';
import { playOf } from '../support/feed-file.ts';

export interface AnalyticsBackend {
  readonly connect: () => ClickHouseClient;
  readonly insertBatch: InsertBatch;
  /** As reports ask. */
  readonly queries: AnalyticsQueries;
  readonly close: () => Promise<void> | void;
}

function rowOf(play: Play): Buffer {
  const bytes = Buffer.alloc(MAX_PLAY_ROW_BYTES);
  return bytes.subarray(0, writePlayRow(bytes, 0, play));
}

/** A feed of partitions, as Kafka has them; offsets begin at 0. */
class MemoryFeed implements FeedSource {
  readonly partitions: readonly Play[][];
  readonly id: string;
  readonly reload = 'Do this and that.';

  constructor(id: string, partitions: readonly Play[][]) {
    this.id = id;
    this.partitions = partitions;
  }

  feedId(): Promise<string> {
    return Promise.resolve(this.id);
  }

  read(from: FeedPositions, batch: RowBatch): Promise<FeedRead> {
    const next = new Map(from);
    for (const [partition, plays] of this.partitions.entries()) {
      let offset = next.get(partition) ?? 0;
      for (const play of plays.slice(offset)) {
        if (!batch.add(rowOf(play), partition, offset))
          return Promise.resolve({ next: next.set(partition, offset), more: true, lagRows: 1, skipped: 0 });
        offset += 1;
      }
      next.set(partition, offset);
    }
    return Promise.resolve({ next, more: false, lagRows: 0, skipped: 0 });
  }

  lag(from: FeedPositions): Promise<number> {
    return Promise.resolve(this.partitions.reduce((sum, plays, partition) => sum + plays.length - (from.get(partition) ?? 0), 0));
  }

  close(): void {}
}

/** Passes everything on until `breakAt` calls of one kind were made; that one fails, before or after it took effect. */
class BreakingSink implements AnalyticsSink {
  readonly inner: AnalyticsSink;
  failing: { readonly call: 'insert' | 'savePositions'; readonly afterEffect: boolean } | null = null;

  constructor(inner: AnalyticsSink) {
    this.inner = inner;
  }

  positions(): Promise<ReadonlyMap<string, FeedPositions>> {
    return this.inner.positions();
  }

  lastPlay(): Promise<LoadedPlay | null> {
    return this.inner.lastPlay();
  }

  insert(batch: RowBatch): Promise<void> {
    return this.#maybe('insert', () => this.inner.insert(batch));
  }

  savePositions(feedId: string, next: FeedPositions): Promise<void> {
    return this.#maybe('savePositions', () => this.inner.savePositions(feedId, next));
  }

  discard(): Promise<void> {
    return this.inner.discard();
  }

  async #maybe(call: 'insert' | 'savePositions', work: () => Promise<void>): Promise<void> {
    const failing = this.failing?.call === call ? this.failing : null;
    if (!failing || failing.afterEffect) await work();
    if (failing) throw new Error(`broken ${call}`);
  }
}

const expected = (plays: readonly Play[]): string[] => plays.map((p) => `${p.logId} ${p.contentHash} ${p.status}`).sort();

/** Until nothing is left to load. */
async function loadAll(source: FeedSource, to: AnalyticsSink, maxRows = 1_000): Promise<void> {
  const loader = new Loader(source, to, { maxRows });
  while ((await loader.step()) !== 'idle');
}

export function analyticsContract(name: string, open: () => Promise<AnalyticsBackend>): void {
  describe(`analytics on ${name}`, () => {
    let backend: AnalyticsBackend;

    beforeAll(async () => {
      backend = await open();
      const client = backend.connect();
      await migrate(client);
      await migrate(client);
      await client.close();
    });
    afterAll(() => backend.close());
    beforeEach(async () => {
      for (const table of [PLAYS, POSITIONS]) await command(`TRUNCATE TABLE ${table}`);
    });

    const command = async (query: string): Promise<void> => {
      const client = backend.connect();
      await client.command({ query });
      await client.close();
    };

    const sink = (): ClickHouseSink => new ClickHouseSink(backend.connect, backend.insertBatch);
    const ask = <Row>(sql: string, params: QueryParams = {}): Promise<Row[]> => backend.queries.rows<Row>(sql, params);
    const loaded = async (): Promise<string[]> =>
      (
        await ask<{ id: string; hash: string; status: string }>(
          `SELECT toString(log_id) AS id, lower(hex(content_hash)) AS hash, toString(status) AS status FROM ${PLAYS} FINAL`,
        )
      )
        .map(({ id, hash, status }) => `${id} ${hash} ${status}`)
        .sort();
    test('I1: every play of the feed is there once, in batches that hold several partitions', async () => {
      const plays = Array.from({ length: 500 }, (_, n) => playOf(n, n % 5 === 0 ? { status: 'PARTIAL', billable: false } : {}));
      const feed = new MemoryFeed('f', [plays.slice(0, 120), plays.slice(120, 121), plays.slice(121)]);
      await loadAll(feed, sink(), 130);
      expect(await loaded()).toEqual(expected(plays));
      expect(await sink().positions()).toEqual(
        new Map([
          [
            'f',
            new Map([
              [0, 120],
              [1, 1],
              [2, 379],
            ]),
          ],
        ]),
      );
      const places = await ask<{ p: number; n: number }>(
        `SELECT feed_partition AS p, uniqExact(feed_offset) AS n FROM ${PLAYS} GROUP BY p ORDER BY p`,
      );
      expect(places.map(({ n }) => n)).toEqual([120, 1, 379]);
    });

    test('a row comes out with the values that went in', async () => {
      const play = playOf(1, {
        region: 'Thành phố Hồ Chí Minh '.repeat(8),
        distanceM: 123.4,
        durationActualMs: 12_001,
        status: 'PARTIAL',
        billable: false,
        ruleVersion: 65_535,
        clockChecked: false,
      });
      await loadAll(new MemoryFeed('f', [[play]]), sink());
      const [row] = await ask<Record<string, unknown>>(
        `SELECT toString(device_id) AS device, toUnixTimestamp64Milli(started_at) AS s, toUnixTimestamp64Milli(ended_at) AS e,
         toUnixTimestamp64Milli(received_at) AS r, distance_m, duration_actual_ms, status, reported_status, billable, clock_checked,
         content_known, rule_version, region, feed_partition, feed_offset FROM ${PLAYS}`,
      );
      expect(row).toEqual({
        device: play.deviceId,
        s: play.startedAt,
        e: play.endedAt,
        r: play.receivedAt,
        distance_m: 123.4,
        duration_actual_ms: 12_001,
        status: 'PARTIAL',
        reported_status: 'COMPLETED',
        billable: false,
        clock_checked: false,
        content_known: true,
        rule_version: 65_535,
        region: play.region,
        feed_partition: 0,
        feed_offset: 0,
      });
    });

    test('I1: loading the same range twice changes nothing', async () => {
      const plays = Array.from({ length: 300 }, (_, n) => playOf(n));
      const feed = new MemoryFeed('f', [plays]);
      await loadAll(feed, sink());
      await command(`TRUNCATE TABLE ${POSITIONS}`);
      await loadAll(feed, sink(), 77);
      expect(await loaded()).toEqual(expected(plays));
    });

    test('I1: a batch that got in partly, in two months and two partitions, is completed without doubles', async () => {
      const plays = Array.from({ length: 40 }, (_, n) => playOf(n, { endedAt: Date.UTC(2026, n % 2 === 0 ? 7 : 8, 10) + n }));
      // A crash can leave the rows of one month and not those of the other.
      await loadAll(new MemoryFeed('f', [plays.filter((_, n) => n % 2 === 0)]), sink());
      await command(`TRUNCATE TABLE ${POSITIONS}`);
      await loadAll(new MemoryFeed('f', [plays.slice(0, 25), plays.slice(25)]), sink());
      expect(await loaded()).toEqual(expected(plays));
    });

    test.each([
      ['insert', false],
      ['insert', true],
      ['savePositions', false],
      ['savePositions', true],
    ] as const)('I1: after a failed %s (its effect there: %s) nothing is missing and nothing doubled', async (call, afterEffect) => {
      const plays = Array.from({ length: 60 }, (_, n) => playOf(n));
      const breaking = new BreakingSink(sink());
      const loader = new Loader(new MemoryFeed('f', [plays]), breaking, { maxRows: 25 });
      expect(await loader.step()).toBe('more');
      breaking.failing = { call, afterEffect };
      await expect(loader.step()).rejects.toThrow(`broken ${call}`);
      await expect(loader.step()).rejects.toThrow(`broken ${call}`);
      breaking.failing = null;
      while ((await loader.step()) !== 'idle');
      expect(await loaded()).toEqual(expected(plays));
      // And a loader that knows nothing of the first one goes on from the written position.
      await loadAll(new MemoryFeed('f', [[...plays, playOf(99)]]), sink());
      expect(await loaded()).toEqual(expected([...plays, playOf(99)]));
    });

    test('a monthly partition can be dropped: the others stand, and it comes back only when the feed is loaded anew', async () => {
      const inMonth = (n: number): number => Date.UTC(2026, 6 + (n % 3), 10) + n;
      const plays = Array.from({ length: 60 }, (_, n) => playOf(n, { endedAt: inMonth(n) }));
      const feed = new MemoryFeed('f', [plays.slice(0, 35), plays.slice(35)]);
      await loadAll(feed, sink(), 20);
      const [before] = await ask(`SELECT count() AS n FROM ${PLAYS} WHERE toYYYYMM(ended_at) = 202608`);
      expect(before).toEqual({ n: 20 });

      await command(`ALTER TABLE ${PLAYS} DROP PARTITION 202608`);
      const others = plays.filter(({ endedAt }) => new Date(endedAt).getUTCMonth() !== 7);
      expect(others).toHaveLength(40);
      expect(await loaded()).toEqual(expected(others));
      // The positions lie behind it: whoever loads next goes on there, and plays that come now have their month, whichever it is.
      const late = playOf(60, { endedAt: Date.UTC(2026, 7, 20) });
      const longer = new MemoryFeed('f', [plays.slice(0, 35), [...plays.slice(35), late]]);
      await loadAll(longer, sink());
      expect(await loaded()).toEqual(expected([...others, late]));

      await command(`TRUNCATE TABLE ${POSITIONS}`);
      await loadAll(longer, sink(), 20);
      expect(await loaded()).toEqual(expected([...plays, late]));
    });

    test('tells the play that lies last in the feed', async () => {
      expect(await sink().lastPlay()).toBeNull();
      const plays = [playOf(3), playOf(1), playOf(2)];
      await loadAll(new MemoryFeed('f', [plays]), sink(), 2);
      const { logId, contentHash } = playOf(2);
      expect(await sink().lastPlay()).toEqual({ partition: 0, offset: 2, logId, contentHash });
    });

    test('rows of another feed are not mixed in', async () => {
      await loadAll(new MemoryFeed('f', [[playOf(1)]]), sink());
      await expect(new Loader(new MemoryFeed('g', [[playOf(2)]]), sink()).step()).rejects.toThrow(FeedFault);
      await expect(new Loader(new MemoryFeed('g', [[playOf(2)]]), sink()).step()).rejects.toThrow(/this one is g\. Do this and that\.$/);
      expect(await loaded()).toEqual(expected([playOf(1)]));
    });

    test('after a query that failed with rows already made, the next answers are right', async () => {
      for (let i = 0; i < 5; i += 1) {
        await expect(ask('SELECT number AS x, throwIf(number = 300000) AS y FROM numbers(400000)')).rejects.toThrow();
        expect(await ask('SELECT 42 AS x')).toEqual([{ x: 42 }]);
      }
    });

    test('parameters are values, never SQL', async () => {
      const text = "'; DROP TABLE playproof.plays; --\\' {x:String} \u0000é";
      expect(await ask('SELECT {x:String} AS x', { x: text })).toEqual([{ x: text }]);
    });
  });
}
