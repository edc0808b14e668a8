/**
 * The journal on Kafka against a peer that does nothing but carry logs there: the same broker, topics of the same settings, the same
 * load, by turns. Ours verifies and judges each log besides.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { TOPIC_NAMES } from '../src/kafka/topic-rules.ts';
import { Generator } from './generator.ts';
import { type Costs, takenByOthers, watchCosts } from './kafka-costs.ts';
import { BenchEngines, PEER_TOPIC } from './kafka-engines.ts';
import { BenchNode } from './kafka-node.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { type Peer, startPeer } from './kafka-peer.ts';
import type { Load, LoadResult } from './load/messages.ts';

export type Racer = 'peer' | 'ours';

export interface Heat {
  readonly racer: Racer;
  readonly kind: 'closed' | 'open';
  readonly result: LoadResult;
  readonly costs: Costs;
  readonly takenByOthers: number;
}

export interface Race {
  readonly heats: readonly Heat[];
  /** Bytes that a record has in its topic, on one broker. */
  readonly bytesPerRecord: Readonly<Record<Racer, number>>;
  readonly faults: readonly string[];
}

const WARM_UP_SECONDS = 3;
const DEVICES = 64;
const CONNECTIONS = 16;
const OPEN_CONNECTIONS = 64;
const BATCH = 100;
/** Signed beforehand for each second of a closed loop. */
const PREPARE_PER_SECOND = 60_000;
/** What one racer left to do, the broker above all, is not the other's burden. */
const REST_MS = 1_000;
/** The other way round in every second round: neither always comes first. */
const RACERS: readonly Racer[] = ['peer', 'ours'];
const ORDER: readonly (readonly Racer[])[] = [
  ['peer', 'ours'],
  ['ours', 'peer'],
];

interface Field {
  readonly engines: BenchEngines;
  readonly generator: Generator;
  /** Null: there is none here, and ours runs alone. */
  readonly peer: Peer | null;
  readonly node: BenchNode;
  readonly options: KafkaOptions;
  readonly tell: (text: string) => void;
}

/** @param withPeer False: ours runs alone. */
export async function runRace(options: KafkaOptions, withPeer: boolean, tell: (text: string) => void): Promise<Race> {
  tell('starting Kafka, the registry, the peer and a node that accepts');
  const engines = await BenchEngines.start(options.directory, { analytics: false });
  const generator = new Generator();
  let peer: Peer | null = null;
  let node: BenchNode | null = null;
  try {
    if (withPeer) peer = await startPeer(engines);
    const profiling = options.profile === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`];
    node = await BenchNode.start(engines, { name: 'accept', roles: ['accept'], execArgv: profiling });
    await node.register(await generator.fleet({ seed: 1, devices: DEVICES, ids: 'v7' }));
    const race = await runHeats({ engines, generator, peer, node, options, tell });
    await node.stop();
    return race;
  } finally {
    node?.kill();
    await peer?.stop();
    await generator.close();
    await engines.stop();
  }
}

async function runHeats(field: Field): Promise<Race> {
  const { engines, options, peer } = field;
  const { seconds, rounds, rate } = options;
  const runs = (racer: Racer): boolean => racer === 'ours' || peer !== null;
  const sent = { peer: 0, ours: 0 };
  for (const racer of RACERS.filter(runs)) {
    const { result } = await heat(field, racer, { batch: BATCH, connections: CONNECTIONS, seconds: WARM_UP_SECONDS, rate: null });
    sent[racer] += result.accepted;
  }
  const heats: Heat[] = [];
  for (const kind of ['closed', 'open'] as const) {
    for (let round = 0; round < rounds; round += 1) {
      for (const racer of (ORDER[round % ORDER.length] ?? RACERS).filter(runs)) {
        const load =
          kind === 'closed'
            ? { batch: BATCH, connections: CONNECTIONS, seconds, rate: null }
            : { batch: BATCH, connections: OPEN_CONNECTIONS, seconds, rate };
        const run = await heat(field, racer, load);
        sent[racer] += run.result.accepted;
        heats.push({ racer, kind, ...run });
      }
    }
  }
  const disk = engines.disk();
  const records = { peer: peer ? await engines.recordsIn(PEER_TOPIC) : 0, ours: await engines.recordsIn(TOPIC_NAMES.journal) };
  return {
    heats,
    bytesPerRecord: { peer: Math.round(disk.peer / Math.max(1, records.peer)), ours: Math.round(disk.journal / records.ours) },
    faults: [...heats.flatMap(faultsOf), ...countFaults(sent, records, heats)],
  };
}

async function heat(field: Field, racer: Racer, load: Omit<Load, 'url'>): Promise<Omit<Heat, 'racer' | 'kind'>> {
  const { engines, generator, peer, node, options, tell } = field;
  // A tenth more than the rate: random instants may bring more than their mean.
  const perSecond = load.rate === null ? PREPARE_PER_SECOND : Math.ceil(load.rate * 1.1);
  await generator.prepare(load.batch, perSecond * load.seconds, options.prepareMegabytes);
  await sleep(REST_MS);
  const ended = watchCosts(() => [...engines.pids, ...(peer ? [['peer', peer.pid] as const] : []), ...node.pids()]);
  const { url } = racer === 'peer' && peer ? peer : node;
  const name = load.rate === null ? racer : `${racer} at ${load.rate}/s`;
  const result = await generator.run({ ...load, url }, ({ second, logs, p50, p99, failed }) =>
    tell(`${name} ${second} s: ${logs} logs/s, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ${failed} failed`),
  );
  const costs = ended();
  return { result, costs, takenByOthers: takenByOthers(costs, result.cpuSeconds) };
}

function faultsOf({ racer, kind, result }: Heat): string[] {
  const { rejected, duplicates } = result;
  return rejected + duplicates === 0 ? [] : [`${racer}, ${kind}: ${rejected} logs were refused and ${duplicates} called duplicates`];
}

/** A request without an answer may have been taken all the same, so only without any the counts have to be equal. */
function countFaults(sent: Record<Racer, number>, records: Record<Racer, number>, heats: readonly Heat[]): string[] {
  return RACERS.flatMap((racer) => {
    const sure = heats.every((one) => one.racer !== racer || Object.keys(one.result.failures).length === 0);
    const wrong = sure ? records[racer] !== sent[racer] : records[racer] < sent[racer];
    return wrong ? [`${racer}: ${sent[racer]} logs were accepted, and ${records[racer]} records are in the topic`] : [];
  });
}
