/** What `playproof bench` is told. */
import { totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import type { RampPlan } from './ramp.ts';

/** Logs of a minute of batches. A quarter of the machine at the most: the rest is for what is measured. */
const PREPARE_MEGABYTES = Math.min(3_072, Math.floor(totalmem() / 4 / 1024 / 1024));

export const HELP = `Measures the whole path: signature, durable answer, settled, loaded into analytics.

playproof bench [options]             batches, single logs, and an open loop
playproof bench --table [--quick]     every target, one after another, held against what was measured (about 40 minutes; --quick: minutes)
playproof bench --grow MILLIONS       the load on an installation that holds so many logs, against an empty one; report and audit over them
playproof bench --memory MINUTES      memory of the service while it has as much to do as it can
playproof bench --overload            twice the rate that is carried, and what comes after it
playproof bench --ramp FROM:TO:STEPS  a rate that grows, until latency leaves the ground (logs a second)
playproof bench --wrk                 the closed loops once more by wrk, where it is installed
playproof bench --stages              each stage alone, and the cost table; no load

  --seconds N     length of each load, or step (12)
  --only LIST     of batch, single, single-open, open; by commas (all)
  --ids v7|v4     version of the log ids (v7)
  --json FILE     where the figures go (bench-result.json)
  --html FILE     where the charts go (bench-result.html)
  --dir DIR       where data directories are made and removed (the system's temporary directory)
  --rate N        logs a second of the open loops (10000)
  --prepare MB    memory for logs that are signed beforehand (${PREPARE_MEGABYTES})
  --profile DIR   writes a CPU profile of each thread of the service there
  --keep          with --grow: keeps the data directory that was filled
  --help          with --only kafka or --capacity: what those take

On Kafka, MongoDB and ClickHouse: --only kafka (the race against Bento), --only cluster (the whole path), --capacity (what it takes).`;

export const LOADS = ['batch', 'single', 'single-open', 'open'] as const;
export type LoadName = (typeof LOADS)[number];

/** What is measured; one of them at a time. */
export type Mode =
  | { readonly name: 'loads'; readonly only: readonly LoadName[] }
  | { readonly name: 'table'; readonly quick: boolean }
  | { readonly name: 'grow'; readonly logs: number; readonly keep: boolean }
  | { readonly name: 'memory'; readonly minutes: number }
  | { readonly name: 'overload' }
  | { readonly name: 'ramp'; readonly plan: Omit<RampPlan, 'secondsEach'> }
  | { readonly name: 'wrk' }
  | { readonly name: 'stages' };

export interface BenchOptions {
  readonly mode: Mode;
  readonly seconds: number;
  readonly ids: 'v7' | 'v4';
  readonly json: string;
  readonly html: string;
  /** Null: the system's temporary directory. */
  readonly dir: string | null;
  readonly rate: number;
  readonly prepareMegabytes: number;
  readonly profile: string | null;
  readonly help: boolean;
}

const MAX_RATE = 1_000_000;
const MAX_STEPS = 50;
const MODES = ['table', 'grow', 'memory', 'overload', 'ramp', 'wrk', 'stages'] as const;

/** @throws Error with a sentence. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    strict: true,
    options: {
      seconds: { type: 'string', default: '12' },
      only: { type: 'string' },
      ids: { type: 'string', default: 'v7' },
      json: { type: 'string', default: 'bench-result.json' },
      html: { type: 'string', default: 'bench-result.html' },
      dir: { type: 'string' },
      rate: { type: 'string', default: '10000' },
      prepare: { type: 'string', default: String(PREPARE_MEGABYTES) },
      profile: { type: 'string' },
      table: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      grow: { type: 'string' },
      keep: { type: 'boolean', default: false },
      memory: { type: 'string' },
      overload: { type: 'boolean', default: false },
      ramp: { type: 'string' },
      wrk: { type: 'boolean', default: false },
      stages: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.ids !== 'v7' && values.ids !== 'v4') throw new Error(`--ids is "${values.ids}"; it must be v7 or v4`);
  return {
    mode: modeOf(values),
    seconds: whole('seconds', values.seconds, 1, 3_600),
    ids: values.ids,
    json: values.json,
    html: values.html,
    dir: values.dir ?? null,
    rate: whole('rate', values.rate, 100, MAX_RATE),
    prepareMegabytes: whole('prepare', values.prepare, 0, 65_536),
    profile: values.profile ?? null,
    help: values.help,
  };
}

interface ModeValues {
  readonly only?: string | undefined;
  readonly table: boolean;
  readonly quick: boolean;
  readonly grow?: string | undefined;
  readonly keep: boolean;
  readonly memory?: string | undefined;
  readonly overload: boolean;
  readonly ramp?: string | undefined;
  readonly wrk: boolean;
  readonly stages: boolean;
}

function modeOf(values: ModeValues): Mode {
  const chosen = MODES.filter((name) => values[name] !== undefined && values[name] !== false);
  if (chosen.length > 1) throw new Error(`${chosen.map((name) => `--${name}`).join(' and ')} measure different things; choose one of them`);
  const [name = 'loads'] = chosen;
  if (values.quick && name !== 'table') throw new Error('--quick goes with --table');
  if (values.keep && name !== 'grow') throw new Error('--keep goes with --grow');
  if (values.only !== undefined && name !== 'loads') throw new Error(`--only chooses loads; it does not go with --${name}`);
  switch (name) {
    case 'loads':
      return { name, only: loadsOf(values.only ?? LOADS.join(',')) };
    case 'table':
      return { name, quick: values.quick };
    case 'grow':
      return { name, logs: millions(values.grow ?? ''), keep: values.keep };
    case 'memory':
      return { name, minutes: whole('memory', values.memory ?? '', 1, 1_440) };
    case 'ramp':
      return { name, plan: rampOf(values.ramp ?? '') };
    default:
      return { name };
  }
}

function loadsOf(list: string): LoadName[] {
  return list.split(',').map((name) => {
    const load = LOADS.find((known) => known === name.trim());
    if (!load) throw new Error(`--only names "${name}"; it may name ${LOADS.join(', ')}`);
    return load;
  });
}

/** A number of millions, with at most three decimals. */
function millions(text: string): number {
  const value = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Math.round(Number(text) * 1e6) : 0;
  if (value < 1_000) throw new Error(`--grow is "${text}"; it must be a number of millions from 0.001, such as 20`);
  return value;
}

function rampOf(text: string): Omit<RampPlan, 'secondsEach'> {
  const parts = text.split(':');
  if (parts.length !== 3) throw new Error(`--ramp is "${text}"; it must be FROM:TO:STEPS, such as 2000:40000:8`);
  const [from, to, steps] = parts as [string, string, string];
  const plan = {
    from: whole('ramp', from, 100, MAX_RATE),
    to: whole('ramp', to, 100, MAX_RATE),
    steps: whole('ramp', steps, 1, MAX_STEPS),
  };
  if (plan.to < plan.from) throw new Error(`--ramp is "${text}"; it must not go down`);
  return plan;
}

function whole(name: string, text: string, min: number, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw new Error(`--${name} is "${text}"; it must be a whole number from ${min} to ${max}`);
  return value;
}
