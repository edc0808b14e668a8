/** The figures of the benchmarks on Kafka as tables for people. */
import type { Costs, ProcessCost } from './kafka-costs.ts';
import { totalSeconds } from './kafka-costs.ts';
import type { Stretch, WholePath } from './kafka-path.ts';
import type { Heat, Race, Racer } from './kafka-race.ts';
import { summarise } from './kafka-summary.ts';
import type { Target } from './report.ts';
import { table } from './text.ts';

/** From here on other processes decide what is measured. */
const DISTURBED = 0.05;
/** Threads of the node that are worth a line of their own; the others are summed up. */
const THREADS: readonly (readonly [string, (name: string) => boolean])[] = [
  ['main: HTTP, rule 4, Kafka calls', (name) => name === 'main'],
  ['judges', (name) => name === 'judge'],
  ["Kafka client's own", (name) => name.startsWith('rdk')],
  ["V8's own and others", () => true],
];

export function describeRace(race: Race, rate: number): string[] {
  const { heats, bytesPerRecord, faults } = race;
  const { perSecond, rounds, ratio, p50, p99 } = summarise(heats);
  const cell = (value: number | null, digits: number): string => (value === null ? '-' : value.toFixed(digits));
  return [
    ...table([
      ['Kafka journal, one broker', 'Bento', 'Playproof', 'ratio'],
      ['as much as goes, logs/s', cell(perSecond.peer, 0), cell(perSecond.ours, 0), cell(ratio, 3)],
      ['  of each round', '', '', rounds.map((one) => one.toFixed(3)).join(' ')],
      [`at ${rate}/s, p50, ms`, cell(p50.peer, 1), cell(p50.ours, 1), ''],
      [`at ${rate}/s, p99, ms`, cell(p99.peer, 1), cell(p99.ours, 1), ''],
      ['bytes of a record on the broker', String(bytesPerRecord.peer), String(bytesPerRecord.ours), ''],
      ['of the machine others took, most', ...(['peer', 'ours'] as const).map((racer) => share(worst(heats, racer))), ''],
    ]),
    '',
    ...raceCosts(heats),
    ...(heats.some(({ takenByOthers }) => takenByOthers > DISTURBED) ? [DISTURBANCE] : []),
    '',
    ...verdict(faults, `${sum(heats.map(({ result }) => result.accepted))} logs are in their topics, counted by Kafka's own tool`),
  ];
}

const DISTURBANCE =
  'Other processes took a part of the machine: rates and latencies say little, CPU a log is too high. Measure again when it is quiet.';

function raceCosts(heats: readonly Heat[]): string[] {
  const columns = (['closed', 'open'] as const).flatMap((kind) =>
    (['peer', 'ours'] as const).map((racer) => heats.filter((heat) => heat.kind === kind && heat.racer === racer)),
  );
  const each = (read: (heat: Heat) => number): string[] =>
    columns.map((some) => micros(sum(some.map(read)), sum(some.map(({ result }) => result.accepted))));
  const process = (name: string) => (heat: Heat) => heat.costs.processes[name]?.cpuSeconds ?? 0;
  return table([
    ['CPU, µs a log', 'Bento, full', 'Playproof, full', 'Bento, open', 'Playproof, open'],
    ['Bento', ...each(process('peer'))],
    ['Playproof', ...each(process('node'))],
    ...THREADS.map(([name], i) => [`  ${name}`, ...each((heat) => threadSeconds(heat.costs.processes.node, i))]),
    ['Kafka broker', ...each(process('broker'))],
    ['MongoDB server (registry)', ...each(process('mongodb'))],
    ['load generator', ...each(({ result }) => result.cpuSeconds)],
    ['sum', ...each(({ costs, result }) => totalSeconds(costs) + result.cpuSeconds)],
  ]);
}

/** CPU seconds of the threads of one line. What `/proc` gives for threads is coarser than for the process: the last line takes the rest. */
function threadSeconds(cost: ProcessCost | undefined, line: number): number {
  if (!cost) return 0;
  const lines = THREADS.map(() => 0);
  for (const [name, seconds] of Object.entries(cost.threads)) {
    const at = THREADS.findIndex(([, is]) => is(name));
    lines[at] = (lines[at] ?? 0) + seconds;
  }
  const last = THREADS.length - 1;
  const named = sum(lines.slice(0, last));
  return line === last ? Math.max(0, cost.cpuSeconds - named) : (lines[line] ?? 0);
}

