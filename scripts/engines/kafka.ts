/** Real Kafka: one broker, or three with everything replicated thrice. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { javaArguments, kafkaTool } from './java.ts';
import { serverProperties } from './kafka-config.ts';
import { freePorts } from './ports.ts';
import { EngineProcess } from './process.ts';

const READY_MS = 90_000;
const HEAP_MEGABYTES = 384;

export interface KafkaOptions {
  readonly brokers: 1 | 3;
  /** Data and logs; made when absent. */
  readonly directory: string;
  readonly outlives?: boolean;
  /**
   * Further lines of `server.properties`, for every broker; they win over ours. In them
   * `{plain}` stands for the broker's port and `{port}` for a further free one of its own.
   */
  readonly config?: Readonly<Record<string, string>>;
  /** Further arguments of `StorageTool format`, e.g. `--add-scram`. */
  readonly format?: readonly string[];
}

/** One broker. Its number is counted from 1. */
export interface Broker {
  readonly node: number;
  readonly port: number;
  /** A further port that `{port}` in the settings stands for. */
  readonly otherPort: number;
  readonly directory: string;
  process: EngineProcess;
}

export class KafkaCluster {
  readonly brokers: readonly Broker[];
  /** `127.0.0.1:port,…` */
  readonly bootstrap: string;
  readonly #outlives: boolean;

  constructor(brokers: readonly Broker[], outlives: boolean) {
    this.brokers = brokers;
    this.bootstrap = brokers.map(({ port }) => `127.0.0.1:${port}`).join(',');
    this.#outlives = outlives;
  }

  /** kill -9. */
  async kill(node = 1): Promise<void> {
    await this.#broker(node).process.kill();
  }

  /** SIGSTOP: its connections stay open and nothing answers. */
  pause(node = 1): void {
    this.#broker(node).process.pause();
  }

  resume(node = 1): void {
    this.#broker(node).process.resume();
  }

  /** Starts a dead broker on its data and waits for it. After kill -9 that takes 5 to 10 s: its old session has to run out. */
  async restart(node = 1): Promise<void> {
    const broker = this.#broker(node);
    if (broker.process.alive) throw new Error(`broker ${node} is running`);
    broker.process = await launch(broker, this.#outlives);
    await isReady(broker);
  }

  /** One broker by itself, for whoever harms one engine or another. */
  one(node: number): Pick<KafkaCluster, 'kill' | 'pause' | 'resume' | 'restart'> {
    return {
      kill: () => this.kill(node),
      pause: () => this.pause(node),
      resume: () => this.resume(node),
      restart: () => this.restart(node),
    };
  }

  /** SIGTERM to every broker, SIGKILL to those that are still there after the grace. */
  async stop(graceMs = 10_000): Promise<void> {
    await Promise.all(this.brokers.map(({ process }) => process.stop(graceMs)));
  }

  #broker(node: number): Broker {
    const broker = this.brokers.find((one) => one.node === node);
    if (!broker) throw new Error(`there is no broker ${node}`);
    return broker;
  }
}

/** @throws with the end of the broker's log when one does not start. */
export async function launchKafka(options: KafkaOptions): Promise<KafkaCluster> {
  const count = options.brokers;
  const outlives = options.outlives ?? false;
  const ports = await freePorts(count * 3);
  const voters = Array.from({ length: count }, (_, index) => `${index + 1}@127.0.0.1:${ports[count + index]}`).join(',');
  // Kafka's ids are 22 characters; one that begins with a dash would be read as an option.
  const clusterId = randomBytes(16).toString('base64url').replaceAll(/[-_]/g, 'x');
  const places = Array.from({ length: count }, (_, index) => ({
    node: index + 1,
    port: ports[index] as number,
    controllerPort: ports[count + index] as number,
    otherPort: ports[2 * count + index] as number,
    directory: path.join(options.directory, String(index + 1)),
  }));
  await Promise.all(
    places.map(async (place) => {
      await mkdir(place.directory, { recursive: true });
      const further = Object.entries(options.config ?? {}).map(([name, value]) => [
        name,
        value.replaceAll('{port}', String(place.otherPort)).replaceAll('{plain}', String(place.port)),
      ]);
      const properties = serverProperties({
        ...place,
        voters,
        replicas: count,
        minInsyncReplicas: count === 3 ? 2 : 1,
        further: Object.fromEntries(further) as Record<string, string>,
      });
      await writeFile(path.join(place.directory, 'server.properties'), properties);
      if (!existsSync(path.join(place.directory, 'data/meta.properties'))) {
        const arguments_ = ['format', '-t', clusterId, '-c', path.join(place.directory, 'server.properties'), ...(options.format ?? [])];
        await kafkaTool('kafka.tools.StorageTool', arguments_);
      }
    }),
  );
  const brokers = await Promise.all(places.map(async (place) => ({ ...place, process: await launch(place, outlives) })));
  const results = await Promise.allSettled(brokers.map(isReady));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) {
    await Promise.all(brokers.map(({ process }) => process.kill()));
    throw failed.reason;
  }
  return new KafkaCluster(brokers, outlives);
}

function launch(broker: Pick<Broker, 'node' | 'directory'>, outlives: boolean): Promise<EngineProcess> {
  return EngineProcess.start({
    name: `Kafka broker ${broker.node}`,
    command: 'java',
    args: [...javaArguments('kafka.Kafka', HEAP_MEGABYTES, 'info'), path.join(broker.directory, 'server.properties')],
    directory: broker.directory,
    logFile: path.join(broker.directory, 'kafka.log'),
    outlives,
  });
}

async function isReady(broker: Broker): Promise<void> {
  await broker.process.ready((log) => log.includes('Kafka Server started'), READY_MS);
}
