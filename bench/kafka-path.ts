/**
 * The whole path on Kafka, a MongoDB server and ClickHouse, all of it on this machine: a steady rate, the same with a
 * reader who tells how old plays are when they are seen, as much as goes through, and two nodes that accept, at another rate: the capacity
 * model, made from the others, is held against that.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { Generator } from './generator.ts';
import { Fleet } from './load/fleet.ts';
import { type Costs, takenByOthers, watchCosts } from './kafka-costs.ts';
import { BenchEngines } from './kafka-engines.ts';
import { BenchNode } from './kafka-node.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { Witness } from './kafka-witness.ts';
import type { Freshness } from './kafka-witness-messages.ts';
import type { Load, LoadResult } from './load/messages.ts';

export interface Stretch {
  readonly results: readonly LoadResult[];
  readonly accepted: number;
  /** From the first request until all of it was settled and loaded. */
  readonly secondsUntilLoaded: number;
  /** Until then, so with what settling and loading cost. */
  readonly costs: Costs;
  readonly takenByOthers: number;
}

export interface WholePath {
  /** Nothing sent: what the processes cost by themselves. */
  readonly idle: Costs;
  readonly full: Stretch;
  readonly steady: Stretch;
  readonly freshness: { readonly feed: Freshness; readonly report: Freshness };
  readonly twoNodes: Stretch;
  /** Of the bodies of a batch and of its answer, and on the disk of each store, one copy. */
  readonly bytesPerLog: Readonly<Record<'request' | 'answer' | 'journal' | 'feed' | 'archive' | 'analytics', number>>;
  readonly counts: Readonly<Record<'accepted' | 'feedRecords' | 'feedPlays' | 'archive' | 'analyticsRows' | 'analyticsPlays', number>>;
  readonly faults: readonly string[];
}

const WARM_UP_SECONDS = 3;
const IDLE_SECONDS = 5;
const DEVICES = 64;
const BATCH = 100;
const CONNECTIONS = 16;
const OPEN_CONNECTIONS = 64;
/** Signed beforehand for each second of a closed loop. */
const PREPARE_PER_SECOND = 40_000;
const MARK_EVERY = 20;
/** Of the steady rate: the model is held against another one than it was made from. */
const TWO_NODES_RATE = 1.5;
const POLL_MS = 100;
/** Accepting is much quicker than the MongoDB server of the tests: what it took in has to be settled. */
const DRAIN_WITHIN_MS = 300_000;
const TELL_EVERY_MS = 2_000;

interface Site {
  readonly engines: BenchEngines;
  /** Two fleets: each sends to a node of its own where there are two. */
  readonly generators: readonly [Generator, Generator];
  readonly first: BenchNode;
  readonly witness: Witness;
  readonly options: KafkaOptions;
  readonly tell: (text: string) => void;
}

export async function runWholePath(options: KafkaOptions, tell: (text: string) => void): Promise<WholePath> {
  tell('starting Kafka, MongoDB, ClickHouse and a node with all roles');
  const engines = await BenchEngines.start(options.directory, { analytics: true });
  const generators = [new Generator(), new Generator()] as const;
  const witness = new Witness();
  const nodes: BenchNode[] = [];
  try {
    const first = await BenchNode.start(engines, { name: 'node-1', roles: ['accept', 'settle', 'analytics', 'query'] });
    nodes.push(first);
    for (const [i, generator] of generators.entries()) {
      await first.register(await generator.fleet({ seed: i + 1, devices: DEVICES, ids: 'v7' }));
    }
    const path = await measureSite({ engines, generators, first, witness, options, tell }, nodes);
    for (const node of nodes) await node.stop();
    return path;
  } finally {
    for (const node of nodes) node.kill();
    await witness.close();
    for (const generator of generators) await generator.close();
    await engines.stop();
  }
}

