/** Appending to the journal on Kafka alone, with several settings of its producer by turns: what each costs, and how long it takes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { LOG_NUMBERS, RECORD_AT, RECORD_LENGTH } from '../src/accept/messages.ts';
import type { JournalEntry } from '../src/journal/journal.ts';
import { KafkaJournal } from '../src/journal/kafka-journal.ts';
import { LOG_ID_AT, LOG_ID_BYTES, RECORD_PLAY } from '../src/journal/record.ts';
import { loadKafkaClient } from '../src/kafka/client.ts';
import type { KafkaClient, RdKafkaConfig } from '../src/kafka/client-types.ts';
import { connectionConfig } from '../src/kafka/settings.ts';
import { prepareTopics } from '../src/kafka/topics.ts';
import { watchCosts } from './kafka-costs.ts';
import { BenchEngines, plainKafka } from './kafka-engines.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { table } from './report.ts';
import { judgeStages } from './stages-judge.ts';

interface Variant {
  readonly name: string;
  readonly config: RdKafkaConfig;
  readonly pollMs?: number;
}

export interface Appending {
  readonly name: string;
  /** As much as goes, 16 appends of 100 at once. */
  readonly perSecond: number;
  /** CPU microseconds a record at a steady rate: of this process, and of the broker. */
  readonly client: number;
  readonly broker: number;
  /** Of an append of 100 records at a steady rate, milliseconds. */
  readonly p10: number;
  readonly p50: number;
  readonly p99: number;
}

/** The first comes again at the end: how far apart the two are is what a difference has to exceed. */
const VARIANTS: readonly Variant[] = [
  { name: 'as it is', config: {} },
  { name: 'reports looked for every 5 ms, linger 2 ms', config: { 'linger.ms': 2 }, pollMs: 5 },
  { name: 'reports looked for every 5 ms', config: {}, pollMs: 5 },
  { name: 'linger 0', config: { 'linger.ms': 0 } },
  { name: 'linger 0.5 ms', config: { 'linger.ms': 0.5 } },
  { name: 'linger 5 ms', config: { 'linger.ms': 5 } },
  { name: 'lz4', config: { 'compression.codec': 'lz4' } },
  { name: 'as it is, again', config: {} },
];
const BATCH = 100;
const BATCHES = 64;
const AT_ONCE = 16;
const WARM_UP_MS = 1_000;
const OPEN_TRIES = 20;
const OPEN_AGAIN_MS = 250;

export async function runJournal(options: KafkaOptions, tell: (text: string) => void): Promise<Appending[]> {
  tell('starting Kafka');
  const engines = await BenchEngines.start(options.directory, { analytics: false });
  try {
    const client = await loadKafkaClient();
    const batches = await entries();
    const made: Appending[] = [];
    for (const variant of VARIANTS) {
      tell(`journal: ${variant.name}`);
      made.push(await measureVariant(variant, { client, engines, batches, options }));
    }
    return made;
  } finally {
    await engines.stop();
  }
}

interface Bench {
  readonly client: KafkaClient;
  readonly engines: BenchEngines;
  readonly batches: readonly JournalEntry[][];
  readonly options: KafkaOptions;
}

/** A broker may say for a moment that it does not lead a partition that was made just now. */
async function openJournal({ config, pollMs }: Variant, { client, engines }: Bench): Promise<KafkaJournal> {
  const settings = plainKafka(engines.bootstrap);
  const topic = (await prepareTopics(settings, ['journal'])).get('journal');
  if (!topic) throw new Error('there is no journal');
  const options = {
    client,
    config: { ...connectionConfig(settings), ...config },
    topic: topic.name,
    journalId: topic.id,
    ...(pollMs === undefined ? {} : { pollMs }),
    onWarning: (message: string) => process.stderr.write(`${message}\n`),
  };
  for (let tries = 1; ; tries += 1) {
    try {
      return await KafkaJournal.open(options);
    } catch (error) {
      if (tries === OPEN_TRIES) throw error;
      await sleep(OPEN_AGAIN_MS);
    }
  }
}

async function measureVariant(variant: Variant, bench: Bench): Promise<Appending> {
  const { engines, batches, options } = bench;
  const journal = await openJournal(variant, bench);
  const next = batchesOf(batches);
  await closedLoop(journal, next, WARM_UP_MS);
  const { rows, seconds } = await closedLoop(journal, next, (options.seconds * 1000) / 2);
  const pids = [...engines.pids].filter(([engine]) => engine === 'broker');
  const ended = watchCosts(() => [...pids, ['client', process.pid]]);
  const times = await openLoop(journal, next, options.rate, options.seconds * 1000);
  const { processes } = ended();
  journal.close();
  const each = (cpuSeconds = 0): number => (cpuSeconds * 1e6) / (times.length * BATCH);
  times.sort((a, b) => a - b);
  const at = (part: number): number => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;
  return {
    name: variant.name,
    perSecond: rows / seconds,
    client: each(processes.client?.cpuSeconds),
    broker: each(processes.broker?.cpuSeconds),
    p10: at(0.1),
    p50: at(0.5),
    p99: at(0.99),
  };
}

async function closedLoop(journal: KafkaJournal, next: () => JournalEntry[], ms: number): Promise<{ rows: number; seconds: number }> {
  const began = performance.now();
  let rows = 0;
  const go = async (): Promise<void> => {
    while (performance.now() - began < ms) {
      await journal.append(next());
      rows += BATCH;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, go));
  return { rows, seconds: (performance.now() - began) / 1000 };
}

/** Appends are due at random instants, and their time counts from there. */
async function openLoop(journal: KafkaJournal, next: () => JournalEntry[], rate: number, ms: number): Promise<number[]> {
  const meanGap = (1000 * BATCH) / rate;
  const times: number[] = [];
  const running: Promise<void>[] = [];
  const began = performance.now();
  for (let due = began; due - began < ms; due += -Math.log(1 - Math.random()) * meanGap) {
    const wait = due - performance.now();
    if (wait > 0) await sleep(wait);
    const since = due;
    running.push(journal.append(next()).then(() => void times.push(performance.now() - since)));
  }
  await Promise.all(running);
  return times;
}

function batchesOf(batches: readonly JournalEntry[][]): () => JournalEntry[] {
  let at = 0;
  return () => {
    at += 1;
    return batches[at % batches.length] as JournalEntry[];
  };
}

/** Records as the judges make them of the fleet's logs, each batch of one screen. */
async function entries(): Promise<JournalEntry[][]> {
  const { judged } = await judgeStages(BATCH, BATCHES, () => {});
  return judged.map(({ bytes, table: numbers }) =>
    Array.from({ length: BATCH }, (_, log) => {
      const at = numbers[log * LOG_NUMBERS + RECORD_AT] as number;
      const record = new Uint8Array(bytes, at, numbers[log * LOG_NUMBERS + RECORD_LENGTH]);
      return { kind: RECORD_PLAY, logId: record.subarray(LOG_ID_AT, LOG_ID_AT + LOG_ID_BYTES), record };
    }),
  );
}

export function describeJournal(made: readonly Appending[], rate: number): string[] {
  return table([
    ['journal on Kafka alone', 'most, records/s', 'client, CPU µs', 'broker, CPU µs', `p10 at ${rate}/s, ms`, 'p50, ms', 'p99, ms'],
    ...made.map(({ name, perSecond, client, broker, p10, p50, p99 }) => [
      name,
      perSecond.toFixed(0),
      client.toFixed(2),
      broker.toFixed(2),
      p10.toFixed(1),
      p50.toFixed(1),
      p99.toFixed(1),
    ]),
  ]);
}
