/** A rate that grows step by step, and where latency leaves the ground. */
import type { InstallationOptions } from './installation.ts';
import { withInstallation } from './installation.ts';
import type { Latency, Second } from './load/messages.ts';
import { checkRun } from './check.ts';
import { drained, preparedPerSecond, warmUp } from './measure.ts';

export interface RampPlan {
  /** Logs a second. */
  readonly from: number;
  readonly to: number;
  readonly steps: number;
  readonly secondsEach: number;
}

export interface RampStep {
  /** Logs a second that were due. */
  readonly rate: number;
  readonly accepted: number;
  readonly latency: Latency;
  /** Requests that were turned away, or not sent because too many were out. */
  readonly notTaken: number;
}

export interface Ramp {
  readonly steps: readonly RampStep[];
  /** The highest rate that was carried; null where not even the first one was. */
  readonly knee: number | null;
  readonly series: readonly Second[];
  readonly faults: readonly string[];
}

const BATCH = 100;
const CONNECTIONS = 256;
/** A step is carried when nearly all of it is accepted, and its p99 is not far from that of the first step. */
const CARRIED_PART = 0.97;
const P99_TIMES = 5;
const P99_AT_LEAST_MS = 50;

/** Each step the same factor above the one before. */
export function rampRates({ from, to, steps }: Pick<RampPlan, 'from' | 'to' | 'steps'>): number[] {
  if (steps === 1) return [from];
  const factor = (to / from) ** (1 / (steps - 1));
  return Array.from({ length: steps }, (_, i) => Math.round(from * factor ** i));
}

export function kneeOf(steps: readonly RampStep[]): number | null {
  const limit = Math.max(P99_AT_LEAST_MS, (steps[0]?.latency.p99 ?? 0) * P99_TIMES);
  let knee: number | null = null;
  for (const { rate, accepted, latency } of steps) {
    if (accepted < rate * CARRIED_PART || latency.p99 > limit) break;
    knee = rate;
  }
  return knee;
}

export async function runRamp(
  plan: RampPlan,
  options: InstallationOptions,
  onSecond: (rate: number, second: Second) => void,
): Promise<Ramp> {
  return withInstallation(options, async (installation) => {
    const { service, generator } = installation;
    const load = { url: service.url, batch: BATCH, connections: CONNECTIONS, seconds: plan.secondsEach };
    let total = await warmUp(installation, { ...load, rate: plan.from }, options.prepareMegabytes);
    const steps: RampStep[] = [];
    const series: Second[] = [];
    const faults: string[] = [];
    for (const rate of rampRates(plan)) {
      await generator.prepare(BATCH, preparedPerSecond({ rate, batch: BATCH }) * plan.secondsEach, options.prepareMegabytes);
      const before = series.length;
      const result = await generator.run({ ...load, rate }, (second) => {
        series.push({ ...second, second: before + second.second });
        onSecond(rate, second);
      });
      total += result.accepted;
      await drained(service, total);
      const turnedAway = Object.values(result.failures).reduce((sum, n) => sum + n, 0);
      // The mean of the requests that were due by chance, not of those that were planned.
      const due = ((result.requests + result.notSent) * BATCH) / plan.secondsEach;
      steps.push({
        rate: Math.round(due),
        accepted: Math.round(result.accepted / plan.secondsEach),
        latency: result.latency,
        notTaken: turnedAway + result.notSent,
      });
      faults.push(...(await checkRun(service, result, total)));
    }
    await service.stop();
    return { steps, knee: kneeOf(steps), series, faults };
  });
}
