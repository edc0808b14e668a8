/** A distributed installation: the engines, and the service as several processes of its own with the roles that each is given. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { makeDataDir, removeDataDir, Service } from '../../support/service.ts';
import { startClickHouse, startKafka, startMongo } from './engines.ts';

type Kafka = Awaited<ReturnType<typeof startKafka>>;
type Mongo = Awaited<ReturnType<typeof startMongo>>;
type ClickHouse = Awaited<ReturnType<typeof startClickHouse>>;

/** All refusals are kept, so that the oracle can ask for each. */
const SETTINGS = {
  PLAYPROOF_PROFILE: 'cluster',
  PLAYPROOF_QUARANTINE_PER_DEVICE: '100000',
  PLAYPROOF_KAFKA_PARTITIONS: '4',
  PLAYPROOF_VERIFY_WORKERS: '1',
};

export interface SpawnOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly under?: readonly string[];
  readonly group?: boolean;
}

export class Installation {
  readonly kafka: Kafka;
  readonly mongo: Mongo;
  readonly clickHouse: ClickHouse;
  readonly #directory = makeDataDir();
  readonly #services = new Map<string, Service>();

  private constructor(kafka: Kafka, mongo: Mongo, clickHouse: ClickHouse) {
    this.kafka = kafka;
    this.mongo = mongo;
    this.clickHouse = clickHouse;
  }

  static async start(brokers: 1 | 3 = 1): Promise<Installation> {
    const [kafka, mongo, clickHouse] = await Promise.all([startKafka({ brokers }), startMongo(), startClickHouse()]);
    return new Installation(kafka, mongo, clickHouse);
  }

  /** As an operator would set them for a process of this name. */
  environment(name: string, roles: string): Record<string, string> {
    return {
      ...SETTINGS,
      PLAYPROOF_INSTANCE: name,
      PLAYPROOF_ROLES: roles,
      PLAYPROOF_KAFKA_BROKERS: this.kafka.bootstrap,
      PLAYPROOF_KAFKA_ALLOW_WEAK: this.kafka.brokers.length < 3 ? '1' : '0',
      PLAYPROOF_MONGODB_URL: this.mongo.url,
      PLAYPROOF_CLICKHOUSE_URL: this.clickHouse.url,
    };
  }

  /** Starts the process without waiting for it. One of the same name is ended: a test that is tried again may have left it. */
  spawn(name: string, roles: string, { env = {}, under = [], group = false }: SpawnOptions = {}): Service {
    const dataDir = path.join(this.#directory, name);
    void this.#services.get(name)?.kill();
    mkdirSync(dataDir, { recursive: true });
    const service = Service.spawn({ dataDir, env: { ...this.environment(name, roles), ...env }, under, group });
    this.#services.set(name, service);
    return service;
  }

  /** Starts it and waits until it is ready. */
  async run(name: string, roles: string, options: SpawnOptions = {}): Promise<Service> {
    const service = this.spawn(name, roles, options);
    await service.ready();
    return service;
  }

  /** What the processes wrote, for a failed test. */
  output(): string {
    return [...this.#services].map(([name, { output }]) => `--- ${name}\n${output.slice(-3_000)}`).join('\n');
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#services.values()].map((service) => service.kill()));
    await Promise.all([this.kafka.dispose(), this.mongo.dispose(), this.clickHouse.dispose()]);
    removeDataDir(this.#directory);
  }
}
