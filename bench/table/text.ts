/** The table of targets as text. */
import { verdict } from '../describe.ts';
import type { Speed } from '../context.ts';
import type { Machine } from '../machine.ts';
import type { Measured } from '../measure.ts';
import { describeMachineLines, describeRuns, describeStages } from '../report.ts';
import type { StageCost } from '../stages.ts';
import { table } from '../text.ts';
import type { TableLine } from './lines.ts';

export interface TableText {
  readonly machine: Machine;
  readonly verify: { readonly before: Speed; readonly after: Speed };
  readonly lines: readonly TableLine[];
  readonly runs: readonly Measured[];
  readonly stages: readonly StageCost[];
  readonly notRun: readonly string[];
  readonly faults: readonly string[];
}

export function describeTable({ machine, verify, lines, runs, stages, notRun, faults }: TableText): string[] {
  return [
    ...describeMachineLines(machine, verify),
    '',
    ...describeRuns(runs, verify, machine),
    '',
    ...(stages.length > 0 ? [...describeStages(stages), ''] : []),
    ...leftAligned([
      ['measure', 'target', 'measured', ''],
      ...lines.map(({ measure, target, measured, met, distance }) => [measure, target ?? 'published', measured, outcome(met, distance)]),
    ]),
    '',
    ...notRun.map((sentence) => `Not run: ${sentence}.`),
    ...verdict(faults),
  ];
}

function outcome(met: boolean | null, distance: string): string {
  if (met === null) return distance;
  return met ? 'met' : `NOT MET ${distance}`.trim();
}

function leftAligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return table(rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0))));
}
