/** What `playproof bench` can measure, each by itself: runs it, and says it in words, figures and charts. */
import { type Context, head, installationOf, measureOptionsOf, type Outcome, measureSpeed } from './context.ts';
import { describeGrowth, describeMemory, describeOverload, describeRamp, describeWitness, liveLine } from './describe.ts';
import { runGrowth } from './growth.ts';
import { drawnOf } from './load-charts.ts';
import { type Measured, measure } from './measure.ts';
import type { LoadName, Mode } from './options.ts';
import { runOverload } from './overload.ts';
import { runRamp } from './ramp.ts';
import { type BenchResult, describe, describeStages, holdAgainstTargets } from './report.ts';
import { scenarioOf } from './scenarios.ts';
import { runStages } from './stages.ts';
import { FULL, QUICK } from './table/plan.ts';
import { runTable } from './table/run.ts';
import { runWitness, type Witness } from './witness/witness.ts';

/** wrk's closed loops, like those of `batch` and `single`. */
const WITNESSED = [
  { batch: 100, connections: 16 },
  { batch: 1, connections: 128 },
] as const;

type Runs = { readonly [Name in Mode['name']]: (mode: Extract<Mode, { name: Name }>, context: Context) => Promise<Outcome> };

const RUNS: Runs = {
  loads: ({ only }, context) => loads(only, context),
  table: ({ quick }, context) => runTable(quick ? QUICK : FULL, context),
  grow: growth,
  memory: ({ minutes }, context) => memory(minutes, context),
  overload: (_mode, context) => overload(context),
  ramp: ({ plan }, context) => ramp(plan, context),
  wrk: (_mode, context) => witnesses(context),
  stages: (_mode, context) => stages(context),
};

export function runMode<Name extends Mode['name']>(mode: Extract<Mode, { name: Name }>, context: Context): Promise<Outcome> {
  return RUNS[mode.name](mode, context);
}

async function loads(only: readonly LoadName[], context: Context): Promise<Outcome> {
  const { options, tell } = context;
  const { seconds, ids, prepareMegabytes } = options;
  const before = await measureSpeed(tell);
  const runs: Measured[] = [];
  for (const name of only) {
    const scenario = scenarioOf(name, options);
    tell(`${name}: ${scenario.about}`);
    runs.push(await measure(scenario, measureOptionsOf(context)));
  }
  const verify = { before, after: await measureSpeed(tell) };
  const targets = holdAgainstTargets(runs, verify);
  const figures: BenchResult = { ...head(context), verify, options: { seconds, ids, prepareMegabytes }, runs, targets };
  return { text: [describe(figures)], figures, drawn: runs.map(drawnOf), faults: runs.flatMap((run) => run.faults) };
}

async function stages({ directory, tell }: Context): Promise<Outcome> {
  return { text: describeStages(await runStages(directory, tell)), figures: null, drawn: [], faults: [] };
}

async function growth({ logs, keep }: Extract<Mode, { name: 'grow' }>, context: Context): Promise<Outcome> {
  const { options, tell } = context;
  const { ids, seconds } = options;
  const run = await runGrowth({ logs, ids, seconds, reading: true, keep }, { ...measureOptionsOf(context), tell });
  const drawn = [...run.empty, ...(run.full ? [run.full] : [])].map(drawnOf);
  return { text: describeGrowth(run), figures: { ...head(context), growth: run }, drawn, faults: run.faults };
}

async function memory(minutes: number, context: Context): Promise<Outcome> {
  const scenario = { ...scenarioOf('batch', { ...context.options, seconds: minutes * 60 }), name: 'memory' };
  const run = await measure(scenario, measureOptionsOf(context));
  return { text: describeMemory(run), figures: { ...head(context), runs: [run] }, drawn: [drawnOf(run)], faults: run.faults };
}

async function overload(context: Context): Promise<Outcome> {
  const { seconds } = context.options;
  const plan = { sustainSeconds: seconds, overloadSeconds: seconds, moderateSeconds: Math.max(3, Math.ceil(seconds / 2)) };
  const run = await runOverload(plan, installationOf(context), (phase, second) =>
    context.tell(liveLine(`overload, ${phase}`, null, second)),
  );
  const drawn = {
    name: 'overload',
    about: 'As much as it carries, half of it, twice of it, half of it again.',
    series: run.series,
    memory: [],
  };
  return { text: describeOverload(run), figures: { ...head(context), overload: run }, drawn: [drawn], faults: run.faults };
}

async function ramp(plan: Extract<Mode, { name: 'ramp' }>['plan'], context: Context): Promise<Outcome> {
  const run = await runRamp({ ...plan, secondsEach: context.options.seconds }, installationOf(context), (rate, second) =>
    context.tell(liveLine(`ramp, ${rate} logs/s`, null, second)),
  );
  const drawn = { name: 'ramp', about: 'A rate that grows step by step.', series: run.series, memory: [] };
  return { text: describeRamp(run), figures: { ...head(context), ramp: run }, drawn: [drawn], faults: run.faults };
}

async function witnesses(context: Context): Promise<Outcome> {
  const runs: Witness[] = [];
  for (const plan of WITNESSED) {
    context.tell(`wrk, ${plan.batch} logs a request`);
    runs.push(await runWitness({ ...plan, seconds: context.options.seconds }, installationOf(context)));
  }
  return {
    text: describeWitness(runs),
    figures: { ...head(context), witnesses: runs },
    drawn: [],
    faults: runs.flatMap((run) => run.faults),
  };
}
