/**
 * The figures of the last ten minutes, second by second, kept in memory: what a person watches. A restart begins anew; what is to
 * be kept for longer is Prometheus' business (`/metrics`).
 */
import type { Histogram, Registry } from 'prom-client';
import type { Counters } from '../counters.ts';
import { type Code, CODE_NAMES } from '../domain/codes.ts';

const EVERY_MS = 1_000;
const KEPT = 600;
const ANSWER_TIMES = 'playproof_http_request_seconds';
const LOG_ROUTES = new Set(['/api/v1/playback-logs', '/api/v1/playback-logs/batch']);

export interface Point {
  /** Milliseconds since 1970 UTC; the counts are of the second before it. */
  readonly at: number;
  readonly accepted: number;
  readonly billable: number;
  readonly duplicates: number;
  readonly refused: number;
  /** Records waiting, at that instant. */
  readonly settle_lag: number;
  /** Null: nobody knows. */
  readonly analytics_lag: number | null;
  /** Milliseconds to answer a request with logs; null where there was none. */
  readonly answer_p50: number | null;
  readonly answer_p99: number | null;
}

export interface LiveSources {
  readonly counters: Counters;
  /** Everything settled up to here is loaded; null: nobody knows yet. */
  readonly loaded: () => number | null;
  /** Holds the histogram of answer times that the server keeps. */
  readonly metrics: Registry;
}

interface Totals {
  readonly accepted: number;
  readonly billable: number;
  readonly duplicates: number;
  readonly refused: number;
}

export class LiveFigures {
  readonly startedAt: number;
  readonly #sources: LiveSources;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  #points: Point[] = [];
  #last: Totals;
  #answers: readonly number[] = [];
  /** Refusals by code a minute ago and now, to tell what is refused lately. */
  #codes: { readonly at: number; readonly counts: readonly number[] }[] = [];

  constructor(sources: LiveSources, now: () => number = Date.now) {
    this.#sources = sources;
    this.#now = now;
    this.startedAt = now();
    this.#last = this.#totals();
    this.#timer = setInterval(() => void this.sample(), EVERY_MS);
    this.#timer.unref();
  }

  /** The points after `since`, oldest first. */
  pointsAfter(since: number): readonly Point[] {
    const first = this.#points.findIndex(({ at }) => at > since);
    return first < 0 ? [] : this.#points.slice(first);
  }

  /** Refusals by code: since the start, and in about the last minute. */
  refusedByCode(): { readonly code: Code; readonly count: number; readonly last_minute: number }[] {
    const before = this.#codes[0]?.counts;
    return CODE_NAMES.flatMap((code, place) => {
      const count = this.#sources.counters.refused(code);
      return count === 0 ? [] : [{ code, count, last_minute: count - (before?.[place] ?? 0) }];
    });
  }

  /** Takes one point. Called by the timer, and by tests. */
  async sample(): Promise<void> {
    const { counters, loaded } = this.#sources;
    const at = this.#now();
    const totals = this.#totals();
    const before = this.#last;
    this.#last = totals;
    const settled = counters.get('settled');
    const loadedTo = loaded();
    const [p50, p99] = await this.#answerTimes();
    this.#points.push({
      at,
      accepted: totals.accepted - before.accepted,
      billable: totals.billable - before.billable,
      duplicates: totals.duplicates - before.duplicates,
      refused: totals.refused - before.refused,
      settle_lag: Math.max(0, counters.get('end') - settled),
      analytics_lag: loadedTo === null ? null : Math.max(0, settled - loadedTo),
      answer_p50: p50,
      answer_p99: p99,
    });
    if (this.#points.length > KEPT) this.#points.shift();
    this.#codes.push({ at, counts: CODE_NAMES.map((code) => counters.refused(code)) });
    if (this.#codes.length > 61) this.#codes.shift();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #totals(): Totals {
    const { counters } = this.#sources;
    let refused = 0;
    for (const code of CODE_NAMES) refused += counters.refused(code);
    return {
      accepted: counters.get('accepted'),
      billable: counters.get('billable'),
      duplicates: counters.get('duplicates'),
      refused,
    };
  }

  /** Median and 99th percentile of the requests answered since the last call, from the histogram's buckets. */
  async #answerTimes(): Promise<[number | null, number | null]> {
    const histogram = this.#sources.metrics.getSingleMetric(ANSWER_TIMES) as Histogram | undefined;
    if (!histogram) return [null, null];
    const { values } = await histogram.get();
    const bounds = new Map<number, number>();
    for (const { labels, metricName, value } of values) {
      const { le, route } = labels as { le?: number | string; route?: string };
      if (metricName !== `${ANSWER_TIMES}_bucket` || le === undefined || !LOG_ROUTES.has(route ?? '')) continue;
      const bound = Number(le === '+Inf' ? Number.POSITIVE_INFINITY : le);
      bounds.set(bound, (bounds.get(bound) ?? 0) + value);
    }
    const sorted = [...bounds].sort(([a], [b]) => a - b);
    const counts = sorted.map(([, count]) => count);
    const fresh = counts.map((count, place) => count - (this.#answers[place] ?? 0));
    this.#answers = counts;
    const edges = sorted.map(([bound]) => bound * 1000);
    return [quantile(edges, fresh, 0.5), quantile(edges, fresh, 0.99)];
  }
}

/**
 * As Prometheus does it: linear inside the bucket; above the last bound, that bound.
 * @param counts cumulative, of the values up to each of `bounds`
 */
export function quantile(bounds: readonly number[], counts: readonly number[], q: number): number | null {
  const total = counts.at(-1) ?? 0;
  if (total === 0) return null;
  const rank = q * total;
  const place = counts.findIndex((count) => count >= rank);
  const upper = bounds[place] ?? 0;
  const lower = place === 0 ? 0 : (bounds[place - 1] ?? 0);
  if (!Number.isFinite(upper)) return lower;
  const below = place === 0 ? 0 : (counts[place - 1] ?? 0);
  const inside = (counts[place] ?? 0) - below;
  return lower + ((upper - lower) * (rank - below)) / inside;
}
