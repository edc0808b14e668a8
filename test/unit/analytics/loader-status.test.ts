/** What the loader says of itself when it cannot load: the true lag, and no success that was none. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FeedFault, type FeedPositions, type FeedRead, type FeedSource } from '../../../src/analytics/feed-source.ts';
import { Loader } from '../../../src/analytics/loader.ts';
import type { RowBatch } from '../../../src/analytics/row-batch.ts';
import type { AnalyticsSink } from '../../../src/analytics/sink.ts';
import { waitUntil } from '../../support/wait-until.ts';

/** Hands out rows of one byte, up to `end`. */
class Feed implements FeedSource {
  end = 0;
  fault: Error | null = null;
  /** The next read finds nothing yet, as one that has to connect anew. */
  slow = false;
  readonly reload = 'Load it again by hand.';

  feedId(): Promise<string> {
    return Promise.resolve('feed');
  }

  read(from: FeedPositions, batch: RowBatch): Promise<FeedRead> {
    if (this.fault) return Promise.reject(this.fault);
    let next = from.get(0) ?? 0;
    if (!this.slow) while (next < this.end && batch.add(new Uint8Array(1), 0, next)) next += 1;
    this.slow = false;
    return Promise.resolve({ next: new Map([[0, next]]), more: false, lagRows: this.end - next, skipped: 0 });
  }

  lag(from: FeedPositions): Promise<number> {
    return Promise.resolve(this.end - (from.get(0) ?? 0));
  }

  close(): void {}
}

class Sink implements AnalyticsSink {
  away = false;
  /** It answers nothing at all. */
  silent = false;
  readonly loaded = new Map<string, FeedPositions>();

  positions(): Promise<ReadonlyMap<string, FeedPositions>> {
    return this.silent ? Promise.reject(new Error('it is away')) : Promise.resolve(this.loaded);
  }

  lastPlay(): Promise<null> {
    return Promise.resolve(null);
  }

  insert(): Promise<void> {
    if (this.silent) return Promise.reject(new Error('it is away'));
    return this.away ? Promise.reject(new Error('it is read-only')) : Promise.resolve();
  }

  savePositions(feedId: string, next: FeedPositions): Promise<void> {
    this.loaded.set(feedId, next);
    return Promise.resolve();
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }
}

let feed: Feed;
let sink: Sink;
let loader: Loader;
let stopping: AbortController;
let running: Promise<void>;

beforeEach(() => {
  feed = new Feed();
  sink = new Sink();
  loader = new Loader(feed, sink, { maxRows: 1_000 });
  stopping = new AbortController();
  running = Promise.resolve();
});
afterEach(async () => {
  stopping.abort();
  await running;
});

function run(): void {
  running = loader.run(stopping.signal);
}

test('before anything was read it does not say that nothing waits', () => {
  expect(loader.status).toMatchObject({ lagRows: null, lastError: null });
});

test('while every insert fails it tells what waits, and counts the failures', async () => {
  feed.end = 5_000;
  sink.away = true;
  run();
  await waitUntil(() => loader.status.failures >= 2);
  expect(loader.status).toMatchObject({ lagRows: 5_000, rowsLoaded: 0, lastError: 'it is read-only', stopped: false });
  feed.end = 6_000;
  await waitUntil(() => loader.status.lagRows === 6_000);
});

test('while analytics answers nothing at all it goes on telling what waits', async () => {
  feed.end = 3;
  run();
  await waitUntil(() => loader.status.rowsLoaded === 3);
  sink.silent = true;
  feed.end = 7;
  await waitUntil(() => loader.status.lastError !== null && loader.status.lagRows === 4);
  feed.end = 20;
  await waitUntil(() => loader.status.lagRows === 17);
  expect(loader.status).toMatchObject({ lastError: 'it is away', stopped: false });
  sink.silent = false;
  await waitUntil(() => loader.status.rowsLoaded === 20);
});

test('a read that finds nothing yet is no success while something waits', async () => {
  feed.end = 10;
  sink.away = true;
  run();
  await waitUntil(() => loader.status.lastError !== null);
  feed.slow = true;
  await waitUntil(() => !feed.slow);
  expect(loader.status).toMatchObject({ lagRows: 10, lastError: 'it is read-only' });
  sink.away = false;
  await waitUntil(() => loader.status.rowsLoaded === 10);
  expect(loader.status).toMatchObject({ lagRows: 0, lastError: null });
});

test('a failure is over as well when nothing is left to load', async () => {
  feed.fault = new Error('the broker is away');
  run();
  await waitUntil(() => loader.status.lastError === 'the broker is away');
  feed.fault = null;
  await waitUntil(() => loader.status.lastError === null);
  expect(loader.status).toMatchObject({ lagRows: 0, failures: 1 });
});

test('stopped by a record that it cannot read, it goes on telling what waits', async () => {
  feed.end = 3;
  run();
  await waitUntil(() => loader.status.rowsLoaded === 3);
  feed.end = 7;
  feed.fault = new FeedFault('a record is damaged');
  await waitUntil(() => loader.status.stopped && loader.status.lagRows === 4);
  expect(loader.status).toMatchObject({ lastError: 'a record is damaged', failures: 1 });
  feed.end = 20;
  await waitUntil(() => loader.status.lagRows === 17);
  expect(loader.status.stopped).toBe(true);
});

test('loaded from another feed, it says what to do where this one is', async () => {
  sink.loaded.set('another', new Map());
  await expect(loader.step()).rejects.toThrow(
    /^analytics was loaded from another feed \(another\), this one is feed\. Load it again by hand\.$/,
  );
});
