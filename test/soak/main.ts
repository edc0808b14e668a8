/**
 * Random faults under steady load on real processes, for as long as wanted; then what the clients were told is held against every copy.
 *
 *   npm run soak -- --minutes N [--profile embedded|cluster] [--seed S] [--rate LOGS_A_SECOND] [--only FAULT,FAULT] [--json FILE]
 *
 * The seed decides what is sent, and which faults come in which order and strength; how far everything had come by then is the machine's.
 * Ctrl-C ends the faults early and compares. Exit code 1 when anything differs.
 */
import { writeFileSync } from 'node:fs';
import { seeded, uuids } from '../../bench/load/random.ts';
import { makeCheapKey } from '../support/cheap-key.ts';
import { Ledger } from '../support/ledger.ts';
import { LogSource } from '../support/log-source.ts';
import { importWorld, makeWorld } from '../support/registry.ts';
import { Sender } from '../support/sender.ts';
import { makeKey, type SigningKey } from '../support/signing.ts';
import { Admin } from './admin.ts';
import { clientFaults, type ClientFaultsOptions, press } from './client-faults.ts';
import { ClusterStage } from './cluster.ts';
import { EmbeddedStage } from './embedded.ts';
import { KeyRing } from './keys.ts';
import { LiveLine } from './live-line.ts';
import { type Options, readOptions, UsageError } from './options.ts';
import { schedule } from './schedule.ts';
import { Soak, type SoakResult } from './soak.ts';
import type { Stage } from './stage.ts';
import { SteadyLoad } from './steady-load.ts';

const DEVICES = 8;
/** As a screen waits for an answer; then it sends again. */
const ANSWER_MS = 10_000;
const MINUTE_MS = 60_000;
const REST_EVERY_MS = { embedded: 3 * MINUTE_MS, cluster: 5 * MINUTE_MS } as const;
/** On disk, with all copies and what is to be written again. */
const BYTES_A_LOG = 8 * 1024;
const DISK_BYTES = 1024 ** 3;

async function soak(options: Options, line: LiveLine, stop: AbortSignal): Promise<SoakResult> {
  const { seed, profile, minutes, rate } = options;
  // A source of random numbers for each purpose, so that none depends on how often another is asked.
  const id = uuids('v4', seeded(seed + 1), Date.now);
  const keyNumbers = seeded(seed + 2);
  const keyOf = (device: number, keyId: string): SigningKey => makeKeyOf(device, keyId, keyNumbers);
  const world = makeWorld(DEVICES, { id, key: (device) => keyOf(device, 'k1') });
  const keys = new KeyRing(world, keyOf);
  const sender = new Sender(new Ledger({ bodies: false }), ANSWER_MS);
  const source = new LogSource(world, seeded(seed + 3), {
    keyAt: (device, endedAt) => keys.keyAt(device, endedAt),
    logId: uuids('v7', seeded(seed + 4), Date.now),
  });
  let stage: Stage | null = null;
  const url = (): string | null => stage?.url() ?? null;
  const load = new SteadyLoad({ source, sender, rate, url });
  const admin = new Admin(() => (stage as Stage).query());
  const clients: ClientFaultsOptions = { world, keys, admin, load, url, logId: uuids('v7', seeded(seed + 5), Date.now) };
  const fail = (sentence: string): void => load.fail(sentence);
  stage =
    profile === 'embedded'
      ? await EmbeddedStage.start({
          diskBytes: DISK_BYTES + Math.ceil(minutes * 60 * rate * BYTES_A_LOG),
          fail,
          press: (dice, until) => press(clients, dice, until),
        })
      : await ClusterStage.start({ fail });
  try {
    await importWorld(stage.query(), world);
    const faults = [...stage.faults, ...clientFaults(clients)].filter(
      ({ name }) => options.only.length === 0 || options.only.includes(name),
    );
    for (const why of stage.leftOut) line.tell(`left out: ${why}`);
    const names = faults.map(({ name }) => name);
    line.tell(`${names.length} faults in a shuffled order: ${[...names].sort().join(', ')}`);
    const result = await new Soak({
      stage,
      faults,
      load,
      plan: schedule(seed, names),
      milliseconds: minutes * MINUTE_MS,
      restEveryMs: REST_EVERY_MS[profile],
      tell: (text) => line.tell(text),
      show: (state) => line.show(state),
      stop,
    }).run();
    if (result.differences.length > 0) line.tell(stage.output());
    return result;
  } finally {
    await stage.close();
  }
}

/** Two screens sign with keys as everybody makes them, of both algorithms; the others with keys that cost us little. */
function makeKeyOf(device: number, keyId: string, random: () => number): SigningKey {
  if (device === 0) return makeKey(keyId, 'RS256');
  if (device === 1) return makeKey(keyId, 'PS256');
  return makeCheapKey(keyId, random);
}

function report(options: Options, result: SoakResult): boolean {
  const { differences, audit } = result;
  const clean = differences.length === 0 && audit.clean !== false;
  const summary = { clean, ...options, ...result };
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(summary, null, 2)}\n`);
  console.log(JSON.stringify(summary, null, 2));
  const total = Object.values(result.faults).reduce((sum, n) => sum + n, 0);
  console.log(
    clean
      ? `clean: ${result.summary['acknowledged'] ?? 0} logs acknowledged, ${total} faults, nothing lost, nothing doubled`
      : `NOT clean: ${differences.length} differences; --seed ${options.seed} does the same again`,
  );
  return clean;
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  const line = new LiveLine();
  line.tell(`seed ${options.seed}; --profile ${options.profile} --rate ${options.rate} --seed ${options.seed} does the same again`);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      line.tell('told to stop: no more faults; comparing');
      stop.abort();
    });
  }
  return report(options, await soak(options, line, stop.signal)) ? 0 : 1;
}

try {
  process.exit(await main());
} catch (error) {
  console.error(error instanceof UsageError ? `soak: ${error.message}` : error);
  process.exit(error instanceof UsageError ? 2 : 1);
}
