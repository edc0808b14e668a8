/**
 * The loading process of the profiles edge and cluster: reads the feed on Kafka and loads it into ClickHouse. A process of its own,
 * because the Kafka client loads once in each.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { KafkaFeedSource } from '../feed/kafka-source.ts';
import { loadKafkaClient, settled } from '../kafka/client.ts';
import type { KafkaClient, KafkaConsumer, TopicPartitionOffset } from '../kafka/client-types.ts';
import { CommittedReader } from '../kafka/committed-reader.ts';
import { connectionConfig } from '../kafka/settings.ts';
import { prepareTopics } from '../kafka/topics.ts';
import { named } from '../settle/kafka-begin.ts';
import type { FeedPositions, FeedSource } from './feed-source.ts';
import { connectTo, insertOverHttp, migrateOverHttp } from './http-engine.ts';
import type { FromLoader, LoaderProcessOptions, ToLoader } from './loader-messages.ts';
import { Loader, type LoaderStatus, NOTHING_LOADED } from './loader.ts';
import { Milestones } from './milestones.ts';
import { tellCompleteness } from './shared-completeness.ts';
import { ClickHouseSink } from './sink.ts';

/** A signal may reach the whole process group: this one ends when its parent says so, or is gone. */
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

const RETRY_MS = 1_000;
const LOOK_MS = 500;
const TELL_AGAIN_MS = 30_000;
const CALL_MS = 10_000;

const stopping = new AbortController();
let milestones: Milestones | null = null;
let status: LoaderStatus = NOTHING_LOADED;

function send(message: FromLoader): void {
  if (process.connected) process.send?.(message);
}

function tell(next: LoaderStatus): void {
  if (next.lastError !== null && next.lastError !== status.lastError) send({ type: 'log', message: `loading failed: ${next.lastError}` });
  status = next;
  send({ type: 'status', status });
}

function failed(error: unknown): void {
  tell({ ...status, failures: status.failures + 1, lastError: error instanceof Error ? error.message : String(error) });
}

/** Repeats what needs an engine until it is there. */
async function eventually<T>(open: () => Promise<T>): Promise<T | null> {
  while (!stopping.signal.aborted) {
    try {
      return await open();
    } catch (error) {
      failed(error);
      await sleep(RETRY_MS, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }
  return null;
}

/** Notes from where the loader reads next: everything before that is loaded. */
class WatchedSource implements FeedSource {
  readonly #source: FeedSource;
  loaded: FeedPositions | null = null;

  constructor(source: FeedSource) {
    this.#source = source;
  }

  get reload(): string {
    return this.#source.reload;
  }

  feedId(): Promise<string> {
    return this.#source.feedId();
  }

  read(...args: Parameters<FeedSource['read']>): ReturnType<FeedSource['read']> {
    this.loaded = new Map(args[0]);
    return this.#source.read(...args);
  }

  lag(from: FeedPositions): Promise<number> {
    return this.#source.lag(from);
  }

  close(): void {
    this.#source.close();
  }
}

async function endsOf(reader: CommittedReader, topic: string): Promise<Map<number, number>> {
  const ends = new Map<number, number>();
  for (const partition of await reader.partitionsOf(topic)) ends.set(partition, (await reader.range(topic, partition)).end);
  return ends;
}

async function openGroup(client: KafkaClient, options: LoaderProcessOptions, group: string): Promise<KafkaConsumer> {
  const consumer = new client.KafkaConsumer({ ...connectionConfig(options.kafka), 'group.id': group, 'enable.auto.commit': false }, {});
  await settled((done) => consumer.connect({ timeout: CALL_MS }, done));
  return consumer;
}

async function settledOf(consumer: KafkaConsumer, topic: string, partitions: readonly number[]): Promise<Map<number, number>> {
  const asked = partitions.map((partition) => ({ topic, partition }));
  const found = await settled<TopicPartitionOffset[]>((done) => consumer.committed(asked, CALL_MS, done));
  return new Map(found.map(({ partition, offset }) => [partition, offset > 0 ? offset : 0]));
}

async function main(options: LoaderProcessOptions): Promise<void> {
  const client = await loadKafkaClient();
  const config = connectionConfig(options.kafka);
  const { settleGroup, topicNames = {} } = options;
  const teller = connectTo(options.clickhouseUrl);
  const tables = await eventually(async () => {
    await migrateOverHttp(options.clickhouseUrl);
    // Before Kafka is asked: from now on reports know that there is this journal, and that nothing is known of it.
    if (options.journalId !== null) await tellCompleteness(teller, { ...options, journalId: options.journalId }, 0);
    return true;
  });
  const topics =
    tables &&
    (await eventually(() => prepareTopics(options.kafka, settleGroup === null ? ['feed'] : ['journal', 'feed'], { names: topicNames })));
  const reader = topics && (await eventually(() => CommittedReader.open(client, config)));
  const group = reader && settleGroup !== null ? await eventually(() => openGroup(client, options, settleGroup)) : null;
  if (!topics || !reader) process.exit(0);
  const feed = named(topics, 'feed');
  const source = new WatchedSource(
    new KafkaFeedSource({
      client,
      config,
      topic: feed.name,
      feedId: feed.id,
      skip: new Set(options.skip),
      onSkip: (message) => send({ type: 'log', message }),
    }),
  );
  const sink = new ClickHouseSink(() => connectTo(options.clickhouseUrl), insertOverHttp);
  const journal = group ? named(topics, 'journal').name : null;
  const journalId = group ? named(topics, 'journal').id : options.journalId;
  milestones = new Milestones({
    journalEnds: journal === null ? null : () => endsOf(reader, journal),
    settled: async () => (group && journal !== null ? settledOf(group, journal, await reader.partitionsOf(journal)) : new Map()),
    feedEnds: () => endsOf(reader, feed.name),
    loaded: () => source.loaded,
  });
  if (journalId !== null) void lookOut(milestones, (instant) => tellCompleteness(teller, { ...options, journalId }, instant));
  await new Loader(source, sink, { onStatus: tell, failures: status.failures }).run(stopping.signal);
  if (stopping.signal.aborted) process.exit(0);
}

/** @param share Tells the processes that report. */
async function lookOut(of: Milestones, share: (instant: number) => Promise<void>): Promise<void> {
  let told = -1;
  let toldAt = 0;
  while (!stopping.signal.aborted) {
    try {
      await of.look();
      const { reachedInstant } = of;
      // Now and then without news: a journal that was retired while its machine was away is known again.
      if (reachedInstant > told || performance.now() - toldAt > TELL_AGAIN_MS) {
        await share(reachedInstant);
        told = reachedInstant;
        toldAt = performance.now();
      }
    } catch (error) {
      send({ type: 'log', message: `how complete the figures are cannot be told: ${(error as Error).message}` });
    }
    await sleep(LOOK_MS, undefined, { signal: stopping.signal }).catch(() => {});
  }
}

process.on('message', (message: ToLoader) => {
  if (message.type === 'stop') {
    stopping.abort();
    // Without the client's own end: it would wait for brokers that may not answer. A batch under way is ended by `run`.
    setTimeout(() => process.exit(0), CALL_MS).unref();
  } else if (message.type === 'milestone') {
    milestones
      ?.add(message.instant)
      .catch((error: Error) => send({ type: 'log', message: `the journal's end cannot be asked: ${error.message}` }));
  } else {
    main(message.options).catch((error: unknown) => {
      failed(error);
      setTimeout(() => process.exit(1), 100);
    });
  }
});
