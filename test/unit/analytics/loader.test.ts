import { expect, test } from 'vitest';
import { FeedFault, type FeedPositions, type FeedRead, type FeedSource } from '../../../src/analytics/feed-source.ts';
import { Loader } from '../../../src/analytics/loader.ts';
import type { RowBatch } from '../../../src/analytics/row-batch.ts';
import type { AnalyticsSink } from '../../../src/analytics/sink.ts';
import { waitUntil } from '../../support/wait-until.ts';

/** One partition with rows of one byte: the offset. */
class Feed implements FeedSource {
  end = 0;
  readonly reload = '';

  feedId(): Promise<string> {
    return Promise.resolve('f');
  }

  read(from: FeedPositions, batch: RowBatch): Promise<FeedRead> {
    const first = from.get(0) ?? 0;
    if (first > this.end) return Promise.reject(new FeedFault(`from ${first}`));
    for (let offset = first; offset < this.end; offset += 1) batch.add(Buffer.from([offset]), 0, offset);
    return Promise.resolve({ next: new Map([[0, this.end]]), more: false, lagRows: 0, skipped: 0 });
  }

  lag(from: FeedPositions): Promise<number> {
    return Promise.resolve(this.end - (from.get(0) ?? 0));
  }

  close(): void {}
}

/** Analytics that can be put back to what it was. */
class Tables implements AnalyticsSink {
  rows = new Set<number>();
  next: number | null = null;
  failing = false;

  positions(): Promise<ReadonlyMap<string, FeedPositions>> {
    return Promise.resolve(new Map(this.next === null ? [] : [['f', new Map([[0, this.next]])]]));
  }

  lastPlay(): Promise<null> {
    return Promise.resolve(null);
  }

  insert({ bytes, rows }: RowBatch): Promise<void> {
    if (this.failing) return Promise.reject(new Error('analytics is away'));
    const width = bytes.length / rows;
    for (let i = 0; i < rows; i += 1) this.rows.add(bytes[i * width] as number);
    return Promise.resolve();
  }

  savePositions(_feedId: string, next: FeedPositions): Promise<void> {
    this.next = Math.max(this.next ?? 0, next.get(0) ?? 0);
    return Promise.resolve();
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }

  backup(): () => void {
    const { next } = this;
    const rows = new Set(this.rows);
    return () => {
      this.next = next;
      this.rows = new Set(rows);
    };
  }
}

/** @param lookMs How often analytics is asked what it has where nothing is loaded. */
function stage(lookMs = Number.POSITIVE_INFINITY) {
  const feed = new Feed();
  const tables = new Tables();
  const told: (string | null)[] = [];
  const loader = new Loader(feed, tables, { lookMs, onStatus: ({ lastError }) => told.push(lastError) });
  const stopping = new AbortController();
  const begun = { running: Promise.resolve() };
  return {
    feed,
    tables,
    told,
    run: () => {
      begun.running = loader.run(stopping.signal);
    },
    stop: async () => {
      stopping.abort();
      await begun.running;
    },
    loaded: (rows: number) => waitUntil(() => tables.rows.size === rows && tables.next === rows),
  };
}

test('I1: analytics that was restored while it was away is loaded again from where the backup ends', async () => {
  const { feed, tables, run, stop, loaded, told } = stage();
  run();
  feed.end = 10;
  await loaded(10);
  const restore = tables.backup();
  feed.end = 20;
  await loaded(20);
  tables.failing = true;
  feed.end = 21;
  await waitUntil(() => told.includes('analytics is away'));
  restore();
  tables.failing = false;
  await loaded(21);
  await stop();
});

test('I1: analytics that was restored between two batches is loaded again, when the next batch comes', async () => {
  const { feed, tables, run, stop, loaded, told } = stage();
  run();
  feed.end = 10;
  await loaded(10);
  const restore = tables.backup();
  feed.end = 20;
  await loaded(20);
  restore();
  feed.end = 21;
  await loaded(21);
  expect(told.filter((error) => error?.includes('up to 20 and now has it up to 10'))).toHaveLength(1);
  await stop();
});

test('I1: … and where no batch comes', async () => {
  const { feed, tables, run, stop, loaded } = stage(0);
  run();
  feed.end = 10;
  await loaded(10);
  const restore = tables.backup();
  feed.end = 20;
  await loaded(20);
  restore();
  await loaded(20);
  await stop();
});
