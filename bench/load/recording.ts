/** Counts answers and times while a load runs. Its memory does not grow with the number of requests, but for one row a second. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Latency, LoadResult, Second } from './messages.ts';

const SAMPLE = 64;
const HIGHEST_US = 600_000_000;

const histogram = (): RecordableHistogram => createHistogram({ lowest: 1, highest: HIGHEST_US, figures: 3 });

export interface Outcome {
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
}

export class Recording {
  readonly #all = histogram();
  readonly #second = histogram();
  readonly #series: Second[] = [];
  readonly #failures: Record<string, number> = {};
  readonly #sample: string[] = [];
  readonly #onSecond: (second: Second) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #cpu = process.cpuUsage();
  readonly #started = performance.now();
  readonly #startedAt = Date.now();
  #requests = 0;
  #accepted = 0;
  #duplicates = 0;
  #rejected = 0;
  #notSent = 0;
  #withoutRetryAfter = 0;
  #secondLogs = 0;
  #secondFailed = 0;
  #maxRss = 0;

  constructor(onSecond: (second: Second) => void) {
    this.#onSecond = onSecond;
    this.#timer = setInterval(() => this.#tick(), 1_000);
  }

  answered(milliseconds: number, outcome: Outcome, logId: string): void {
    this.#requests += 1;
    this.#accepted += outcome.accepted;
    this.#duplicates += outcome.duplicates;
    this.#rejected += outcome.rejected;
    this.#secondLogs += outcome.accepted + outcome.duplicates + outcome.rejected;
    const microseconds = Math.max(1, Math.round(milliseconds * 1000));
    this.#all.record(microseconds);
    this.#second.record(microseconds);
    // Each request of the run has the same chance to be in the sample (reservoir sampling).
    if (outcome.rejected > 0) return;
    if (this.#sample.length < SAMPLE) this.#sample.push(logId);
    else {
      const place = Math.floor(Math.random() * this.#requests);
      if (place < SAMPLE) this.#sample[place] = logId;
    }
  }

  /** @param retryAfter Whether the answer says when to come again. */
  failed(status: number, retryAfter: boolean): void {
    this.#requests += 1;
    if ((status === 429 || status === 503) && !retryAfter) this.#withoutRetryAfter += 1;
    this.#secondFailed += 1;
    this.#failures[status] = (this.#failures[status] ?? 0) + 1;
  }

  notSent(): void {
    this.#notSent += 1;
    this.#secondFailed += 1;
  }

  finish(signedLate: number): LoadResult {
    const seconds = (performance.now() - this.#started) / 1000;
    clearInterval(this.#timer);
    const cpu = process.cpuUsage(this.#cpu);
    return {
      latency: latencyOf(this.#all),
      requests: this.#requests,
      accepted: this.#accepted,
      duplicates: this.#duplicates,
      rejected: this.#rejected,
      failures: this.#failures,
      withoutRetryAfter: this.#withoutRetryAfter,
      notSent: this.#notSent,
      signedLate,
      seconds,
      startedAt: this.#startedAt,
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      maxRssBytes: Math.max(this.#maxRss, process.memoryUsage.rss()),
      series: this.#series,
      sample: this.#sample,
    };
  }

  #tick(): void {
    const { p50, p90, p99 } = latencyOf(this.#second);
    const second: Second = { second: this.#series.length + 1, logs: this.#secondLogs, p50, p90, p99, failed: this.#secondFailed };
    this.#series.push(second);
    this.#onSecond(second);
    this.#second.reset();
    this.#secondLogs = 0;
    this.#secondFailed = 0;
    this.#maxRss = Math.max(this.#maxRss, process.memoryUsage.rss());
  }
}

function latencyOf(from: RecordableHistogram): Latency {
  if (from.count === 0) return { p50: 0, p90: 0, p99: 0, max: 0 };
  return { p50: from.percentile(50) / 1000, p90: from.percentile(90) / 1000, p99: from.percentile(99) / 1000, max: from.max / 1000 };
}
