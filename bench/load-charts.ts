/** What is drawn of a load: logs a second, latencies, and the memory of the service. */
import { type Chart, chartPage, type Line } from './chart.ts';
import type { Second } from './load/messages.ts';
import type { Machine } from './machine.ts';
import type { Measured } from './measure.ts';
import type { MemorySample } from './memory.ts';

export interface Drawn {
  readonly name: string;
  readonly about: string;
  readonly series: readonly Second[];
  /** Empty where it was not sampled. */
  readonly memory: readonly MemorySample[];
}

const PERCENTILES = ['p50', 'p90', 'p99'] as const;

export function chartsOf({ name, about, series, memory }: Drawn): Chart[] {
  const line = (of: string, value: (second: Second) => number): Line => ({
    name: of,
    points: series.map((second) => [second.second, value(second)] as const),
  });
  const charts: Chart[] = [
    {
      title: `${name}: throughput`,
      about,
      xLabel: 'seconds',
      yLabel: 'logs a second',
      scale: 'linear',
      lines: [line('answered', ({ logs }) => logs)],
    },
    {
      title: `${name}: latency`,
      about: 'Of requests, each second by itself; from the intended instant where there is a rate.',
      xLabel: 'seconds',
      yLabel: 'milliseconds',
      scale: 'log',
      lines: PERCENTILES.map((percentile) => line(percentile, (second) => second[percentile])),
    },
  ];
  if (memory.length === 0) return charts;
  const megabytes = (of: string, bytes: (sample: MemorySample) => number): Line => ({
    name: of,
    points: memory.map((sample) => [sample.second, bytes(sample) / 1e6] as const),
  });
  charts.push({
    title: `${name}: memory`,
    about: 'Resident memory.',
    xLabel: 'seconds',
    yLabel: 'megabytes',
    scale: 'linear',
    lines: [
      megabytes('together', ({ serviceBytes, analyticsBytes }) => serviceBytes + analyticsBytes),
      megabytes('service', ({ serviceBytes }) => serviceBytes),
      megabytes('analytics', ({ analyticsBytes }) => analyticsBytes),
    ],
  });
  return charts;
}

export function pageOf(machine: Machine, startedAt: string, loads: readonly Drawn[]): string {
  const about = [
    `${startedAt}. ${machine.cpu}, ${machine.cores} cores, ${machine.os}; data on ${machine.fileSystem}; Node ${machine.node}.`,
    'The load generator ran on the same cores.',
  ];
  return chartPage('Playproof: benchmark', about, loads.flatMap(chartsOf));
}

export function drawnOf({ scenario, result, memory }: Measured): Drawn {
  return { name: scenario.name, about: scenario.about, series: result.series, memory };
}
