/** The figures as a table for people, and held against the targets. */
import type { Speed } from './context.ts';
import type { Machine } from './machine.ts';
import type { Measured } from './measure.ts';
import type { StageCost } from './stages.ts';
import { count, table } from './text.ts';

export { table };

export interface BenchResult {
  readonly format: 1;
  readonly startedAt: string;
  readonly machine: Machine;
  /** Before the first load and after the last: how steady the machine was. */
  readonly verify: { readonly before: Speed; readonly after: Speed };
  readonly options: { readonly seconds: number; readonly ids: string; readonly prepareMegabytes: number };
  readonly runs: readonly Measured[];
  readonly targets: readonly Target[];
}

export interface Target {
  readonly what: string;
  readonly target: string;
  readonly measured: string;
  readonly met: boolean;
}

/** Of one core: the mean of both measurements. */
export function verifyPerSecond({ before, after }: BenchResult['verify']): number {
  return (before.perSecond + after.perSecond) / 2;
}

/** Each target of the project whose load was run. */
export function holdAgainstTargets(runs: readonly Measured[], verify: BenchResult['verify']): Target[] {
  const find = (name: string): Measured | undefined => runs.find(({ scenario }) => scenario.name === name);
  const targets: Target[] = [];
  const batch = find('batch');
  if (batch) {
    const ratio = batch.logsPerSecond / verifyPerSecond(verify);
    targets.push({
      what: 'batches of 100, whole path ÷ RSA-2048 verifications of one core',
      target: '≥ 0.60',
      measured: ratio.toFixed(3),
      met: ratio >= 0.6,
    });
  }
  const single = find('single');
  if (single) {
    const rate = single.logsPerSecond;
    targets.push({ what: 'single logs, whole path', target: '≥ 15 000/s', measured: `${count(rate)}/s`, met: rate >= 15_000 });
  }
  const singleOpen = find('single-open');
  if (singleOpen) {
    const { p99 } = singleOpen.result.latency;
    const what = `single logs at ${count(singleOpen.scenario.load.rate ?? 0)} logs/s, p99`;
    targets.push({ what, target: '< 25 ms', measured: `${p99.toFixed(1)} ms`, met: p99 < 25 });
  }
  const open = find('open');
  if (open) {
    const { p50, p99 } = open.result.latency;
    const { feed, report } = open.visible ?? { feed: null, report: null };
    const at = `batches of 100 at ${count(open.scenario.load.rate ?? 0)} logs/s`;
    targets.push({ what: `${at}, p50`, target: '< 8 ms', measured: `${p50.toFixed(1)} ms`, met: p50 < 8 });
    targets.push({ what: `${at}, p99`, target: '< 20 ms', measured: `${p99.toFixed(1)} ms`, met: p99 < 20 });
    if (feed) {
      targets.push({ what: 'received → in the feed, p99', target: '< 1 s', measured: `${feed.p99.toFixed(0)} ms`, met: feed.p99 < 1_000 });
    }
    if (report) {
      targets.push({
        what: 'received → in the report, p99',
        target: '< 5 s',
        measured: `${report.p99.toFixed(0)} ms`,
        met: report.p99 < 5_000,
      });
    }
  }
  return targets;
}

export function describe({ machine, verify, runs, targets }: BenchResult): string {
  const lines = [
    ...describeMachineLines(machine, verify),
    '',
    ...describeRuns(runs, verify, machine),
    '',
    ...table([
      ['target', '', '', ''],
      ...targets.map(({ what, target, measured, met }) => [what, target, measured, met ? 'met' : 'NOT MET']),
    ]),
    '',
    ...verdict(runs),
  ];
  return lines.join('\n');
}

