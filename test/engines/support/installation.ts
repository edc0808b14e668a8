/** A distributed installation: the engines, and the service as several processes of its own with the roles that each is given. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { freePorts } from '../../../scripts/engines/ports.ts';
import { Proxy } from '../../support/proxy.ts';
import { kafkaProtocol, mongoProtocol } from '../../support/proxy-protocols.ts';
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

/** One in front of each engine. The service goes through them; what the tests ask themselves does not, but for Kafka. */
export interface Proxies {
  readonly kafka: Proxy;
  readonly mongo: Proxy;
  readonly clickHouse: Proxy;
}

export interface SpawnOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly under?: readonly string[];
  readonly group?: boolean;
}

export class Installation {
  readonly kafka: Kafka;
  readonly mongo: Mongo;
  readonly clickHouse: ClickHouse;
  readonly #proxies: Proxies | null;
  readonly #directory = makeDataDir();
  readonly #services = new Map<string, Service>();

  private constructor(kafka: Kafka, mongo: Mongo, clickHouse: ClickHouse, proxies: Proxies | null) {
    this.kafka = kafka;
    this.mongo = mongo;
    this.clickHouse = clickHouse;
    this.#proxies = proxies;
  }

  static async start(brokers: 1 | 3 = 1): Promise<Installation> {
    const [kafka, mongo, clickHouse] = await Promise.all([startKafka({ brokers }), startMongo(), startClickHouse()]);
    return new Installation(kafka, mongo, clickHouse, null);
  }

  /** With a proxy in front of each engine. The broker tells its clients to come through it; what it says to itself goes its own way. */
  static async startProxied(): Promise<Installation> {
    const [plain, forClients, forMongo, forClickHouse] = (await freePorts(4)) as [number, number, number, number];
    const config = {
      listeners: `PLAINTEXT://127.0.0.1:${plain},INNER://127.0.0.1:{plain}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${forClients},INNER://127.0.0.1:{plain}`,
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'inter.broker.listener.name': 'INNER',
    };
    const kafkaProxy = await Proxy.listen(forClients, plain, kafkaProtocol);
    const [kafka, mongo, clickHouse] = await Promise.all([startKafka({ brokers: 1, config }), startMongo(), startClickHouse()]);
    const proxies = {
      kafka: kafkaProxy,
      mongo: await Proxy.listen(forMongo, mongo.port, mongoProtocol),
      clickHouse: await Proxy.listen(forClickHouse, Number(new URL(clickHouse.url).port)),
    };
    return new Installation(kafka, mongo, clickHouse, proxies);
  }

  get proxies(): Proxies {
    if (!this.#proxies) throw new Error('this installation has no proxies');
    return this.#proxies;
  }

  /** Where clients find the brokers. */
  get bootstrap(): string {
    return this.#proxies ? `127.0.0.1:${this.#proxies.kafka.port}` : this.kafka.bootstrap;
  }

  /** MongoDB without a proxy between. */
  get mongoDirect(): Readonly<Record<string, string>> {
    return { PLAYPROOF_MONGODB_URL: this.mongo.url };
  }

  /** As an operator would set them for a process of this name. */
  environment(name: string, roles: string): Record<string, string> {
    return {
      ...SETTINGS,
      PLAYPROOF_INSTANCE: name,
      PLAYPROOF_ROLES: roles,
      PLAYPROOF_KAFKA_BROKERS: this.bootstrap,
      PLAYPROOF_KAFKA_ALLOW_WEAK: this.kafka.brokers.length < 3 ? '1' : '0',
      PLAYPROOF_MONGODB_URL: throughPort(this.mongo.url, this.#proxies?.mongo),
      PLAYPROOF_CLICKHOUSE_URL: throughPort(this.clickHouse.url, this.#proxies?.clickHouse),
    };
  }

  /** Starts the process without waiting for it. One of the same name is ended: a test that is tried again may have left it. */
  spawn(name: string, roles: string, { env = {}, under = [], group = false }: SpawnOptions = {}): Service {
    const dataDir = this.directoryOf(name);
    void this.#services.get(name)?.kill();
    const service = Service.spawn({ dataDir, env: { ...this.environment(name, roles), ...env }, under, group });
    this.#services.set(name, service);
    return service;
  }

  /** Of the process of this name; it stays over restarts. */
  directoryOf(name: string): string {
    const dataDir = path.join(this.#directory, name);
    mkdirSync(dataDir, { recursive: true });
    return dataDir;
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
    if (this.#proxies)
      await Promise.all([this.#proxies.kafka, this.#proxies.mongo, this.#proxies.clickHouse].map((proxy) => proxy.close()));
    removeDataDir(this.#directory);
  }
}

function throughPort(url: string, proxy: Proxy | undefined): string {
  return proxy ? url.replace(/:\d+(?=\/|$)/, `:${proxy.port}`) : url;
}
