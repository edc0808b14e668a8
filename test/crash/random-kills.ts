/**
 * I1: the service is killed again and again at random times under load, sometimes while it starts; now and then its analytics process
 * alone. In between cheap checks of the feed; at the end the oracle.
 *
 *   node test/crash/random-kills.ts [--cycles 200] [--seed N]
 *
 * The seed decides what is sent and when it is killed; the machine decides how far the service had come by then.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Ledger } from '../support/ledger.ts';
import { Load, randomFrom } from '../support/load.ts';
import { differences, readFeed } from '../support/oracle.ts';
import { importWorld, makeWorld } from '../support/registry.ts';
import { makeDataDir, removeDataDir, Service } from '../support/service.ts';

export interface RandomKillsOptions {
  readonly cycles: number;
  readonly seed: number;
  readonly tell: (line: string) => void;
}

export interface RandomKillsResult {
  readonly differences: readonly string[];
  readonly summary: Readonly<Record<string, number>>;
  readonly kills: number;
  /** Kills that came before the service was ready. */
  readonly whileStarting: number;
  readonly analyticsKills: number;
}

const CONNECTIONS = 4;
const DEVICES = 4;
const KEEP_ALL = { PLAYPROOF_QUARANTINE_PER_DEVICE: '100000' };
/** How long the service may run before it is killed, once it is ready. */
const MAX_LIFE_MS = 700;
/** How soon after its birth it is killed where it is not left to become ready. */
const MAX_BIRTH_MS = 1_200;
const WHILE_STARTING = 0.15;
const ANALYTICS_ALONE = 0.15;
const TELL_EVERY = 10;

/** @throws Error when a cheap check fails, when the service does not come back, or when it answers 500. */
export async function randomKills({ cycles, seed, tell }: RandomKillsOptions): Promise<RandomKillsResult> {
  const random = randomFrom(seed);
  const dataDir = makeDataDir();
  const world = makeWorld(DEVICES, { seed: seed + 3 });
  const load = new Load(world, seed + 1);
  const counts = { kills: 0, whileStarting: 0, analyticsKills: 0 };
  const feed = new FeedWatch();
  let service = await Service.start({ dataDir, env: KEEP_ALL });
  try {
    await importWorld(service, world);
    let url: string | null = service.url;
    load.start(CONNECTIONS, () => url);
    for (let cycle = 1; cycle <= cycles; cycle += 1) {
      if (random() < ANALYTICS_ALONE && killAnalytics(service)) counts.analyticsKills += 1;
      await sleep(random() * MAX_LIFE_MS);
      await service.kill();
      counts.kills += 1;
      url = null;
      while (random() < WHILE_STARTING) {
        const born = Service.spawn({ dataDir, env: KEEP_ALL });
        await sleep(random() * MAX_BIRTH_MS);
        if (born.ended) throw new Error(`the service did not start again:\n${born.output}`);
        await born.kill();
        counts.kills += 1;
        counts.whileStarting += 1;
      }
      service = await Service.start({ dataDir, env: KEEP_ALL });
      ({ url } = service);
      await feed.check(service, load.ledger);
      if (cycle % TELL_EVERY === 0) tell(`${cycle} of ${cycles} cycles, ${feed.size} plays published`);
    }
    await load.stop();
    await load.drain(service.url);
    return { differences: await differences(service, load.ledger), summary: load.ledger.summary(), ...counts };
  } finally {
    await load.stop();
    await service.kill();
    removeDataDir(dataDir);
  }
}

/** Reads what the feed has new, and holds it against what was read before and what was sent. */
class FeedWatch {
  #last: string | undefined;
  readonly #seen = new Set<string>();

  get size(): number {
    return this.#seen.size;
  }

  async check(service: Service, ledger: Ledger): Promise<void> {
    const { copies, last } = await readFeed(service, this.#last);
    this.#last = last;
    for (const { logId, hash } of copies) {
      if (this.#seen.has(logId)) throw new Error(`${logId} came in the feed twice`);
      if (!ledger.has(logId, hash)) throw new Error(`${logId} ${hash} came in the feed, and nobody sent it`);
      this.#seen.add(logId);
    }
  }
}

function killAnalytics(service: Service): boolean {
  const [pid] = service.children();
  if (pid === undefined) return false;
  process.kill(pid, 'SIGKILL');
  return true;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { cycles: { type: 'string', default: '200' }, seed: { type: 'string' } } });
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}; --seed ${seed} sends the same again`);
  const started = performance.now();
  const result = await randomKills({ cycles: Number(values.cycles), seed, tell: console.log });
  console.log(JSON.stringify({ seed, seconds: Math.round((performance.now() - started) / 1000), ...result }, null, 2));
  if (result.differences.length > 0) process.exitCode = 1;
}
