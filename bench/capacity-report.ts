/** The capacity model as tables, with its assumptions beside it. */
import {
  type Assumptions,
  checkTwoNodes,
  logsPerScreenDay,
  peakOfScreens,
  type Plan,
  plan,
  ROLES,
  type Role,
  unitCosts,
} from './capacity.ts';
import type { WholePath } from './kafka-path.ts';
import { table } from './text.ts';

const RATES = [10_000, 100_000, 1_000_000];
const NAMES: Readonly<Record<Role, string>> = {
  accept: 'accept: HTTP, judges, journal',
  settle: 'settle',
  load: 'load into analytics',
  broker: 'Kafka',
  archive: 'MongoDB (as its stand-in)',
  analytics: 'ClickHouse (as its stand-in)',
};

export function describeCapacity(path: WholePath, assumed: Assumptions, cpu: string): string[] {
  const costs = unitCosts(path);
  const settledPerSecond = path.full.accepted / path.full.secondsUntilLoaded;
  const screens = peakOfScreens(assumed);
  const plans = [...RATES, screens].map((rate) => plan(rate, costs, path.bytesPerLog, settledPerSecond, assumed));
  const { predicted, measured, deviation } = checkTwoNodes(path);
  const row = (name: string, read: (one: Plan) => number, digits = 0): string[] => [name, ...plans.map((one) => number(read(one), digits))];
  return [
    `Measured on one core of ${cpu}:`,
    ...table([
      ['', 'CPU µs a log', 'and always, % of a core'],
      ...ROLES.map((role) => [NAMES[role], costs[role].micros.toFixed(1), (costs[role].base * 100).toFixed(1)]),
    ]),
    `One settling process with this archive carried ${number(settledPerSecond)} logs/s. Bytes a log: ${Object.entries(path.bytesPerLog)
      .map(([name, bytes]) => `${name} ${bytes}`)
      .join(', ')}.`,
    '',
    'Assumed, not measured (--assume NAME=NUMBER):',
    `  ${Object.entries(assumed)
      .map(([name, value]) => `${name}=${value}`)
      .join(', ')}`,
    `A screen makes ${number(logsPerScreenDay(assumed))} logs a day; ${number(assumed.screens)} screens ${number(screens)} logs/s while they are on.`,
    '',
    ...table([
      ['', ...RATES.map((rate) => `${number(rate)}/s`), `${number(assumed.screens)} screens`],
      row('logs/s at the peak', ({ peakPerSecond }) => peakPerSecond),
      row('logs/s, mean of the day', ({ meanPerSecond }) => meanPerSecond),
      ...ROLES.map((role) => row(`cores: ${NAMES[role]}`, ({ cores }) => cores[role], 1)),
      row('cores, all', ({ allCores }) => allCores, 1),
      row(`accepting nodes of ${assumed.coresPerNode} cores`, ({ acceptNodes }) => acceptNodes),
      row('settling processes', ({ settlers }) => settlers),
      row('partitions of journal and feed, at least', ({ partitions }) => partitions),
      ...(['journal', 'feed', 'archive', 'analytics'] as const).map((store) =>
        row(`TB: ${store}${KEPT[store](assumed)}`, ({ terabytes }) => terabytes[store], 2),
      ),
      row('Mbit/s from screens', ({ megabitsPerSecond }) => megabitsPerSecond.fromScreens),
      row('Mbit/s to screens', ({ megabitsPerSecond }) => megabitsPerSecond.toScreens),
      row('Mbit/s within the cluster', ({ megabitsPerSecond }) => megabitsPerSecond.withinCluster),
      row('€ a month, cores', ({ euros }) => euros.cores),
      row('€ a month, disks', ({ euros }) => euros.disks),
    ]),
    '',
    `Two accepting nodes: the model says ${predicted.toFixed(2)} CPU seconds, ${measured.toFixed(2)} were measured (${(deviation * 100).toFixed(0)} %).`,
  ];
}

const KEPT: Readonly<Record<keyof Plan['terabytes'], (assumed: Assumptions) => string>> = {
  journal: ({ journalHours }) => `, ${journalHours} h of backlog`,
  feed: ({ feedDays }) => `, ${feedDays} days`,
  archive: ({ archiveDays }) => `, ${archiveDays} days`,
  analytics: ({ analyticsDays }) => `, ${analyticsDays} days`,
};

function number(value: number, digits = 0): string {
  const [whole = '', fraction] = value.toFixed(digits).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ' ');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}