export function describeMachineLines(machine: Machine, { before, after }: BenchResult['verify']): string[] {
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.os}; data on ${machine.fileSystem}`,
    `Node ${machine.node}, OpenSSL ${machine.openssl}, SQLite ${machine.sqlite}, chDB ${machine.chdb}`,
    `${before.source}: ${count(before.perSecond)} RSA-2048 verifications/s on one core before, ${count(after.perSecond)} after`,
    `memory: a read at random ${nanoseconds(before)} before, ${nanoseconds(after)} after; the first touch of a page ${touch(before)}, ${touch(after)}`,
    ...(machine.fileSystem === 'tmpfs' ? ['The data lies in memory, where a sync costs nothing: choose a disk with --dir.'] : []),
  ];
}

function nanoseconds({ memory }: Speed): string {
  return `${memory.randomReadNs.toFixed(0)} ns`;
}

function touch({ memory }: Speed): string {
  return `${memory.firstTouchUs.toFixed(1)} µs`;
}

/** A column for each load, a row for each figure; then the CPU of the threads. */
export function describeRuns(runs: readonly Measured[], verify: BenchResult['verify'], machine: Machine): string[] {
  return [
    ...table([
      ['', ...runs.map(({ scenario }) => scenario.name)],
      ['whole path, logs/s', ...runs.map((run) => count(run.logsPerSecond))],
      ['÷ verifications of one core', ...runs.map((run) => (run.logsPerSecond / verifyPerSecond(verify)).toFixed(3))],
      ['durably answered, logs/s', ...runs.map((run) => count(run.acceptedPerSecond))],
      ['settled, logs/s', ...runs.map((run) => count(run.settledPerSecond))],
      ['logs', ...runs.map((run) => count(run.result.accepted))],
      ['latency p50, ms', ...runs.map((run) => run.result.latency.p50.toFixed(1))],
      ['latency p90, ms', ...runs.map((run) => run.result.latency.p90.toFixed(1))],
      ['latency p99, ms', ...runs.map((run) => run.result.latency.p99.toFixed(1))],
      ['latency max, ms', ...runs.map((run) => run.result.latency.max.toFixed(1))],
      ['longest lag of the feed, ms', ...runs.map((run) => run.lag.settleMs.toFixed(0))],
      ['longest lag of reports, ms', ...runs.map((run) => run.lag.analyticsMs.toFixed(0))],
      ['CPU of the service, µs a log', ...runs.map((run) => each(run, run.service?.cpuSeconds))],
      ['CPU of analytics, µs a log', ...runs.map((run) => each(run, run.analytics?.cpuSeconds))],
      ['CPU of the load, µs a log', ...runs.map((run) => each(run, run.result.cpuSeconds))],
      ['by its CPU the machine could carry, logs/s', ...runs.map((run) => bound(run, machine.cores))],
      ['of the machine others took', ...runs.map((run) => share(run.takenByOthers))],
      ['most memory: service, MB', ...runs.map((run) => megabytes(run.service?.maxRssBytes))],
      ['most memory: analytics, MB', ...runs.map((run) => megabytes(run.analytics?.maxRssBytes))],
      ['most memory: load, MB', ...runs.map((run) => megabytes(run.result.maxRssBytes))],
      ['disk: journal, archive, feed, B a log', ...runs.map((run) => count(run.disk.archiveAndFeed))],
      ['disk: analytics, B a log', ...runs.map((run) => count(run.disk.analytics))],
      ['requests not answered 2xx', ...runs.map((run) => count(failed(run)))],
      ['signed during the run', ...runs.map((run) => `${((100 * run.result.signedLate) / Math.max(1, run.result.accepted)).toFixed(0)} %`)],
    ]),
    ...disturbed(runs),
    '',
    ...threads(runs),
  ];
}

export function describeStages(stages: readonly StageCost[]): string[] {
  const sum = stages.filter(({ inSum }) => inSum).reduce((total, { cpuMicros }) => total + cpuMicros, 0);
  return table([
    ['stage', 'thread', 'CPU µs a log', ''],
    ...stages.map(({ name, where, cpuMicros, inSum }) => [name, where, cpuMicros.toFixed(2), inSum ? '' : 'not in the sum']),
    ['sum, without HTTP', '', sum.toFixed(2), ''],
  ]);
}

function threads(runs: readonly Measured[]): string[] {
  const names = new Set(runs.flatMap((run) => Object.keys(run.service?.threads ?? {})));
  if (names.size === 0) return [];
  const row = (name: string): string[] => [name, ...runs.map((run) => each(run, run.service?.threads[name] ?? 0))];
  return table([['CPU of the service by thread, µs a log', ...runs.map(({ scenario }) => scenario.name)], ...[...names].map(row)]);
}

/** From here on other processes, not this program, decide what is measured. */
const DISTURBED = 0.05;

function disturbed(runs: readonly Measured[]): string[] {
  return runs.some(({ takenByOthers }) => (takenByOthers ?? 0) > DISTURBED)
    ? ['Other processes took a part of the machine: rates and latencies say little, CPU a log is too high. Measure again when it is quiet.']
    : [];
}

/** All cores busy with nothing but this. */
function bound({ service, analytics, result }: Measured, cores: number): string {
  if (!service || !analytics) return '-';
  return count((cores * result.accepted) / (service.cpuSeconds + analytics.cpuSeconds + result.cpuSeconds));
}

function share(part: number | null): string {
  return part === null ? '-' : `${(part * 100).toFixed(0)} %`;
}

function verdict(runs: readonly Measured[]): string[] {
  const faults = runs.flatMap((run) => run.faults.map((fault) => `WRONG (${run.scenario.name}): ${fault}`));
  const total = runs.reduce((sum, run) => sum + run.result.accepted, 0);
  return faults.length > 0 ? faults : [`Every count is right: ${count(total)} logs accepted, settled, archived, in the report.`];
}

function failed({ result }: Measured): number {
  return Object.values(result.failures).reduce((sum, n) => sum + n, 0) + result.notSent;
}

function each(run: Measured, seconds: number | undefined): string {
  return seconds === undefined ? '-' : ((seconds * 1e6) / run.result.accepted).toFixed(1);
}

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? '-' : (bytes / 1e6).toFixed(0);
}
