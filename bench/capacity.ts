/**
 * The capacity model: what was measured of one log, and assumptions, give cores, disks, partitions, network and money. Pure; all
 * figures that are not measured are in ASSUMED, by name.
 *
 * A process costs something however little comes (timers, transactions and inserts that begin at a pace), and so much for each log on top:
 * the line through what it took at a steady rate and at as much as went through.
 */
import type { Costs } from './kafka-costs.ts';
import type { WholePath } from './kafka-path.ts';

export const ASSUMED = {
  /** Of a core, how much is planned to be busy at the peak: the rest is for bursts, queues that drain after an outage, a lost node. */
  coreUse: 0.6,
  coresPerNode: 8,
  /** Copies of everything on Kafka, MongoDB and ClickHouse. */
  copies: 3,
  /** Euros a month, for one core with 4 GB, and for one terabyte of SSD. */
  coreEuros: 18,
  terabyteEuros: 80,
  /** Seconds that one showing lasts, hours a day that a screen is on, screens of the network. */
  slotSeconds: 15,
  hoursOpen: 14,
  screens: 10_000_000,
  /** How long the journal may grow while nothing is settled; days that feed, archive and analytics are kept. */
  journalHours: 24,
  feedDays: 7,
  archiveDays: 90,
  analyticsDays: 365,
  /** Bytes a second that one partition takes well. */
  partitionBytes: 10_000_000,
  /** Consumers of the feed beside analytics. */
  feedConsumers: 1,
};
export type Assumptions = { readonly [Name in keyof typeof ASSUMED]: number };

export const ROLES = ['accept', 'settle', 'load', 'broker', 'archive', 'analytics'] as const;
export type Role = (typeof ROLES)[number];

/** Which measured process does what. */
const PROCESSES: Readonly<Record<Role, string>> = {
  accept: 'node',
  settle: 'settle',
  load: 'loader',
  broker: 'broker',
  archive: 'mongodb',
  analytics: 'clickhouse',
};

export interface UnitCost {
  /** CPU microseconds a log. */
  readonly micros: number;
  /** Of one core, 0 to 1, for each process however little comes. Not less than what it took with nothing sent. */
  readonly base: number;
}

export type UnitCosts = Readonly<Record<Role, UnitCost>>;

export interface Plan {
  /** At the peak, and the mean of day and night. */
  readonly peakPerSecond: number;
  readonly meanPerSecond: number;
  readonly cores: Readonly<Record<Role, number>>;
  readonly allCores: number;
  readonly acceptNodes: number;
  readonly settlers: number;
  readonly partitions: number;
  /** With all copies. */
  readonly terabytes: Readonly<Record<'journal' | 'feed' | 'archive' | 'analytics', number>>;
  readonly megabitsPerSecond: Readonly<Record<'fromScreens' | 'toScreens' | 'withinCluster', number>>;
  readonly euros: Readonly<Record<'cores' | 'disks', number>>;
}

export type Measured = Pick<WholePath, 'idle' | 'steady' | 'full'>;

export function unitCosts({ idle, steady, full }: Measured): UnitCosts {
  const cost = (role: Role): UnitCost => {
    const name = PROCESSES[role];
    const low = shareOf(steady.costs, name);
    const high = shareOf(full.costs, name);
    const lowRate = steady.accepted / steady.costs.seconds;
    const highRate = full.accepted / full.costs.seconds;
    const slope = highRate > lowRate ? (high - low) / (highRate - lowRate) : 0;
    // Never below what was seen idle, and never above what it took at the steady rate, whatever noise makes of the line.
    const base = Math.min(low, Math.max(shareOf(idle, name), low - slope * lowRate));
    return { micros: ((low - base) / lowRate) * 1e6, base };
  };
  return Object.fromEntries(ROLES.map((role) => [role, cost(role)] as const)) as unknown as UnitCosts;
}

