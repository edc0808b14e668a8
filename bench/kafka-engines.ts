/** The engines of a benchmark on Kafka: real processes on a directory of their own, which goes when it is over. */
import { globSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { launchClickHouse } from '../scripts/engines/clickhouse.ts';
import { kafkaTool } from '../scripts/engines/java.ts';
import { launchKafka } from '../scripts/engines/kafka.ts';
import { launchMongo } from '../scripts/engines/mongo.ts';
import type { KafkaSettings } from '../src/config.ts';
import { createTopic } from '../src/kafka/describe.ts';
import { createdConfig, TOPIC_NAMES } from '../src/kafka/topic-rules.ts';
import { withAnyBroker } from '../src/kafka/wire.ts';

const CREATE_MS = 20_000;
/** The same for the journal, the feed and the peer's topic. */
export const PARTITIONS = 8;
export const PEER_TOPIC = 'bench-peer';
/** Whose processes cost what: a key of the cost table. */
export type EngineName = 'broker' | 'mongodb' | 'clickhouse';

interface Engine {
  readonly stop: () => Promise<void>;
}

export class BenchEngines {
  readonly directory: string;
  readonly bootstrap: string;
  /** What a node of the profile `cluster` is told. */
  readonly environment: Readonly<Record<string, string>>;
  readonly clickHouseUrl: string | null;
  readonly pids: ReadonlyMap<EngineName, number>;
  readonly #engines: readonly Engine[];

  private constructor(
    directory: string,
    kafka: Awaited<ReturnType<typeof launchKafka>>,
    mongo: Awaited<ReturnType<typeof launchMongo>>,
    clickHouse: Awaited<ReturnType<typeof launchClickHouse>> | null,
  ) {
    this.directory = directory;
    this.bootstrap = kafka.bootstrap;
    this.clickHouseUrl = clickHouse?.url ?? null;
    this.#engines = [kafka, mongo, ...(clickHouse ? [clickHouse] : [])];
    const [broker] = kafka.brokers;
    const pids: [EngineName, number | undefined][] = [
      ['broker', broker?.process.pid],
      ['mongodb', mongo.process.pid],
      ['clickhouse', clickHouse?.process.pid],
    ];
    this.pids = new Map(pids.filter((one): one is [EngineName, number] => one[1] !== undefined));
    this.environment = {
      PLAYPROOF_PROFILE: 'cluster',
      PLAYPROOF_KAFKA_BROKERS: kafka.bootstrap,
      PLAYPROOF_KAFKA_PARTITIONS: String(PARTITIONS),
      // One broker cannot keep three copies: what replication costs is in the capacity model, not here.
      PLAYPROOF_KAFKA_ALLOW_WEAK: '1',
      PLAYPROOF_MONGODB_URL: mongo.url,
      // Accepting never asks it, and its settings have to be whole all the same.
      PLAYPROOF_CLICKHOUSE_URL: clickHouse?.url ?? 'http://127.0.0.1:9',
    };
  }

  /** @param parent Where the directory is made. @throws with the end of its log where an engine does not start. */
  static async start(parent: string, { analytics }: { readonly analytics: boolean }): Promise<BenchEngines> {
    const directory = mkdtempSync(path.join(parent, 'playproof-bench-'));
    const started = await Promise.allSettled([
      launchKafka({ brokers: 1, directory: path.join(directory, 'kafka') }),
      launchMongo({ directory: path.join(directory, 'mongo') }),
      analytics ? launchClickHouse({ directory: path.join(directory, 'clickhouse') }) : null,
    ]);
    const [kafka, mongo, clickHouse] = started;
    if (kafka.status === 'fulfilled' && mongo.status === 'fulfilled' && clickHouse.status === 'fulfilled') {
      return new BenchEngines(directory, kafka.value, mongo.value, clickHouse.value);
    }
    for (const one of started) if (one.status === 'fulfilled') await one.value?.stop();
    rmSync(directory, { recursive: true, force: true });
    throw started.find((one) => one.status === 'rejected')?.reason;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#engines.map((engine) => engine.stop()));
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** A topic with the settings of the journal. */
  async createPeerTopic(): Promise<void> {
    const topic = { name: PEER_TOPIC, partitions: PARTITIONS, replication: 1, config: createdConfig('journal', 1) };
    await withAnyBroker(plainKafka(this.bootstrap), (connection) => createTopic(connection, topic, CREATE_MS));
  }

  /** Records in a topic as Kafka's own tool counts them: with the marks that end transactions, where it has any. */
  async recordsIn(topic: string): Promise<number> {
    const { stdout } = await kafkaTool('org.apache.kafka.tools.GetOffsetShell', ['--bootstrap-server', this.bootstrap, '--topic', topic]);
    let records = 0;
    for (const line of stdout.split('\n')) {
      const [name, , offset] = line.trim().split(':');
      if (name === topic) records += Number(offset);
    }
    return records;
  }

  /** Bytes that each store has on disk now. */
  disk(): Record<'journal' | 'feed' | 'peer' | 'archive' | 'analytics', number> {
    const kafka = (topic: string): number => bytesOf(this.directory, `kafka/1/data/${topic}-[0-9]*/*.log`);
    return {
      journal: kafka(TOPIC_NAMES.journal),
      feed: kafka(TOPIC_NAMES.feed),
      peer: kafka(PEER_TOPIC),
      archive: bytesOf(this.directory, 'mongo/data/**/*'),
      analytics: bytesOf(this.directory, 'clickhouse/chdb/**/*'),
    };
  }
}

function bytesOf(directory: string, pattern: string): number {
  let bytes = 0;
  for (const file of globSync(pattern, { cwd: directory })) {
    const stat = statSync(path.join(directory, file), { throwIfNoEntry: false });
    if (stat?.isFile()) bytes += stat.size;
  }
  return bytes;
}

export function plainKafka(brokers: string): KafkaSettings {
  return {
    brokers,
    partitions: PARTITIONS,
    allowWeak: true,
    tls: false,
    caFile: null,
    certFile: null,
    keyFile: null,
    saslMechanism: null,
    saslUsername: null,
    saslPassword: null,
  };
}
