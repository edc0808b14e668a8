/**
 * I1, I3 on the distributed engines: two nodes that accept, two that settle and one that loads, on a real broker, MongoDB-compatible
 * server and ClickHouse over HTTP. Under load a process is killed with -9 or stopped with SIGSTOP for some seconds, again and again: any
 * node, the settling or loading process behind it, or the broker. At the end the oracle.
 *
 *   node test/engines/random-kills.ts [--kills 50] [--seed N]
 *
 * The seed decides what is sent and what is done to whom; the machine decides how far everything had come by then.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Load, randomFrom } from '../support/load.ts';
import { importWorld, makeWorld } from '../support/registry.ts';
import type { Service } from '../support/service.ts';
import { Installation } from './support/installation.ts';
import { differences } from './support/oracle.ts';

export interface RandomKillsOptions {
  readonly kills: number;
  readonly seed: number;
  readonly tell: (line: string) => void;
}

export interface RandomKillsResult {
  readonly differences: readonly string[];
  readonly summary: Readonly<Record<string, number>>;
  /** How often each thing was done, e.g. `kill settle-1`. */
  readonly done: Readonly<Record<string, number>>;
}

const CONNECTIONS = 4;
const DEVICES = 4;
const MAX_BETWEEN_MS = 1_500;
/** Longer than a settler's session: then the group gives its partitions to the other one. */
const MAX_STOPPED_MS = 14_000;
const MAX_BROKER_STOPPED_MS = 6_000;

const NODES: Readonly<Record<string, string>> = {
  'accept-1': 'accept,query',
  'accept-2': 'accept,query',
  'settle-1': 'settle',
  'settle-2': 'settle',
  'analytics-1': 'analytics',
};

type Victim = 'node' | 'child' | 'broker';

class Field {
  readonly #installation: Installation;
  readonly #random: () => number;
  readonly nodes = new Map<string, Service>();

  constructor(installation: Installation, random: () => number) {
    this.#installation = installation;
    this.#random = random;
  }

  async startAll(): Promise<void> {
    for (const [name, roles] of Object.entries(NODES)) this.nodes.set(name, await this.#installation.run(name, roles));
  }

  /** Does one thing to somebody, and undoes it where it does not end by itself. @returns what was done */
  async harm(): Promise<string> {
    const dice = this.#random();
    const victim: Victim = dice < 0.5 ? 'node' : dice < 0.85 ? 'child' : 'broker';
    const stop = this.#random() < 0.35;
    const share = this.#random();
    if (victim === 'broker') return this.#harmBroker(stop, share);
    const names = Object.keys(NODES).filter((name) => victim === 'node' || !name.startsWith('accept'));
    const name = names[Math.floor(this.#random() * names.length)] as string;
    return victim === 'node' ? this.#harmNode(name, stop, share) : this.#harmChild(name, stop, share);
  }

  async #harmBroker(stop: boolean, share: number): Promise<string> {
    const { kafka } = this.#installation;
    if (stop) {
      kafka.pause();
      await sleep(share * MAX_BROKER_STOPPED_MS);
      kafka.resume();
      return 'stop broker';
    }
    await kafka.kill();
    await kafka.restart();
    return 'kill broker';
  }

  async #harmNode(name: string, stop: boolean, share: number): Promise<string> {
    const node = this.#node(name);
    if (stop) {
      node.signal('SIGSTOP');
      await sleep(share * MAX_STOPPED_MS);
      node.signal('SIGCONT');
      return `stop ${name}`;
    }
    await node.kill();
    await sleep(share * MAX_BETWEEN_MS);
    // Not waited for: what comes next may come while it starts.
    const born = this.#installation.spawn(name, NODES[name] as string);
    await born.listening();
    this.nodes.set(name, born);
    return `kill ${name}`;
  }

  /** The settling or loading process alone; its parent starts it again. */
  async #harmChild(name: string, stop: boolean, share: number): Promise<string> {
    const [pid] = this.#node(name).children();
    if (pid === undefined) return `found no child of ${name}`;
    if (!stop) {
      process.kill(pid, 'SIGKILL');
      return `kill child of ${name}`;
    }
    process.kill(pid, 'SIGSTOP');
    await sleep(share * MAX_STOPPED_MS);
    process.kill(pid, 'SIGCONT');
    return `stop child of ${name}`;
  }

  #node(name: string): Service {
    const node = this.nodes.get(name);
    if (!node) throw new Error(`there is no node ${name}`);
    return node;
  }
}

/** @throws Error when a process does not come back, when something is answered 500, or when it does not converge in time. */
export async function randomKills({ kills, seed, tell }: RandomKillsOptions): Promise<RandomKillsResult> {
  const random = randomFrom(seed);
  const world = makeWorld(DEVICES);
  const load = new Load(world, seed + 1);
  const done: Record<string, number> = {};
  const installation = await Installation.start();
  try {
    const field = new Field(installation, random);
    await field.startAll();
    const first = field.nodes.get('accept-1') as Service;
    await importWorld(first, world);
    // By numbers of its own, so that who is harmed depends on the seed alone. It may be a node that stands still, as behind a real balancer.
    const toWhom = randomFrom(seed + 2);
    load.start(CONNECTIONS, () => {
      const node = field.nodes.get(toWhom() < 0.5 ? 'accept-1' : 'accept-2') as Service;
      return node.ended ? null : node.url;
    });
    for (let kill = 1; kill <= kills; kill += 1) {
      await sleep(random() * MAX_BETWEEN_MS);
      const what = await field.harm();
      done[what] = (done[what] ?? 0) + 1;
      tell(`${kill} of ${kills}: ${what}; ${load.ledger.summary()['acknowledged'] ?? 0} acknowledged`);
    }
    await load.stop();
    for (const service of field.nodes.values()) await service.ready();
    const query = field.nodes.get('accept-2') as Service;
    await load.drain(query.url);
    await load.sendGood(query.url, 20);
    await load.drain(query.url);
    return { differences: await differences(installation, query, load.ledger), summary: load.ledger.summary(), done };
  } catch (error) {
    tell(installation.output());
    throw error;
  } finally {
    await load.stop();
    await installation.dispose();
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { kills: { type: 'string', default: '50' }, seed: { type: 'string' } } });
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}; --seed ${seed} does the same again`);
  const started = performance.now();
  const result = await randomKills({ kills: Number(values.kills), seed, tell: console.log });
  console.log(JSON.stringify({ seed, seconds: Math.round((performance.now() - started) / 1_000), ...result }, null, 2));
  if (result.differences.length > 0) process.exitCode = 1;
}
