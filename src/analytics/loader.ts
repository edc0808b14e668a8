/**
 * Loads the feed into analytics. The order of effects is what makes it right after any crash: rows are read after the last
 * position, inserted, and only when the insert is acknowledged the position is written. A crash in between loads the same rows
 * again, and a second copy never counts (schema.ts). Nothing is ever skipped.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { failpoint } from '../failpoints.ts';
import { FeedFault, type FeedPositions, type FeedSource } from './feed-source.ts';
import { RowBatch } from './row-batch.ts';
import type { AnalyticsSink } from './sink.ts';

export const MAX_BATCH_ROWS = 32_768;
export const MAX_BATCH_BYTES = 8 * 1024 * 1024;

/** A new play waits at most this long to be seen. */
const POLL_MS = 100;
/**
 * Between two batches that were not full: every insert costs some 20 ms of processor whatever is in it, two syncs, and a part that has to be
 * merged.
 */
const PACE_MS = 1_000;
/** Where nothing is loaded, analytics is asked this often whether it still has what was loaded. */
const LOOK_MS = 5_000;
const FIRST_BACK_OFF_MS = 200;
const MAX_BACK_OFF_MS = 5_000;
/** How often the lag is looked at where loading has stopped. */
const STOPPED_LOOK_MS = 2_000;

export interface LoaderStatus {
  /** Every play of the feed up to this offset (of partition 0 in the embedded feed) is in analytics; null: not known yet. */
  readonly loadedOffset: number | null;
  /** Records that wait, as it was last known; an upper bound. Null: not known yet. */
  readonly lagRows: number | null;
  readonly rowsLoaded: number;
  /** Records that were left out since they cannot be read and a person said so, since this process started. */
  readonly skipped: number;
  /** Attempts that failed, since this process started. */
  readonly failures: number;
  /** Why an attempt failed; null once something was loaded since, or nothing is left to load. */
  readonly lastError: string | null;
  /** A fault that loading does not get over by itself. */
  readonly stopped: boolean;
}

export const NOTHING_LOADED: LoaderStatus = {
  loadedOffset: null,
  lagRows: null,
  rowsLoaded: 0,
  skipped: 0,
  failures: 0,
  lastError: null,
  stopped: false,
};

export interface LoaderOptions {
  readonly maxRows?: number;
  readonly maxBytes?: number;
  readonly lookMs?: number;
  /** What went before in this process. */
  readonly failures?: number;
  /** Told after every step. */
  readonly onStatus?: (status: LoaderStatus) => void;
}

type Step = 'idle' | 'loaded' | 'more';

export class Loader {
  readonly #source: FeedSource;
  readonly #sink: AnalyticsSink;
  readonly #batch: RowBatch;
  readonly #onStatus: (status: LoaderStatus) => void;
  readonly #lookMs: number;
  /** `saved`: what analytics says that it has, or more. */
  #feed: { readonly id: string; next: FeedPositions; saved: FeedPositions } | null = null;
  /** False after a failure: analytics may come back with less than it had, so it is asked where it is. */
  #sure = false;
  #lookedAt = performance.now();
  #status: LoaderStatus;

  constructor(source: FeedSource, sink: AnalyticsSink, options: LoaderOptions = {}) {
    this.#source = source;
    this.#sink = sink;
    this.#batch = new RowBatch(options.maxRows ?? MAX_BATCH_ROWS, options.maxBytes ?? MAX_BATCH_BYTES);
    this.#lookMs = options.lookMs ?? LOOK_MS;
    this.#onStatus = options.onStatus ?? (() => {});
    this.#status = { ...NOTHING_LOADED, failures: options.failures ?? 0 };
  }

  get status(): LoaderStatus {
    return this.#status;
  }