/** @param settledPerSecond What one settling process carried. */
export function plan(
  peakPerSecond: number,
  costs: UnitCosts,
  bytes: WholePath['bytesPerLog'],
  settledPerSecond: number,
  assumed: Assumptions,
): Plan {
  const { coreUse, copies, hoursOpen } = assumed;
  const meanPerSecond = (peakPerSecond * hoursOpen) / 24;
  // Every copy of a record is written by a broker of its own; only the first one is asked for by clients.
  const factor = (role: Role): number => (role === 'broker' || role === 'archive' || role === 'analytics' ? copies : 1);
  const settlers = Math.max(2, Math.ceil(peakPerSecond / (settledPerSecond * coreUse)));
  const processes = (role: Role): number => (role === 'settle' ? settlers : factor(role));
  const coresOf = (role: Role): number =>
    ((costs[role].micros * peakPerSecond * factor(role)) / 1e6 + costs[role].base * processes(role)) / coreUse;
  const cores = Object.fromEntries(ROLES.map((role) => [role, coresOf(role)] as const)) as unknown as Record<Role, number>;
  const allCores = ROLES.reduce((sum, role) => sum + cores[role], 0);
  const byBytes = Math.ceil((peakPerSecond * Math.max(bytes.journal, bytes.feed)) / (assumed.partitionBytes * coreUse));
  const day = 86_400;
  const stored = (each: number, seconds: number): number => (meanPerSecond * seconds * each * copies) / 1e12;
  const terabytes = {
    // While nothing is settled it grows at the peak's rate, in the worst hours.
    journal:
      (Math.min(peakPerSecond * assumed.journalHours, meanPerSecond * Math.max(24, assumed.journalHours)) *
        3_600 *
        bytes.journal *
        copies) /
      1e12,
    feed: stored(bytes.feed, assumed.feedDays * day),
    archive: stored(bytes.archive, assumed.archiveDays * day),
    analytics: stored(bytes.analytics, assumed.analyticsDays * day),
  };
  const megabits = (each: number): number => (peakPerSecond * each * 8) / 1e6;
  // To the broker, between the copies, and to each that reads it.
  const within =
    bytes.journal * (copies + 1) + bytes.feed * (copies + 1 + assumed.feedConsumers) + bytes.archive * copies + bytes.analytics * copies;
  const disks = Object.values(terabytes).reduce((sum, one) => sum + one, 0);
  return {
    peakPerSecond,
    meanPerSecond,
    cores,
    allCores,
    acceptNodes: Math.max(2, Math.ceil(cores.accept / assumed.coresPerNode)),
    settlers,
    partitions: Math.max(settlers, byBytes),
    terabytes,
    megabitsPerSecond: { fromScreens: megabits(bytes.request), toScreens: megabits(bytes.answer), withinCluster: megabits(within) },
    euros: { cores: allCores * assumed.coreEuros, disks: disks * assumed.terabyteEuros },
  };
}

export function logsPerScreenDay({ hoursOpen, slotSeconds }: Assumptions): number {
  return (hoursOpen * 3_600) / slotSeconds;
}

/** While all screens are on: each sends one log a slot. */
export function peakOfScreens({ screens, slotSeconds }: Assumptions): number {
  return screens / slotSeconds;
}

export interface Check {
  /** CPU seconds of all processes but the load's. */
  readonly predicted: number;
  readonly measured: number;
  /** Predicted ÷ measured − 1. */
  readonly deviation: number;
}

/** Holds the model against the run with two accepting nodes, which it was not made from. */
export function checkTwoNodes(path: Measured & Pick<WholePath, 'twoNodes'>): Check {
  const costs = unitCosts(path);
  const { accepted, costs: used } = path.twoNodes;
  const predicted = ROLES.reduce((sum, role) => {
    const processes = role === 'accept' ? 2 : 1;
    return sum + (costs[role].micros * accepted) / 1e6 + costs[role].base * used.seconds * processes;
  }, 0);
  const measured = Object.values(used.processes).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  return { predicted, measured, deviation: predicted / measured - 1 };
}

/** Part of one core. */
function shareOf({ processes, seconds }: Costs, name: string): number {
  return (processes[name]?.cpuSeconds ?? 0) / seconds;
}
