/** What the parts of the benchmark found, in words for a terminal. */
import { type Growth, growthRatio } from './growth.ts';
import type { Second } from './load/messages.ts';
import type { Measured } from './measure.ts';
import { trendOf } from './memory.ts';
import type { Overload } from './overload.ts';
import type { Ramp } from './ramp.ts';
import { bytes, count, milliseconds, table } from './text.ts';
import type { Witness } from './witness/witness.ts';

/** @param seconds How many there will be; null: not known here. */
export function liveLine(name: string, seconds: number | null, { second, logs, p50, p99, failed }: Second): string {
  const of = seconds === null ? '' : ` of ${seconds}`;
  return `${name}, second ${second}${of}: ${count(logs)} logs/s, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ${failed} not answered`;
}

export function describeOverload(run: Overload): string[] {
  const statuses = Object.entries(run.failures).map(([status, n]) => `${n} × ${status === '0' ? 'no answer' : status}`);
  return [
    ...table([
      ['overload', ''],
      ['carried over the whole path, logs/s', count(run.sustainable)],
      ['offered, logs/s', count(run.offered)],
      ['accepted, logs/s', count(run.accepted)],
      ['turned away, logs/s', count(run.turnedAway)],
      ['answers to those', statuses.join(', ') || 'none'],
      ['of them without Retry-After', count(run.withoutRetryAfter)],
      ['never sent, too many were out', count(run.notSent)],
      ['p50 and p99 of accepted requests', `${milliseconds(run.latency.p50)}, ${milliseconds(run.latency.p99)}`],
      [`p99 at ${count(run.moderateRate)}/s before`, milliseconds(run.before.p99)],
      ['and right after', milliseconds(run.after.p99)],
      ['a whole second as before came after', run.recoveredAfter === null ? 'not while it was looked at' : `${run.recoveredAfter} s`],
    ]),
    ...verdict(run.faults),
  ];
}

export function describeRamp({ steps, knee, faults }: Ramp): string[] {
  return [
    ...table([
      ['due, logs/s', 'accepted', 'p50', 'p90', 'p99', 'not taken'],
      ...steps.map(({ rate, accepted, latency, notTaken }) => [
        count(rate),
        count(accepted),
        ...[latency.p50, latency.p90, latency.p99].map(milliseconds),
        count(notTaken),
      ]),
    ]),
    knee === null ? 'Not even the first rate was carried.' : `Carried up to ${count(knee)} logs/s.`,
    ...verdict(faults),
  ];
}

export function describeGrowth(run: Growth): string[] {
  const { plan, skipped, grown, empty, full, report, audit, keptIn } = run;
  if (skipped !== null || !grown || !full) return [`Not run: ${skipped ?? 'nothing was measured'}.`];
  const rows = [
    [`${plan.logs / 1e6} million logs stored, ids of ${plan.ids}`, ''],
    ['stored and loaded below the HTTP layer, logs/s', count(grown.logsPerSecond)],
    ['start-up: logs taken, reports answered', `${full.startUp.listening.toFixed(1)} s, ${full.startUp.reporting.toFixed(1)} s`],
    ['on nothing, before and after, logs/s', empty.map((each) => count(each.logsPerSecond)).join(', ')],
    ['on them, logs/s', count(full.logsPerSecond)],
    ['÷', (growthRatio(run) ?? 0).toFixed(3)],
  ];
  if (report)
    rows.push(['report by campaign and day: first, median of 9', `${milliseconds(report.coldMs)}, ${milliseconds(report.warmMs)}`]);
  if (audit) rows.push(['audit, signatures left out', `${audit.seconds.toFixed(0)} s, ${bytes(audit.peakBytes ?? 0)} at most`]);
  return [...table(rows), ...(keptIn === null ? [] : [`The data directory: ${keptIn}`]), ...verdict(run.faults)];
}

export function describeMemory(run: Measured): string[] {
  const trend = trendOf(run.memory);
  if (!trend) return ['Memory is not known here: there is no /proc, or it took too short.', ...verdict(run.faults)];
  return [
    ...table([
      [`memory of service and analytics, ${(run.scenario.load.seconds / 60).toFixed(0)} min at full load`, ''],
      ['logs/s', count(run.logsPerSecond)],
      ['most', bytes(trend.maxBytes)],
      ['mean of the second half', bytes(trend.meanBytes)],
      ['growth there, a minute', `${(trend.bytesPerMinute / 1e6).toFixed(1)} MB`],
    ]),
    ...verdict(run.faults),
  ];
}

export function describeWitness(runs: readonly Witness[]): string[] {
  return runs.flatMap(({ plan, skipped, wrk, ours, faults }) => {
    const what = `${plan.batch === 1 ? 'single logs' : 'batches of 100'}, ${plan.connections} connections`;
    if (skipped !== null || !wrk || !ours) return [`${what}: not run: ${skipped ?? 'nothing was measured'}.`];
    return [
      ...table([
        [what, 'logs/s', 'p50', 'p99'],
        ['wrk', count(wrk.logsPerSecond), milliseconds(wrk.latency.p50), milliseconds(wrk.latency.p99)],
        ['ours', count(ours.logsPerSecond), milliseconds(ours.latency.p50), milliseconds(ours.latency.p99)],
      ]),
      ...verdict(faults),
    ];
  });
}

export function verdict(faults: readonly string[]): string[] {
  return faults.length > 0 ? faults.map((fault) => `WRONG: ${fault}`) : ['Every count is right.'];
}