  /** Loads until `signal` is aborted; a batch that was begun is ended first. After a FeedFault it only looks at what waits. */
  async run(signal: AbortSignal): Promise<void> {
    let backOff = FIRST_BACK_OFF_MS;
    while (!signal.aborted) {
      let wait = 0;
      try {
        const step = await this.step();
        backOff = FIRST_BACK_OFF_MS;
        if (step !== 'more') wait = step === 'idle' ? POLL_MS : PACE_MS;
      } catch (error) {
        await this.#failed(error);
        if (this.#status.stopped) break;
        wait = backOff;
        backOff = Math.min(backOff * 2, MAX_BACK_OFF_MS);
      }
      if (wait > 0) await pause(wait, signal);
    }
    while (!signal.aborted) {
      await this.#lookAtLag();
      await pause(STOPPED_LOOK_MS, signal);
    }
    this.#source.close();
    await this.#sink.discard();
  }

  /** One batch. Public for tests; `run` is the loop around it. */
  async step(): Promise<Step> {
    if (!this.#feed || !this.#sure) this.#feed = await this.#begin();
    this.#sure = true;
    const feed = this.#feed;
    this.#batch.clear();
    const read = await this.#source.read(feed.next, this.#batch);
    const rows = this.#batch.rows;
    if (rows > 0) {
      // Until they are in.
      this.#status = { ...this.#status, lagRows: read.lagRows + rows };
      failpoint('analytics-before-insert');
      await this.#sink.insert(this.#batch);
      failpoint('analytics-after-insert');
    }
    const moves = rows > 0 || read.skipped > 0;
    if (moves || performance.now() - this.#lookedAt > this.#lookMs) await this.#assertKept(feed.id, feed.saved);
    // Without rows the position moves in memory only: reading the empty range again costs little.
    if (moves) {
      await this.#sink.savePositions(feed.id, read.next);
      feed.saved = read.next;
    }
    if (rows > 0) failpoint('analytics-after-position');
    feed.next = read.next;
    // After a failure a reader begins anew, and may find nothing at first: that is no success while something waits.
    const well = moves || read.lagRows === 0;
    this.#tell({
      ...this.#status,
      loadedOffset: (read.next.get(0) ?? 1) - 1,
      lagRows: read.lagRows,
      rowsLoaded: this.#status.rowsLoaded + rows,
      skipped: this.#status.skipped + read.skipped,
      lastError: well ? null : this.#status.lastError,
    });
    if (read.more) return 'more';
    return rows > 0 ? 'loaded' : 'idle';
  }

  async #begin(): Promise<{ id: string; next: FeedPositions; saved: FeedPositions }> {
    const id = await this.#source.feedId();
    const known = await this.#known();
    const next = known.get(id);
    if (!next && known.size > 0) {
      throw new FeedFault(
        `analytics was loaded from another feed (${[...known.keys()].join(', ')}), this one is ${id}. ${this.#source.reload}`,
      );
    }
    await this.#assertSameFeed();
    // No position at all: nothing was loaded, or a crash came before the first one. Both begin at the beginning.
    const from = next ?? new Map<number, number>();
    return { id, next: from, saved: from };
  }

  /** While it cannot be asked, what waits behind the place that was loaded last is still told. */
  async #known(): Promise<ReadonlyMap<string, FeedPositions>> {
    try {
      return await this.#sink.positions();
    } catch (error) {
      await this.#lookAtLag();
      throw error;
    }
  }

  /** A feed that was put back to an earlier state and went on from there may have reached the position again, with other plays. */
  async #assertSameFeed(): Promise<void> {
    if (!this.#source.has) return;
    const last = await this.#sink.lastPlay();
    if (last === null || (await this.#source.has(last))) return;
    throw new FeedFault(
      `analytics has the log ${last.logId} as record ${last.offset} of the feed, and the feed has not: the data directory is older than its ` +
        `analytics, and may have taken other logs since. ${this.#source.reload} See docs/operations.md, "Restoring a backup".`,
    );
  }

  /** Analytics that was restored from a backup meanwhile has less: a position behind what it has not would leave a hole for ever. */
  async #assertKept(id: string, saved: FeedPositions): Promise<void> {
    const kept = (await this.#sink.positions()).get(id);
    this.#lookedAt = performance.now();
    for (const [partition, offset] of saved) {
      const at = kept?.get(partition) ?? 0;
      if (at < offset) {
        throw new Error(
          `analytics had partition ${partition} of the feed up to ${offset} and now has it up to ${at}, as after a restore: it is loaded again from there`,
        );
      }
    }
  }

  async #failed(error: unknown): Promise<void> {
    const message = error instanceof Error ? error.message : String(error);
    let told = message;
    const stopped = error instanceof FeedFault;
    this.#sure = false;
    try {
      await this.#sink.discard();
    } catch (closing) {
      told = `${message}; and closing the connection failed: ${closing instanceof Error ? closing.message : String(closing)}`;
    }
    this.#tell({ ...this.#status, failures: this.#status.failures + 1, lastError: told, stopped });
  }

  async #lookAtLag(): Promise<void> {
    if (!this.#feed) return;
    try {
      this.#tell({ ...this.#status, lagRows: await this.#source.lag(this.#feed.next) });
    } catch {
      // It stays as it was last known; why loading stopped is what has to be said.
    }
  }

  #tell(status: LoaderStatus): void {
    this.#status = status;
    this.#onStatus(status);
  }
}

/** Waits, or less when `signal` is aborted. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
