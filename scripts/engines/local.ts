/** All engines on this machine, to try things by hand: they go on after the command that started them, until `stop`. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { launchClickHouse } from './clickhouse.ts';
import { launchKafka } from './kafka.ts';
import { launchMongo } from './mongo.ts';
import { cacheDirectory } from './places.ts';
import type { EngineProcess } from './process.ts';
import { InstallError, say } from './run.ts';

const GRACE_MS = 15_000;

interface Kept {
  readonly name: string;
  readonly pid: number;
  /** When the process began, in the kernel's ticks: a pid alone may belong to another process by now. */
  readonly began: string;
}

interface State {
  readonly processes: readonly Kept[];
  readonly environment: Readonly<Record<string, string>>;
}

function directory(): string {
  return path.join(cacheDirectory(), 'local');
}

function stateFile(): string {
  return path.join(directory(), 'state.json');
}

/** Prints the settings to use. @throws InstallError when they run already. */
export async function startLocal(brokers: 1 | 3): Promise<void> {
  if ((await running()).length > 0) throw new InstallError('the engines run already; `npm run engines:stop` ends them');
  await mkdir(directory(), { recursive: true });
  const started: EngineProcess[] = [];
  try {
    say(`starting Kafka with ${brokers} broker${brokers === 1 ? '' : 's'}`);
    const kafka = await launchKafka({ brokers, directory: path.join(directory(), `kafka-${brokers}`), outlives: true });
    started.push(...kafka.brokers.map(({ process }) => process));
    say('starting the MongoDB server');
    const mongo = await launchMongo({ directory: path.join(directory(), 'mongo'), outlives: true });
    started.push(mongo.process);
    say('starting ClickHouse over HTTP');
    const clickHouse = await launchClickHouse({ directory: path.join(directory(), 'clickhouse'), outlives: true });
    started.push(clickHouse.process);
    const environment = {
      PLAYPROOF_KAFKA_BROKERS: kafka.bootstrap,
      // One broker cannot keep three copies.
      ...(brokers === 1 ? { PLAYPROOF_KAFKA_ALLOW_WEAK: '1' } : {}),
      PLAYPROOF_MONGODB_URL: mongo.url,
      PLAYPROOF_CLICKHOUSE_URL: clickHouse.url,
    };
    const processes = started.map(({ name, pid }) => ({ name, pid, began: beginningOf(pid) ?? '' }));
    await writeFile(stateFile(), `${JSON.stringify({ processes, environment } satisfies State, null, 2)}\n`);
    say(`running; data and logs are in ${directory()}. Settings to use:`);
    printEnvironment(environment);
  } catch (error) {
    await Promise.all(started.map((process_) => process_.kill()));
    throw error;
  }
}

/** Ends what `startLocal` started, and nothing else. The data stays. */
export async function stopLocal(): Promise<void> {
  const left = await running();
  if (left.length === 0) say('no engines run');
  for (const { name, pid } of left) {
    say(`ending ${name} (${pid})`);
    process.kill(pid, 'SIGTERM');
  }
  const end = performance.now() + GRACE_MS;
  for (let rest = left; rest.length > 0; rest = rest.filter(isRunning)) {
    if (performance.now() > end) {
      for (const { name, pid } of rest) {
        say(`${name} (${pid}) does not end by itself; killing it`);
        process.kill(pid, 'SIGKILL');
      }
      break;
    }
    await sleep(100);
  }
  await rm(stateFile(), { force: true });
}

/** Prints which engines run. @returns whether all do. */
export async function statusLocal(): Promise<boolean> {
  const state = await readState();
  if (state === null) {
    say('no engines were started');
    return false;
  }
  for (const kept of state.processes) say(`${kept.name} (${kept.pid}): ${isRunning(kept) ? 'running' : 'ended'}`);
  printEnvironment(state.environment);
  return state.processes.every(isRunning);
}

function printEnvironment(environment: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(environment)) process.stdout.write(`export ${name}='${value}'\n`);
}

async function readState(): Promise<State | null> {
  return existsSync(stateFile()) ? (JSON.parse(await readFile(stateFile(), 'utf8')) as State) : null;
}

async function running(): Promise<Kept[]> {
  return ((await readState())?.processes ?? []).filter(isRunning);
}

function isRunning({ pid, began }: Kept): boolean {
  return beginningOf(pid) === began;
}

/** Field 22 of `/proc/PID/stat`; the name before it may hold spaces. Null when there is no such process, or only what is left of it. */
function beginningOf(pid: number): string | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}