async function measureSite(site: Site, nodes: BenchNode[]): Promise<WholePath> {
  const { engines, first, witness, options, tell } = site;
  const { seconds, steady: rate } = options;
  const closed = { batch: BATCH, connections: CONNECTIONS, rate: null };
  const open = { batch: BATCH, connections: OPEN_CONNECTIONS, rate };
  let total = 0;
  const empty = engines.disk();
  const stretch = async (name: string, loads: readonly Load[], before = 0): Promise<Stretch> => {
    const run = await measureStretch(site, nodes, name, loads, total + before);
    total += run.accepted;
    return run;
  };
  const sent = await probe(first);
  total += BATCH;
  await stretch('warm-up', [{ ...closed, url: first.url, seconds: WARM_UP_SECONDS }]);
  tell('nothing sent');
  const resting = watchCosts(() => pidsOf(engines, nodes));
  await sleep(IDLE_SECONDS * 1000);
  const idle = resting();
  const steady = await stretch(`${rate} logs/s`, [{ ...open, url: first.url, seconds }]);
  await witness.ask(
    { type: 'watch', bootstrap: engines.bootstrap, clickHouseUrl: engines.clickHouseUrl ?? '', markEvery: MARK_EVERY },
    'watching',
  );
  const watched = await stretch(`${rate} logs/s, watched`, [{ ...open, url: first.url, seconds }]);
  const freshness = await witness.ask({ type: 'freshness' }, 'freshness');
  const full = await stretch('as much as goes', [{ ...closed, url: first.url, seconds }]);
  const stored = storedBytes(empty, engines.disk(), total);
  const second = await BenchNode.start(engines, { name: 'node-2', roles: ['accept'] });
  nodes.push(second);
  const half = { ...open, rate: Math.round((rate * TWO_NODES_RATE) / 2) };
  // A new node compiles its code first; what that costs is not a log's.
  await stretch('the second node warms up', [{ ...half, url: second.url, seconds: WARM_UP_SECONDS }]);
  const twoNodes = await stretch(`two nodes, ${half.rate} logs/s each`, [
    { ...half, url: first.url, seconds },
    { ...half, url: second.url, seconds },
  ]);
  tell('counting the copies');
  const counted = await witness.ask({ type: 'count', bootstrap: engines.bootstrap }, 'counted');
  const counts = {
    accepted: total,
    feedRecords: counted.records,
    feedPlays: counted.plays,
    archive: await archived(engines),
    ...(await analysed(engines)),
  };
  const sample = [full, steady, watched, twoNodes].flatMap(({ results }) => results.flatMap((result) => result.sample));
  return {
    idle,
    full,
    steady,
    freshness: { feed: freshness.feed, report: freshness.report },
    twoNodes,
    bytesPerLog: { ...sent, ...stored },
    counts,
    faults: [
      ...[full, steady, watched, twoNodes].flatMap(faultsOf),
      ...countFaults(counts),
      ...(freshness.lost > 0 ? [`${freshness.lost} plays of the feed were not in analytics in time`] : []),
      ...(await evidenceFaults(first, sample)),
    ],
  };
}

async function measureStretch(
  { engines, generators, first, options, tell }: Site,
  nodes: readonly BenchNode[],
  name: string,
  loads: readonly Load[],
  before: number,
): Promise<Stretch> {
  for (const [i, { batch, rate, seconds }] of loads.entries()) {
    const perSecond = rate === null ? PREPARE_PER_SECOND : Math.ceil(rate * 1.1);
    await generators[i]?.prepare(batch, perSecond * seconds, options.prepareMegabytes / loads.length);
  }
  const ended = watchCosts(() => pidsOf(engines, nodes));
  const startedAt = performance.now();
  const results = await Promise.all(
    loads.map((load, i) =>
      (generators[i] as Generator).run(load, ({ second, logs, p50, p99 }) =>
        tell(`${name} ${second} s: ${logs} logs/s, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`),
      ),
    ),
  );
  const accepted = results.reduce((sum, result) => sum + result.accepted, 0);
  await drained(first, before + accepted, tell);
  const costs = ended();
  const generating = results.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  return {
    results,
    accepted,
    secondsUntilLoaded: (performance.now() - startedAt) / 1000,
    costs,
    takenByOthers: takenByOthers(costs, generating),
  };
}

