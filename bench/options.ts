/** What `playproof bench` is told. */
import { parseArgs } from 'node:util';

export const HELP = `Measures the whole path: signature, durable answer, settled, loaded into analytics.

playproof bench [options]
  --seconds N     length of each load (12)
  --only LIST     of batch, single, open; by commas (all)
  --ids v7|v4     version of the log ids (v7)
  --json FILE     where the figures go (bench-result.json)
  --dir DIR       where data directories are made and removed (the system's temporary directory)
  --rate N        logs a second of the open loop (10000)
  --prepare MB    memory for logs that are signed beforehand (768)
  --profile DIR   writes a CPU profile of each thread of the service there
  --stages        each stage alone, and the cost table; no load
  --help          with --only kafka or --capacity: what those take

On Kafka, MongoDB and ClickHouse: --only kafka (the race against Bento), --only cluster (the whole path), --capacity (what it takes).`;

export const LOADS = ['batch', 'single', 'open'] as const;
export type LoadName = (typeof LOADS)[number];

export interface BenchOptions {
  readonly seconds: number;
  readonly only: readonly LoadName[];
  readonly ids: 'v7' | 'v4';
  readonly json: string;
  /** Null: the system's temporary directory. */
  readonly dir: string | null;
  readonly rate: number;
  readonly prepareMegabytes: number;
  readonly profile: string | null;
  readonly stages: boolean;
  readonly help: boolean;
}

/** @throws Error with a sentence. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    strict: true,
    options: {
      seconds: { type: 'string', default: '12' },
      only: { type: 'string', default: LOADS.join(',') },
      ids: { type: 'string', default: 'v7' },
      json: { type: 'string', default: 'bench-result.json' },
      dir: { type: 'string' },
      rate: { type: 'string', default: '10000' },
      prepare: { type: 'string', default: '768' },
      profile: { type: 'string' },
      stages: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.ids !== 'v7' && values.ids !== 'v4') throw new Error(`--ids is "${values.ids}"; it must be v7 or v4`);
  const only = values.only.split(',').map((name) => {
    const load = LOADS.find((known) => known === name.trim());
    if (!load) throw new Error(`--only names "${name}"; it may name ${LOADS.join(', ')}`);
    return load;
  });
  return {
    seconds: whole('seconds', values.seconds, 1, 3_600),
    only,
    ids: values.ids,
    json: values.json,
    dir: values.dir ?? null,
    rate: whole('rate', values.rate, 100, 1_000_000),
    prepareMegabytes: whole('prepare', values.prepare, 0, 65_536),
    profile: values.profile ?? null,
    stages: values.stages,
    help: values.help,
  };
}

function whole(name: string, text: string, min: number, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw new Error(`--${name} is "${text}"; it must be a whole number from ${min} to ${max}`);
  return value;
}
