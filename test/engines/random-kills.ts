/**
 * I1, I3 on the distributed engines: two nodes that accept, two that settle and one that loads, on a real broker, MongoDB-compatible
 * server and ClickHouse over HTTP. Under load a process is killed with -9 or stopped with SIGSTOP for some seconds, again and again: any
 * node, the settling or loading process behind it, or a broker. At the end the oracle.
 *
 *   node test/engines/random-kills.ts [--kills 50] [--seed N] [--brokers 1|3]
 *
 * With three brokers the topics are as they must be for billing: three replicas, two in sync, nothing weak allowed.
 *
 * The seed decides what is sent and what is done to whom; the machine decides how far everything had come by then.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Load, randomFrom } from '../support/load.ts';
import { importWorld, makeWorld } from '../support/registry.ts';
import { Field, killAndRestart, NODES, pause } from './support/field.ts';
import { Installation } from './support/installation.ts';
import { differences } from './support/oracle.ts';

export interface RandomKillsOptions {
  readonly kills: number;
  readonly seed: number;
  /** 1 where absent. */
  readonly brokers?: 1 | 3;
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
/** Three brokers on a machine that is busy. */
const READY_MS = 120_000;

type Victim = 'node' | 'child' | 'broker';

/** Does one thing to somebody, and undoes it where it does not end by itself. @returns what was done */
async function harm(field: Field, random: () => number): Promise<string> {
  const dice = random();
  const victim: Victim = dice < 0.5 ? 'node' : dice < 0.85 ? 'child' : 'broker';
  const stop = random() < 0.35;
  const share = random();
  if (victim === 'broker') {
    const { kafka } = field.installation;
    const count = kafka.brokers.length;
    const which = count === 1 ? 1 : 1 + Math.floor(random() * count);
    await (stop ? pause(kafka.one(which), share * MAX_BROKER_STOPPED_MS) : killAndRestart(kafka.one(which)));
    return `${stop ? 'stop' : 'kill'} broker${count === 1 ? '' : ` ${which}`}`;
  }
  const names = Object.keys(NODES).filter((name) => victim === 'node' || !name.startsWith('accept'));
  const name = names[Math.floor(random() * names.length)] as string;
  if (victim === 'node') {
    await (stop ? field.pause(name, share * MAX_STOPPED_MS) : field.kill(name, share * MAX_BETWEEN_MS));
    return `${stop ? 'stop' : 'kill'} ${name}`;
  }
  const found = await (stop ? field.pauseChild(name, share * MAX_STOPPED_MS) : field.killChild(name));
  return found ? `${stop ? 'stop' : 'kill'} child of ${name}` : `found no child of ${name}`;
}

/** @throws Error when a process does not come back, when something is answered 500, or when it does not converge in time. */
export async function randomKills({ kills, seed, brokers = 1, tell }: RandomKillsOptions): Promise<RandomKillsResult> {
  const random = randomFrom(seed);
  const world = makeWorld(DEVICES, { seed: seed + 3 });
  const load = new Load(world, seed + 1);
  const done: Record<string, number> = {};
  const installation = await Installation.start(brokers);
  try {
    const field = new Field(installation, { startWithinMs: READY_MS });
    await field.startAll();
    await importWorld(field.node('accept-1'), world);
    // By numbers of its own, so that who is harmed depends on the seed alone. It may be a node that stands still, as behind a real balancer.
    const toWhom = randomFrom(seed + 2);
    load.start(CONNECTIONS, () => {
      const node = field.node(toWhom() < 0.5 ? 'accept-1' : 'accept-2');
      return node.ended ? null : node.url;
    });
    for (let kill = 1; kill <= kills; kill += 1) {
      await sleep(random() * MAX_BETWEEN_MS);
      const what = await harm(field, random);
      done[what] = (done[what] ?? 0) + 1;
      tell(`${kill} of ${kills}: ${what}; ${load.ledger.summary()['acknowledged'] ?? 0} acknowledged`);
    }
    await load.stop();
    for (const service of field.nodes()) await service.ready(READY_MS);
    const query = field.node('accept-2');
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
  const { values } = parseArgs({
    options: { kills: { type: 'string', default: '50' }, seed: { type: 'string' }, brokers: { type: 'string', default: '1' } },
  });
  const brokers = Number(values.brokers);
  if (brokers !== 1 && brokers !== 3) throw new Error(`--brokers is ${values.brokers}; it must be 1 or 3`);
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}; --seed ${seed} --brokers ${brokers} does the same again`);
  const started = performance.now();
  const result = await randomKills({ kills: Number(values.kills), seed, brokers, tell: console.log });
  console.log(JSON.stringify({ seed, brokers, seconds: Math.round((performance.now() - started) / 1_000), ...result }, null, 2));
  if (result.differences.length > 0) process.exitCode = 1;
}
