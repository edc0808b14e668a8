/** What the benchmarks on Kafka are told: `--only kafka`, `--only cluster`, both by a comma, or `--capacity`. */
import os from 'node:os';
import { parseArgs } from 'node:util';

export const KAFKA_HELP = `On Kafka, MongoDB and ClickHouse (\`npm run engines:install\` first; the peer is built by \`node scripts/engines.ts install bento\`):

playproof bench --only kafka|cluster|journal [options], or several by commas
  kafka           the journal on Kafka against Bento, by turns on one broker
  cluster         the whole path: accept, settle, archive, feed, analytics; then freshness at a steady rate, then two nodes
  journal         appending to the journal alone, with several settings of its producer
  --seconds N     length of each load (8)
  --rounds N      kafka: how often each has its turn, closed loop and open loop (2)
  --rate N        kafka: logs a second of the open loop (10000)
  --steady N      cluster: logs a second of the steady loads (2000)
  --json FILE     where the figures go (bench-cluster.json); what the file has of the other one is kept
  --dir DIR       where the engines' data is made and removed (the system's temporary directory)
  --prepare MB    memory for logs that are signed beforehand (768)
  --profile DIR   kafka: writes a CPU profile of each thread of the accepting node there

playproof bench --capacity [options]
  --json FILE     the figures to reckon from (bench-cluster.json)
  --assume NAME=N another value for one of the assumptions, which are printed; may be repeated`;

const LOADS = ['kafka', 'cluster', 'journal'] as const;
export type KafkaLoad = (typeof LOADS)[number];

export interface KafkaOptions {
  readonly only: readonly KafkaLoad[];
  readonly capacity: boolean;
  readonly assume: ReadonlyMap<string, number>;
  readonly seconds: number;
  readonly rounds: number;
  readonly rate: number;
  readonly steady: number;
  readonly json: string;
  readonly directory: string;
  readonly prepareMegabytes: number;
  readonly profile: string | null;
}

/** Whether these arguments are for the benchmarks on Kafka, and not for those of the embedded profile. */
export function isForKafka(args: readonly string[]): boolean {
  const { values } = parseArgs({ args: [...args], strict: false, options: { only: { type: 'string' }, capacity: { type: 'boolean' } } });
  const only = typeof values.only === 'string' ? values.only.split(',') : [];
  return values.capacity === true || only.some((name) => isLoad(name.trim()));
}

/** @throws Error with a sentence. */
export function readKafkaOptions(args: readonly string[]): KafkaOptions {
  const { values } = parseArgs({
    args: [...args],
    strict: true,
    options: {
      only: { type: 'string' },
      capacity: { type: 'boolean', default: false },
      assume: { type: 'string', multiple: true, default: [] },
      seconds: { type: 'string', default: '8' },
      rounds: { type: 'string', default: '2' },
      rate: { type: 'string', default: '10000' },
      steady: { type: 'string', default: '2000' },
      json: { type: 'string', default: 'bench-cluster.json' },
      dir: { type: 'string' },
      prepare: { type: 'string', default: '768' },
      profile: { type: 'string' },
    },
  });
  const only = (values.only?.split(',') ?? []).map((name) => {
    const load = name.trim();
    if (!isLoad(load)) throw new Error(`--only names "${name}"; with one of ${LOADS.join(', ')} it may name these alone`);
    return load;
  });
  return {
    only,
    capacity: values.capacity,
    assume: new Map(values.assume.map(assumption)),
    seconds: whole('seconds', values.seconds, 2, 3_600),
    rounds: whole('rounds', values.rounds, 1, 20),
    rate: whole('rate', values.rate, 100, 1_000_000),
    steady: whole('steady', values.steady, 100, 1_000_000),
    json: values.json,
    directory: values.dir ?? os.tmpdir(),
    prepareMegabytes: whole('prepare', values.prepare, 0, 65_536),
    profile: values.profile ?? null,
  };
}

function isLoad(name: string): name is KafkaLoad {
  return LOADS.some((load) => load === name);
}

function assumption(text: string): [string, number] {
  const [name = '', value = ''] = text.split('=');
  const number = value === '' ? Number.NaN : Number(value);
  if (!(number >= 0)) throw new Error(`--assume is "${text}"; it must be NAME=NUMBER, for instance --assume slotSeconds=10`);
  return [name, number];
}

function whole(name: string, text: string, min: number, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw new Error(`--${name} is "${text}"; it must be a whole number from ${min} to ${max}`);
  return value;
}
