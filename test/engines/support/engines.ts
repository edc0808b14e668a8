/**
 * The real engines for tests, each in a temporary directory. They end with the test process, even when that is killed. `dispose` ends
 * an engine and removes its directory; after a failed test, `dispose({ keep: true })` leaves it for reading and prints where it is.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type ClickHouseOptions, type ClickHouseServer, launchClickHouse } from '../../../scripts/engines/clickhouse.ts';
import { type KafkaCluster, type KafkaOptions, launchKafka } from '../../../scripts/engines/kafka.ts';
import { launchMongo, type MongoServer } from '../../../scripts/engines/mongo.ts';

export { kafkaTool } from '../../../scripts/engines/java.ts';
export { javaConsume } from './witness.ts';

/** What every engine has on top of itself. */
export interface InDirectory {
  readonly directory: string;
  /** Ends it and removes the directory, unless it is to be kept. */
  readonly dispose: (options?: { readonly keep?: boolean }) => Promise<void>;
}

export type Started<Engine> = Engine & InDirectory;

async function inDirectory<Engine extends { stop(): Promise<void> }>(
  name: string,
  start: (directory: string) => Promise<Engine>,
): Promise<Started<Engine>> {
  const directory = await mkdtemp(path.join(os.tmpdir(), `playproof-${name}-`));
  let engine: Engine;
  try {
    engine = await start(directory);
  } catch (error) {
    // The message holds the end of the log; the rest is where it says.
    throw new Error(`${name} did not start; its files are in ${directory}`, { cause: error });
  }
  const dispose = async (options: { readonly keep?: boolean } = {}): Promise<void> => {
    await engine.stop();
    if (options.keep) process.stderr.write(`${name}: files kept in ${directory}\n`);
    else await rm(directory, { recursive: true, force: true });
  };
  return Object.assign(engine, { directory, dispose });
}

/** One broker, or three with replication 3 and `min.insync.replicas` 2. */
export function startKafka(options: Omit<KafkaOptions, 'directory'> = { brokers: 1 }): Promise<Started<KafkaCluster>> {
  return inDirectory('kafka', (directory) => launchKafka({ ...options, directory }));
}

export function startMongo(): Promise<Started<MongoServer>> {
  return inDirectory('mongo', (directory) => launchMongo({ directory }));
}

/** ClickHouse's HTTP interface in front of chDB. */
export function startClickHouse(options: Omit<ClickHouseOptions, 'directory'> = {}): Promise<Started<ClickHouseServer>> {
  return inDirectory('clickhouse', (directory) => launchClickHouse({ ...options, directory }));
}
