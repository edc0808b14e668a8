/** Every line of the table, one after another. */
import { type Context, head, installationOf, measureOptionsOf, type Outcome, measureSpeed } from '../context.ts';
import { liveLine } from '../describe.ts';
import { type DiskTotals, readDiskTotals } from '../disk.ts';
import { diskFault } from '../disk-room.ts';
import { type Growth, runGrowth } from '../growth.ts';
import { type Drawn, drawnOf } from '../load-charts.ts';
import { type Measured, measure } from '../measure.ts';
import type { LoadName } from '../options.ts';
import { type Overload, runOverload } from '../overload.ts';
import { verifyPerSecond } from '../report.ts';
import { scenarioOf } from '../scenarios.ts';
import { runStages, type StageCost } from '../stages.ts';
import { runWitness, type Witness } from '../witness/witness.ts';
import { linesOf, type TableFigures } from './lines.ts';
import type { TablePlan } from './plan.ts';
import { describeTable } from './text.ts';

/** What is known so far; null where it is not. */
interface Parts {
  runs: Measured[];
  disk: DiskTotals | null;
  overload: Overload | null;
  witnesses: Witness[];
  growth: Growth | null;
  growthV4: Growth | null;
  stages: readonly StageCost[];
  /** Parts that this machine has no room for, a sentence each. */
  notRun: string[];
  faults: string[];
}

/** The rate that the memory run is expected to reach, for the room that it needs on the disk where it is not known yet. */
const EXPECTED_PER_SECOND = 40_000;
const MILLION = 1e6;

/** A part that fails is a fault, and the others go on: the rest of half an hour is worth having. */
export async function runTable(plan: TablePlan, context: Context): Promise<Outcome> {
  const { tell, save } = context;
  const before = await measureSpeed(tell);
  const parts: Parts = {
    runs: [],
    disk: null,
    overload: null,
    witnesses: [],
    growth: null,
    growthV4: null,
    stages: [],
    notRun: [],
    faults: [],
  };
  for (const [name, work] of sequence(plan, parts, context)) {
    tell(name);
    try {
      await work();
    } catch (error) {
      parts.faults.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
    save({ ...head(context), verify: { before }, ...parts });
  }
  const verify = { before, after: await measureSpeed(tell) };
  const find = (name: string): Measured | null => parts.runs.find(({ scenario }) => scenario.name === name) ?? null;
  const figures: TableFigures = {
    verifyPerSecond: verifyPerSecond(verify),
    batch: find('batch'),
    single: find('single'),
    singleOpen: find('single-open'),
    open: find('open'),
    disk: parts.disk,
    overload: parts.overload,
    witnesses: parts.witnesses,
    growth: parts.growth,
    growthV4: parts.growthV4,
    memory: find('memory'),
  };
  const table = linesOf(figures);
  const faults = [...parts.faults, ...faultsOf(parts)];
  return {
    text: describeTable({
      machine: context.machine,
      verify,
      lines: table,
      runs: parts.runs,
      stages: parts.stages,
      notRun: parts.notRun,
      faults,
    }),
    figures: { ...head(context), plan, verify, table, ...parts, faults },
    drawn: drawnParts(parts),
    faults,
  };
}

function sequence(plan: TablePlan, parts: Parts, context: Context): [name: string, work: () => Promise<void>][] {
  const { options, directory, tell } = context;
  const load = (name: LoadName, seconds: number): [string, () => Promise<void>] => {
    const scenario = scenarioOf(name, { ...options, ids: 'v7', seconds });
    return [`${name}: ${scenario.about}`, async () => void parts.runs.push(await measure(scenario, measureOptionsOf(context)))];
  };
  const batch = scenarioOf('batch', { ...options, ids: 'v7', seconds: plan.batchSeconds });
  const inspect = async (dataDir: string, logs: number): Promise<void> => {
    tell('what each copy takes on the disk');
    parts.disk = await readDiskTotals(dataDir, logs);
  };
  return [
    [`batch: ${batch.about}`, async () => void parts.runs.push(await measure(batch, { ...measureOptionsOf(context), inspect }))],
    load('single', plan.singleSeconds),
    load('single-open', plan.openSeconds),
    load('open', plan.openSeconds),
    ['overload', async () => void (parts.overload = await overload(plan, context))],
    ...([100, 1] as const).map((logs): [string, () => Promise<void>] => [
      `wrk, ${logs} logs a request`,
      async () => {
        const witness = { seconds: plan.wrkSeconds, batch: logs, connections: logs === 1 ? 128 : 16 };
        parts.witnesses.push(await runWitness(witness, installationOf(context)));
      },
    ]),
    [`${plan.past / MILLION} million logs, UUIDv7`, async () => void (parts.growth = await growth(plan.past, 'v7', plan, context))],
    [`${plan.pastV4 / MILLION} million logs, UUIDv4`, async () => void (parts.growthV4 = await growth(plan.pastV4, 'v4', plan, context))],
    [
      'memory at full load',
      async () => {
        const room = diskFault(directory, EXPECTED_PER_SECOND * plan.memorySeconds);
        if (room !== null) {
          parts.notRun.push(`memory at full load: ${room}`);
          return;
        }
        const scenario = { ...scenarioOf('batch', { ...options, ids: 'v7', seconds: plan.memorySeconds }), name: 'memory' };
        parts.runs.push(await measure(scenario, measureOptionsOf(context)));
      },
    ],
    ['each stage alone', async () => void (parts.stages = await runStages(directory, tell))],
  ];
}

function overload(plan: TablePlan, context: Context): Promise<Overload> {
  return runOverload(plan.overload, installationOf(context), (phase, second) => context.tell(liveLine(`overload, ${phase}`, null, second)));
}

function growth(logs: number, ids: 'v7' | 'v4', plan: TablePlan, context: Context): Promise<Growth> {
  const growthPlan = { logs, ids, seconds: plan.growthSeconds, reading: ids === 'v7', keep: false };
  return runGrowth(growthPlan, { ...measureOptionsOf(context), tell: context.tell });
}

function faultsOf({ runs, overload: over, witnesses, growth: v7, growthV4 }: Parts): string[] {
  return [
    ...runs.flatMap(({ scenario, faults }) => faults.map((fault) => `${scenario.name}: ${fault}`)),
    ...(over?.faults ?? []).map((fault) => `overload: ${fault}`),
    ...witnesses.flatMap(({ faults }) => faults.map((fault) => `wrk: ${fault}`)),
    ...[v7, growthV4].flatMap((run) => run?.faults ?? []),
  ];
}

function drawnParts({ runs, overload: over, growth: v7, growthV4 }: Parts): Drawn[] {
  const grown = [v7, growthV4].flatMap((run) => (run?.full ? [drawnOf(run.full)] : []));
  const about = 'As much as it carries, half of it, twice of it, half of it again.';
  return [...runs.map(drawnOf), ...(over ? [{ name: 'overload', about, series: over.series, memory: [] }] : []), ...grown];
}
