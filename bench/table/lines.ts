/** The targets of the project, one line each, held against what was measured. */
import { splitOf, type DiskTotals } from '../disk.ts';
import { type Growth, growthRatio } from '../growth.ts';
import type { Measured } from '../measure.ts';
import { trendOf } from '../memory.ts';
import type { Overload } from '../overload.ts';
import { bytes, count, milliseconds } from '../text.ts';
import type { Witness } from '../witness/witness.ts';

export interface TableFigures {
  /** RSA-2048 verifications a second of one core. */
  readonly verifyPerSecond: number;
  /** By the name of the load. Null: it could not be measured, and a fault says why. */
  readonly batch: Measured | null;
  readonly single: Measured | null;
  readonly singleOpen: Measured | null;
  readonly open: Measured | null;
  readonly disk: DiskTotals | null;
  readonly overload: Overload | null;
  readonly witnesses: readonly Witness[];
  readonly growth: Growth | null;
  readonly growthV4: Growth | null;
  readonly memory: Measured | null;
}

export interface TableLine {
  readonly measure: string;
  /** Null: measured and published, without a target. */
  readonly target: string | null;
  readonly measured: string;
  /** Null where there is no target, or nothing was measured. */
  readonly met: boolean | null;
  /** How far from it, where it was not met. */
  readonly distance: string;
}

/** Growth of memory up to this part of it a minute counts as flat. */
const FLAT_PER_MINUTE = 0.01;
const RECOVER_WITHIN_SECONDS = 3;
const MEMORY_LIMIT = 1.5e9;

export function linesOf(figures: TableFigures): TableLine[] {
  return [
    ...rates(figures),
    ...openLoops(figures),
    ...growthLines(figures),
    ...memoryLines(figures.memory),
    ...diskLines(figures),
    ...overloadLines(figures.overload),
    ...figures.witnesses.map(witnessLine),
  ];
}

function rates({ verifyPerSecond, batch, single }: TableFigures): TableLine[] {
  const seconds = batch?.scenario.load.seconds ?? 0;
  return [
    atLeast(
      `batches of 100, whole path, ${seconds} s ÷ RSA-2048 verifications of one core`,
      '≥ 0.60',
      0.6,
      batch && batch.logsPerSecond / verifyPerSecond,
      (ratio) => `${ratio.toFixed(3)} (${count(batch?.logsPerSecond ?? 0)}/s)`,
    ),
    atLeast('single logs, whole path', '≥ 15 000/s', 15_000, single && single.logsPerSecond, (rate) => `${count(rate)}/s`),
  ];
}

function openLoops({ singleOpen, open }: TableFigures): TableLine[] {
  const at = (run: Measured | null): string => `at ${count(run?.scenario.load.rate ?? 10_000)}/s, open loop`;
  return [
    below(`single logs ${at(singleOpen)}, p99`, '< 25 ms', 25, singleOpen && singleOpen.result.latency.p99, milliseconds),
    below(`batches ${at(open)}, p50`, '< 8 ms', 8, open && open.result.latency.p50, milliseconds),
    below('the same, p99', '< 20 ms', 20, open && open.result.latency.p99, milliseconds),
    below('received → in the feed, p99', '< 1 s', 1_000, open?.visible?.feed?.p99 ?? null, milliseconds),
    below('received → in the report, p99', '< 5 s', 5_000, open?.visible?.report?.p99 ?? null, milliseconds),
  ];
}

function growthLines({ growth, growthV4 }: TableFigures): TableLine[] {
  const stored = (of: Growth | null): string => `${(of?.plan.logs ?? 0) / 1e6} million logs stored`;
  const why = growth?.skipped ?? null;
  const ratio = growth && growthRatio(growth);
  const ratioV4 = growthV4 && growthRatio(growthV4);
  const report = growth?.report ?? null;
  const audit = growth?.audit ?? null;
  const lines = [
    atLeast(`logs/s with ${stored(growth)} ÷ empty, UUIDv7`, '≥ 0.9', 0.9, ratio, (value) => value.toFixed(2)),
    published(`logs/s with ${stored(growthV4)} ÷ empty, UUIDv4`, ratioV4 === null ? null : ratioV4.toFixed(2)),
    below('start-up with them, until logs are taken', '< 5 s', 5, growth?.full?.startUp.listening ?? null, secondsText),
    below('and until reports are answered', '< 5 s', 5, growth?.full?.startUp.reporting ?? null, secondsText),
    below('report over them, a month by campaign and day, median', '< 300 ms', 300, report && report.warmMs, milliseconds),
    below('the same, first after the start', '< 300 ms', 300, report && report.coldMs, milliseconds),
    published(
      'audit of them, signatures left out',
      audit && `${secondsText(audit.seconds)}, ${count(audit.plays / audit.seconds)} logs/s, ${bytes(audit.peakBytes ?? 0)} at most`,
    ),
  ];
  return why === null ? lines : lines.map((line, i) => (i === 1 ? line : { ...line, distance: why }));
}

