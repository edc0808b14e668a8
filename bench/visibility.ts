/**
 * How long an accepted log takes until it is seen: in the feed, and in the report.
 *
 * Both are followed while the load runs. Each observation says: at this instant everything received before that instant was
 * there. A log that was received at r was seen at the first observation whose `until` is not before r. So each log of the run
 * counts, also those that came while a look hung, and what lies between two looks counts as seen at the later one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchService } from './service.ts';

/** Milliseconds since 1970 UTC, both. */
export interface Observation {
  readonly at: number;
  readonly until: number;
}

export interface Delays {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const GRID_MS = 1;
const REPORT_EVERY_MS = 200;
/** Short, so that the end of a load does not look like a delay. */
const FEED_WAIT_SECONDS = 0.25;
/** How far ahead of the last record seen the next one is asked for. */
const FEED_STEP_MS = 10;

/**
 * Delays of logs that came evenly between `from` and `to`, in milliseconds.
 *
 * @param observations In the order of `at`.
 * @returns null where the observations do not reach `to`: then nobody knows how long the last ones took.
 */
export function delaysOf(observations: readonly Observation[], from: number, to: number): Delays | null {
  const delays: number[] = [];
  let next = 0;
  for (let received = from; received < to; received += GRID_MS) {
    while (next < observations.length && (observations[next] as Observation).until < received) next += 1;
    const seen = observations[next];
    if (!seen) return null;
    delays.push(Math.max(0, seen.at - received));
  }
  if (delays.length === 0) return null;
  delays.sort((a, b) => a - b);
  const at = (part: number): number => delays[Math.min(delays.length - 1, Math.floor(delays.length * part))] as number;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

export interface Followed {
  readonly feed: readonly Observation[];
  readonly report: readonly Observation[];
}

/**
 * Begins to look. The returned function ends it, after both have seen what was received until now.
 *
 * @param position Of the last record in the feed, about. @param rate Logs a second that are on their way.
 */
export function follow(service: BenchService, position: number, rate: number): () => Promise<Followed> {
  let end = Number.POSITIVE_INFINITY;
  const feed: Observation[] = [];
  const report: Observation[] = [];
  const both = Promise.all([followFeed(service, position, rate, feed, () => end), followReport(service, report, () => end)]);
  both.catch(() => {});
  return async () => {
    end = Date.now();
    await both;
    return { feed, report };
  };
}

/**
 * Asks for a record that is not there yet and waits for it, as a consumer of the feed at its end does. Reading every record would
 * cost the machine more than accepting them, so it goes from one to another some way ahead.
 */
async function followFeed(service: BenchService, position: number, rate: number, seen: Observation[], end: () => number): Promise<void> {
  let after = position;
  let least = Number.POSITIVE_INFINITY;
  for (;;) {
    const ending = Date.now() >= end();
    const record = await service.feedAfter(after, ending ? 0 : FEED_WAIT_SECONDS);
    const at = Date.now();
    if (!record) {
      // Nothing lies behind `after` any more: all that was received is in the feed.
      if (ending) {
        seen.push({ at, until: at });
        return;
      }
      after = Math.max(position, after - Math.ceil((rate * FEED_STEP_MS) / 1000));
      continue;
    }
    seen.push({ at, until: record.receivedAt });
    const age = at - record.receivedAt;
    least = Math.min(least, age);
    // What is older than need be was overtaken: the next one is asked for further ahead. Near the end nothing is skipped.
    const ahead = ending ? 0 : Math.floor((rate * Math.max(FEED_STEP_MS, age - least)) / 1000);
    after = record.position + ahead;
  }
}

async function followReport(service: BenchService, seen: Observation[], end: () => number): Promise<void> {
  for (;;) {
    const until = await service.completeUntil();
    seen.push({ at: Date.now(), until });
    if (until >= end()) return;
    await sleep(REPORT_EVERY_MS);
  }
}
