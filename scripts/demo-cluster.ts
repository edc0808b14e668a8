/**
 * `npm run demo:cluster`: the demonstration on the distributed engines. Starts Kafka, a MongoDB-compatible server and ClickHouse over HTTP,
 * two nodes that accept behind a balancer, one that settles and one that loads, each a process of its own, and lets the fleet play.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { onStopSignal } from '../src/cli/signals.ts';
import { type DemoService, runDemo } from '../src/demo/demo.ts';
import { type Balancer, startBalancer } from './demo/balancer.ts';
import { launchClickHouse } from './engines/clickhouse.ts';
import { launchKafka } from './engines/kafka.ts';
import { launchMongo } from './engines/mongo.ts';
import { ROOT } from './engines/places.ts';
import { freePort } from './engines/ports.ts';
import { EngineProcess } from './engines/process.ts';

const READY_MS = 60_000;
/** What runs where. Two nodes accept, so that screens reach them through a balancer, as in a real installation. */
const NODES = [
  ['accept-1', 'accept,query'],
  ['accept-2', 'accept,query'],
  ['settle-1', 'settle'],
  ['analytics-1', 'analytics'],
] as const;

interface Started {
  readonly stop: () => Promise<void>;
}

/** Everything that was started, ended in the opposite order. */
class Stack {
  readonly #started: Started[] = [];

  add<T extends Started>(started: T): T {
    this.#started.push(started);
    return started;
  }

  async stop(): Promise<void> {
    for (const started of this.#started.splice(0).toReversed()) await started.stop();
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function startNode(
  name: string,
  dir: string,
  environment: Readonly<Record<string, string>>,
): Promise<EngineProcess & { url: string }> {
  const directory = path.join(dir, name);
  await mkdir(directory, { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const node = await EngineProcess.start({
    name,
    command: process.execPath,
    args: [path.join(ROOT, 'bin/playproof.mjs'), 'start'],
    directory,
    logFile: path.join(directory, 'playproof.log'),
    env: { ...environment, PLAYPROOF_INSTANCE: name, PLAYPROOF_HTTP_PORT: String(port) },
    outlives: false,
  });
  await node.ready(() => isReady(url), READY_MS);
  return Object.assign(node, { url });
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health/ready`)).ok;
  } catch {
    return false;
  }
}

async function startInstallation(stack: Stack, dir: string): Promise<DemoService> {
  const began = performance.now();
  const [kafka, mongo, clickHouse] = await Promise.all([
    launchKafka({ brokers: 1, directory: path.join(dir, 'kafka') }).then((one) => stack.add(one)),
    launchMongo({ directory: path.join(dir, 'mongo') }).then((one) => stack.add(one)),
    launchClickHouse({ directory: path.join(dir, 'clickhouse') }).then((one) => stack.add(one)),
  ]);
  say(`Kafka on ${kafka.bootstrap}, MongoDB on port ${mongo.port}, ClickHouse at ${clickHouse.url}`);
  const adminToken = `demo-${randomBytes(24).toString('base64url')}`;
  const environment = {
    PLAYPROOF_PROFILE: 'cluster',
    PLAYPROOF_LOG_LEVEL: 'warn',
    PLAYPROOF_ADMIN_TOKEN: adminToken,
    PLAYPROOF_VERIFY_WORKERS: '1',
    PLAYPROOF_KAFKA_BROKERS: kafka.bootstrap,
    PLAYPROOF_KAFKA_PARTITIONS: '4',
    // One broker cannot keep three copies; nobody is billed from a demonstration.
    PLAYPROOF_KAFKA_ALLOW_WEAK: '1',
    PLAYPROOF_MONGODB_URL: mongo.url,
    PLAYPROOF_CLICKHOUSE_URL: clickHouse.url,
    // Screens go on being accepted while MongoDB is away; docs/decisions/0014-registry-away.md says what that risks.
    PLAYPROOF_REGISTRY_MAX_AGE_SECONDS: '3600',
  };
  // The first makes the topics and the indexes; the others find them.
  const accepting: string[] = [];
  for (const [name, roles] of NODES) {
    const node = stack.add(await startNode(name, dir, { ...environment, PLAYPROOF_ROLES: roles }));
    if (roles.startsWith('accept')) accepting.push(node.url);
    say(`  ${name.padEnd(12)} ${node.url}  ${roles.replace(',', ' and ')}`);
  }
  const balancer: Balancer = stack.add(await startBalancer(accepting));
  say(
    `  balancer     ${balancer.url}  in front of ${accepting.length} nodes; all of it started in ${Math.round((performance.now() - began) / 1_000)} s`,
  );
  const { pid } = mongo.process;
  say(`  try it       \`kill -STOP ${pid}\` halts MongoDB, \`kill -CONT ${pid}\` lets it go on: screens are answered all the while`);
  return { address: balancer.url, adminToken, close: () => stack.stop() };
}

const USAGE = `usage: npm run demo:cluster -- [--for SECONDS] [--screens 1 to 1000] [--seed TEXT]

The demonstration on Kafka, a MongoDB server and ClickHouse over HTTP, with two accepting nodes, a settler and a loader.
`;

interface Options {
  readonly seconds: number;
  readonly screens: number;
  readonly seed: string;
}

/** Null: the options make no sense. */
function optionsOf(values: { readonly for: string; readonly screens: string; readonly seed: string }): Options | null {
  const options = { seconds: Number(values.for), screens: Number(values.screens), seed: values.seed };
  const sound = options.seconds >= 1 && options.seconds <= 86_400;
  return sound && Number.isInteger(options.screens) && options.screens >= 1 && options.screens <= 1_000 ? options : null;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    strict: false,
    options: {
      for: { type: 'string', default: '30' },
      screens: { type: 'string', default: '24' },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const { help, for: span, screens: count, seed: text, ...unknown } = values;
  const options = Object.keys(unknown).length === 0 ? optionsOf({ for: String(span), screens: String(count), seed: String(text) }) : null;
  if (help === true || options === null) {
    (help === true ? process.stdout : process.stderr).write(USAGE);
    return help === true ? 0 : 2;
  }
  const { seconds, screens, seed } = options;
  const dir = await mkdtemp(path.join(tmpdir(), 'playproof-cluster-'));
  const stack = new Stack();
  const interrupt = new AbortController();
  const release = onStopSignal(
    () => interrupt.abort(),
    () => process.exit(130),
  );
  let code = 1;
  try {
    code = await runDemo({
      forMs: seconds * 1_000,
      seed,
      screens,
      dir,
      start: () => startInstallation(stack, dir),
      out: process.stdout,
      signal: interrupt.signal,
    });
    return code;
  } finally {
    release();
    await stack.stop();
    // The evidence that it names stays; what the engines kept does not.
    const gone = code === 0 ? ['kafka', 'mongo', 'clickhouse', 'screens', ...NODES.map(([name]) => name)] : [];
    for (const name of gone) await rm(path.join(dir, name), { recursive: true, force: true });
    if (code !== 0) process.stderr.write(`What every process wrote is in ${dir}\n`);
  }
}

process.exitCode = await main();