function memoryLines(run: Measured | null): TableLine[] {
  const trend = run && trendOf(run.memory);
  const minutes = (run?.scenario.load.seconds ?? 0) / 60;
  const over = `service and analytics, ${Number(minutes.toFixed(2))} min at full load`;
  return [
    below(`memory of ${over}, most`, '< 1.5 GB', MEMORY_LIMIT, trend && trend.maxBytes, bytes),
    below(
      'its growth in the second half, a minute',
      `flat: < ${FLAT_PER_MINUTE * 100} %`,
      FLAT_PER_MINUTE,
      trend && trend.bytesPerMinute / trend.meanBytes,
      (part) => `${(part * 100).toFixed(2)} %`,
    ),
  ];
}

function diskLines({ disk, batch }: TableFigures): TableLine[] {
  if (!disk) return [published('disk', null)];
  const lines = splitOf(disk).map(({ what, bytes: each, within }) =>
    published(`${within ? '  of it: ' : 'disk, B a log: '}${what}`, each.toFixed(1)),
  );
  return [...lines, published('disk: write-ahead log, in all, at the end of the load', bytes(batch?.disk.walBytes ?? 0))];
}

function overloadLines(overload: Overload | null): TableLine[] {
  if (!overload) return [published('overload', null)];
  const { sustainable, offered, accepted, turnedAway, notSent, failures, withoutRetryAfter, latency, before, after, recoveredAfter } =
    overload;
  const others = Object.keys(failures).filter((status) => status !== '429' && status !== '503');
  return [
    published('overload: carried, then offered', `${count(sustainable)}/s, ${count(offered)}/s`),
    published('overload: accepted, turned away', `${count(accepted)}/s, ${count(turnedAway)}/s`),
    met(
      'overload: all turned away by 429 or 503 with Retry-After',
      'all',
      others.length === 0 && withoutRetryAfter === 0 && notSent === 0,
      `by ${Object.keys(failures).join(', ') || 'nothing'}; ${count(withoutRetryAfter)} without, ${count(notSent)} never sent`,
    ),
    below('overload: p99 of accepted', '< 1 s, what admission lets wait', 1_000, latency.p99, milliseconds),
    published('p99 at half the rate, before and right after', `${milliseconds(before.p99)}, ${milliseconds(after.p99)}`),
    met(
      'overload over: p99 of a whole second as before, after',
      `≤ ${RECOVER_WITHIN_SECONDS} s`,
      recoveredAfter !== null && recoveredAfter <= RECOVER_WITHIN_SECONDS,
      recoveredAfter === null ? 'not while it was looked at' : `${recoveredAfter} s`,
    ),
  ];
}

function witnessLine({ plan, skipped, wrk, ours }: Witness): TableLine {
  const measure = `wrk, ${plan.batch === 1 ? 'single logs' : 'batches'}: logs/s and p99; then our generator`;
  if (skipped !== null) return { ...published(measure, null), distance: skipped };
  const figure = (of: Witness['wrk']): string => (of ? `${count(of.logsPerSecond)}/s ${milliseconds(of.latency.p99)}` : '-');
  return published(measure, `${figure(wrk)}; ${figure(ours)}`);
}

function secondsText(seconds: number): string {
  return `${seconds.toFixed(1)} s`;
}

function published(measure: string, measured: string | null): TableLine {
  return { measure, target: null, measured: measured ?? 'not measured', met: null, distance: '' };
}

function met(measure: string, target: string, isMet: boolean, measured: string): TableLine {
  return { measure, target, measured, met: isMet, distance: '' };
}

type Text = (value: number) => string;

export function atLeast(measure: string, target: string, limit: number, value: number | null, text: Text): TableLine {
  if (value === null) return { measure, target, measured: 'not measured', met: null, distance: '' };
  const isMet = value >= limit;
  return { measure, target, measured: text(value), met: isMet, distance: isMet ? '' : `${((1 - value / limit) * 100).toFixed(0)} % short` };
}

export function below(measure: string, target: string, limit: number, value: number | null, text: Text): TableLine {
  if (value === null) return { measure, target, measured: 'not measured', met: null, distance: '' };
  const isMet = value < limit;
  return { measure, target, measured: text(value), met: isMet, distance: isMet ? '' : `${(value / limit).toFixed(2)} × the limit` };
}
