/** Twice the rate that the service carries: what it turns away, what becomes of those it takes, and how it is afterwards. */
import { checkRun } from './check.ts';
import { type Installation, type InstallationOptions, withInstallation } from './installation.ts';
import type { Latency, LoadResult, Second } from './load/messages.ts';
import { drained, preparedPerSecond, warmUp } from './measure.ts';

export interface OverloadPlan {
  /** Of the closed loop that finds out what is carried. */
  readonly sustainSeconds: number;
  readonly overloadSeconds: number;
  /** Of the moderate load before and after. */
  readonly moderateSeconds: number;
}

export interface Overload {
  /** Logs a second over the whole path, in a closed loop. */
  readonly sustainable: number;
  /** Logs a second, all three of them. */
  readonly offered: number;
  readonly accepted: number;
  readonly turnedAway: number;
  /** Answers by status, those of accepted logs left out; 0 is no answer. */
  readonly failures: Readonly<Record<string, number>>;
  readonly notSent: number;
  readonly withoutRetryAfter: number;
  /** Of accepted requests, from the instant at which they were due. */
  readonly latency: Latency;
  /** At half the sustainable rate, before and right after. */
  readonly moderateRate: number;
  readonly before: Latency;
  readonly after: Latency;
  /** Seconds after the overload until a whole second's p99 was like before; null: not within the time looked at. */
  readonly recoveredAfter: number | null;
  readonly series: readonly Second[];
  readonly faults: readonly string[];
}

const BATCH = 100;
const FACTOR = 2;
const MODERATE = 0.5;
/** As many clients as could be waiting at once: with fewer, the generator's own queue would hide the overload. */
const CONNECTIONS = 1_024;
/** Latency is like before up to this factor and this many milliseconds more. */
const LIKE_TIMES = 1.5;
const LIKE_MORE_MS = 10;

export function recoveredAfter(series: readonly Second[], p99Before: number): number | null {
  const limit = p99Before * LIKE_TIMES + LIKE_MORE_MS;
  return series.find(({ logs, p99, failed }) => logs > 0 && failed === 0 && p99 <= limit)?.second ?? null;
}

export async function runOverload(
  plan: OverloadPlan,
  options: InstallationOptions,
  onSecond: (phase: string, second: Second) => void,
): Promise<Overload> {
  return withInstallation(options, (installation) => overload(plan, options.prepareMegabytes, installation, onSecond));
}

async function overload(
  plan: OverloadPlan,
  megabytes: number,
  installation: Installation,
  onSecond: (phase: string, second: Second) => void,
): Promise<Overload> {
  const { service, generator } = installation;
  const series: Second[] = [];
  let total = 0;
  const run = async (phase: string, connections: number, seconds: number, rate: number | null): Promise<LoadResult> => {
    const before = series.length;
    const result = await generator.run({ url: service.url, batch: BATCH, connections, seconds, rate }, (second) => {
      series.push({ ...second, second: before + second.second });
      onSecond(phase, second);
    });
    total += result.accepted;
    return result;
  };

  const closed = { url: service.url, batch: BATCH, connections: 16, seconds: plan.sustainSeconds, rate: null };
  total += await warmUp(installation, closed, megabytes);
  await generator.prepare(BATCH, preparedPerSecond(closed) * plan.sustainSeconds, megabytes);
  const sustained = await run('as much as it carries', closed.connections, plan.sustainSeconds, null);
  const { loadedAt } = await drained(service, total);
  const sustainable = sustained.accepted / ((loadedAt - sustained.startedAt) / 1000);

  const moderateRate = Math.round(sustainable * MODERATE);
  const prepared = preparedPerSecond({ rate: moderateRate, batch: BATCH }) * plan.moderateSeconds;
  await generator.prepare(BATCH, prepared, megabytes);
  const before = await run('half of it', CONNECTIONS, plan.moderateSeconds, moderateRate);
  await drained(service, total);

  const rate = Math.round(sustainable * FACTOR);
  // For both loads at once: the second one follows the first without a pause for signing.
  await generator.prepare(BATCH, preparedPerSecond({ rate, batch: BATCH }) * plan.overloadSeconds + prepared, megabytes);
  const over = await run('twice of it', CONNECTIONS, plan.overloadSeconds, rate);
  const after = await run('half of it again', CONNECTIONS, plan.moderateSeconds, moderateRate);
  await drained(service, total);
  const faults = await checkRun(service, together([sustained, before, over, after]), total);
  if (over.withoutRetryAfter > 0) faults.push(`${over.withoutRetryAfter} requests were turned away without Retry-After`);
  await service.stop();

  const perSecond = (requests: number): number => (requests * BATCH) / plan.overloadSeconds;
  const failed = Object.values(over.failures).reduce((sum, n) => sum + n, 0);
  return {
    sustainable,
    offered: perSecond(over.requests + over.notSent),
    accepted: over.accepted / plan.overloadSeconds,
    turnedAway: perSecond(failed),
    failures: over.failures,
    notSent: over.notSent,
    withoutRetryAfter: over.withoutRetryAfter,
    latency: over.latency,
    moderateRate,
    before: before.latency,
    after: after.latency,
    recoveredAfter: recoveredAfter(after.series, before.latency.p99),
    series,
    faults,
  };
}

/** The last one, with what the answers said to all of them. */
function together(results: readonly LoadResult[]): LoadResult {
  const sum = (of: (result: LoadResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  const failures: Record<string, number> = {};
  for (const result of results) {
    for (const [status, n] of Object.entries(result.failures)) failures[status] = (failures[status] ?? 0) + n;
  }
  const last = results.at(-1) as LoadResult;
  return { ...last, failures, duplicates: sum(({ duplicates }) => duplicates), rejected: sum(({ rejected }) => rejected) };
}