export function describePath(path: WholePath, steady: number): string[] {
  const { full, twoNodes, freshness, bytesPerLog, counts, faults } = path;
  const stretches: readonly (readonly [string, Stretch])[] = [
    ['as much as goes', full],
    [`${steady}/s`, path.steady],
    ['two nodes', twoNodes],
  ];
  const row = (name: string, read: (stretch: Stretch) => string): string[] => [name, ...stretches.map(([, stretch]) => read(stretch))];
  const names = [...new Set(stretches.flatMap(([, { costs }]) => Object.keys(costs.processes)))];
  const cost = (read: (stretch: Stretch) => number) => (stretch: Stretch) => micros(read(stretch), stretch.accepted);
  const generators = (stretch: Stretch): number => sum(stretch.results.map(({ cpuSeconds }) => cpuSeconds));
  return [
    ...table([
      ['whole path on the cluster', ...stretches.map(([name]) => name)],
      row('whole path, logs/s', (stretch) => (stretch.accepted / stretch.secondsUntilLoaded).toFixed(0)),
      row('durably answered, logs/s', ({ results }) => sum(results.map(({ accepted, seconds }) => accepted / seconds)).toFixed(0)),
      row('logs', ({ accepted }) => String(accepted)),
      row('latency p50, ms', ({ results }) => results.map(({ latency }) => latency.p50.toFixed(1)).join(' and ')),
      row('latency p99, ms', ({ results }) => results.map(({ latency }) => latency.p99.toFixed(1)).join(' and ')),
      row('of the machine others took', ({ takenByOthers }) => share(takenByOthers)),
    ]),
    '',
    ...table([
      ['CPU, µs a log, until loaded', ...stretches.map(([name]) => name), 'idle, % of a core'],
      ...names.map((name) => [
        LABELS[name] ?? name,
        ...stretches.map(([, stretch]) => cost(({ costs }) => costs.processes[name]?.cpuSeconds ?? 0)(stretch)),
        idleShare(path.idle, name),
      ]),
      ['load generators', ...stretches.map(([, stretch]) => cost(generators)(stretch)), ''],
      ['sum', ...stretches.map(([, stretch]) => cost((one) => totalSeconds(one.costs) + generators(one))(stretch)), ''],
    ]),
    'The MongoDB-compatible server (SecantusDB) and ClickHouse over HTTP (chDB behind Node) stand in for the real ones; MongoDB itself is quicker.',
    '',
    ...table([
      ['age when seen, ms', 'p50', 'p99', 'max', 'plays'],
      ...(['feed', 'report'] as const).map((where) => {
        const { p50, p99, max, plays } = freshness[where];
        return [`in the ${where}, from receipt`, ...[p50, p99, max, plays].map(String)];
      }),
    ]),
    '',
    `Bytes a log: ${Object.entries(bytesPerLog)
      .map(([name, bytes]) => `${name} ${bytes}`)
      .join(', ')}; one copy each.`,
    ...(stretches.some(([, { takenByOthers }]) => takenByOthers > DISTURBED) ? [DISTURBANCE] : []),
    ...verdict(faults, `${counts.accepted} logs accepted, each once in the feed, in the archive and in analytics`),
  ];
}

const LABELS: Readonly<Record<string, string>> = {
  node: 'node: HTTP, judges, journal, queries',
  'node 2': 'second node: HTTP, judges, journal',
  settle: 'settling process',
  loader: 'loading process',
  broker: 'Kafka broker',
  mongodb: 'MongoDB-compatible server',
  clickhouse: 'ClickHouse over HTTP',
};

export function describeTargets(targets: readonly Target[]): string[] {
  return table([
    ['target', '', '', ''],
    ...targets.map(({ what, target, measured, met }) => [what, target, measured, met ? 'met' : 'NOT MET']),
  ]);
}

function idleShare({ processes, seconds }: Costs, name: string): string {
  const used = processes[name]?.cpuSeconds;
  return used === undefined ? '' : ((100 * used) / seconds).toFixed(1);
}

function verdict(faults: readonly string[], right: string): string[] {
  return faults.length > 0 ? faults.map((fault) => `WRONG: ${fault}`) : [`Every count is right: ${right}.`];
}

function worst(heats: readonly Heat[], racer: Racer): number {
  return Math.max(0, ...heats.filter((heat) => heat.racer === racer).map(({ takenByOthers }) => takenByOthers));
}

function share(part: number): string {
  return `${(part * 100).toFixed(0)} %`;
}

function micros(seconds: number, logs: number): string {
  return logs === 0 ? '-' : ((seconds * 1e6) / logs).toFixed(1);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