function pidsOf(engines: BenchEngines, nodes: readonly BenchNode[]): [string, number][] {
  const pids: [string, number][] = [...engines.pids];
  for (const [i, node] of nodes.entries()) for (const [what, pid] of node.pids()) pids.push([i === 0 ? what : `${what} ${i + 1}`, pid]);
  return pids;
}

/** Waits until everything accepted since the start is settled and loaded. */
async function drained(node: BenchNode, accepted: number, tell: (text: string) => void): Promise<void> {
  const until = performance.now() + DRAIN_WITHIN_MS;
  for (let toldAt = performance.now(); ; ) {
    const settled = await node.metric('playproof_settled_plays_total');
    const loaded = await node.metric('playproof_analytics_rows_loaded_total');
    if (settled >= accepted && loaded >= accepted) return;
    const now = performance.now();
    if (now > until)
      throw new Error(`${accepted} logs were accepted; after ${DRAIN_WITHIN_MS / 1000} s ${settled} are settled, ${loaded} loaded`);
    if (now - toldAt > TELL_EVERY_MS) {
      toldAt = now;
      tell(`${accepted} accepted, ${settled} settled, ${loaded} loaded`);
    }
    await sleep(POLL_MS);
  }
}

/** One batch of the first fleet, for its size and that of its answer. */
async function probe(node: BenchNode): Promise<{ request: number; answer: number }> {
  const body = new Fleet({ seed: 1, devices: DEVICES, ids: 'v7' }).batch(BATCH, []);
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${node.url}/api/v1/playback-logs/batch`, { method: 'POST', headers, body });
  const answer = await response.text();
  if (response.status !== 202) throw new Error(`a batch was answered ${response.status}: ${answer}`);
  return { request: Math.round(body.length / BATCH), answer: Math.round(answer.length / BATCH) };
}

type Disk = ReturnType<BenchEngines['disk']>;

function storedBytes(before: Disk, after: Disk, logs: number): Omit<WholePath['bytesPerLog'], 'request' | 'answer'> {
  const each = (store: keyof Disk): number => Math.round((after[store] - before[store]) / logs);
  return { journal: each('journal'), feed: each('feed'), archive: each('archive'), analytics: each('analytics') };
}

async function archived({ environment }: BenchEngines): Promise<number> {
  const client = new MongoClient(environment.PLAYPROOF_MONGODB_URL ?? '');
  try {
    return await client.db('playproof').collection('archive').countDocuments();
  } finally {
    await client.close();
  }
}

async function analysed({ clickHouseUrl }: BenchEngines): Promise<{ analyticsRows: number; analyticsPlays: number }> {
  const query = 'SELECT count(), uniqExact(log_id) FROM playproof.plays FINAL FORMAT TSV';
  const response = await fetch(clickHouseUrl ?? '', { method: 'POST', body: query });
  const text = await response.text();
  if (!response.ok) throw new Error(`analytics answered ${response.status}: ${text}`);
  const [rows, plays] = text.trim().split('\t').map(Number);
  return { analyticsRows: rows ?? Number.NaN, analyticsPlays: plays ?? Number.NaN };
}

function faultsOf({ results }: Stretch): string[] {
  return results.flatMap(({ rejected, duplicates, failures }) => [
    ...(rejected + duplicates > 0 ? [`${rejected} logs were refused and ${duplicates} called duplicates; all were sound and new`] : []),
    ...Object.entries(failures).map(([status, times]) => `${times} requests were answered ${status}`),
  ]);
}

function countFaults({ accepted, ...copies }: WholePath['counts']): string[] {
  return Object.entries(copies).flatMap(([name, count]) =>
    count === accepted ? [] : [`${accepted} logs were accepted; ${name} is ${count}`],
  );
}

async function evidenceFaults(node: BenchNode, sample: readonly string[]): Promise<string[]> {
  const faults: string[] = [];
  for (const logId of sample) {
    const { status, body } = await node.get(`/playback-logs/${logId}`);
    const { verdict } = body as { verdict?: { outcome?: string } };
    if (status !== 200 || verdict?.outcome !== 'accepted') faults.push(`${logId} was answered "accepted" and its evidence is ${status}`);
  }
  return faults;
}
