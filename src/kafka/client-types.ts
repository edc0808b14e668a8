/**
 * The part of `@confluentinc/kafka-javascript` 1.10 (its callback interface) that we use. Written down here because the package is
 * not among the main dependencies: this has to type-check where it is not installed.
 */
import type { EventEmitter } from 'node:events';

/** What the client hands to its callbacks. Numbers below zero are the library's own, others are Kafka's. */
export interface KafkaError extends Error {
  readonly code: number;
  readonly errno?: number;
  readonly origin?: string;
  /** The producer cannot be used again: the process must end. */
  readonly isFatal?: boolean;
  /** The same call may be repeated. */
  readonly isRetriable?: boolean;
  /** The transaction must be aborted before anything else. */
  readonly isTxnRequiresAbort?: boolean;
}

export type Done<T = void> = (error: KafkaError | null | undefined, value: T) => void;

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface TopicPartitionOffset extends TopicPartition {
  readonly offset: number;
  readonly metadata?: string | null;
  readonly error?: KafkaError;
}

export type MessageHeaders = { readonly [name: string]: string | Buffer }[];

export interface KafkaMessage extends TopicPartition {
  readonly offset: number;
  readonly value: Buffer | null;
  readonly key?: Buffer | string | null;
  readonly timestamp?: number;
  readonly size: number;
  readonly headers?: MessageHeaders;
}

export interface DeliveryReport extends TopicPartition {
  readonly offset: number;
  readonly timestamp?: number;
  /** What was given to `produce`. */
  readonly opaque?: unknown;
}

export interface Watermarks {
  readonly lowOffset: number;
  readonly highOffset: number;
}

export interface ClusterMetadata {
  readonly brokers: readonly { readonly id: number; readonly host: string; readonly port: number }[];
  readonly topics: readonly {
    readonly name: string;
    readonly partitions: readonly { readonly id: number; readonly leader: number; readonly replicas: number[]; readonly isrs: number[] }[];
  }[];
}

/** librdkafka's settings: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md */
export type RdKafkaConfig = Readonly<Record<string, string | number | boolean | ((...args: never[]) => void)>>;

interface Connection extends EventEmitter {
  connect(options: { readonly timeout?: number; readonly allTopics?: boolean }, done: Done<ClusterMetadata>): this;
  disconnect(done?: Done<unknown>): this;
  isConnected(): boolean;
  getMetadata(options: { readonly topic?: string; readonly timeout?: number }, done: Done<ClusterMetadata>): void;
  /** `offset` is an instant, milliseconds; the answer's is that of the first record stamped then or later, negative where there is none. */
  offsetsForTimes(partitions: TopicPartitionOffset[], timeoutMs: number, done: Done<TopicPartitionOffset[]>): void;
  queryWatermarkOffsets(topic: string, partition: number, timeoutMs: number, done: Done<Watermarks>): void;
}

export interface KafkaProducer extends Connection {
  /** @throws KafkaError, -184 where its queue is full: poll and try again. */
  produce(
    topic: string,
    partition: number | null,
    value: Buffer | null,
    key?: Buffer | string | null,
    timestamp?: number | null,
    opaque?: unknown,
    headers?: MessageHeaders,
  ): void;
  poll(): this;
  setPollInterval(milliseconds: number): this;
  setPollInBackground(on: boolean): void;
  flush(timeoutMs: number, done: Done): this;
  initTransactions(timeoutMs: number, done: Done): void;
  beginTransaction(done: Done): void;
  commitTransaction(timeoutMs: number, done: Done): void;
  abortTransaction(timeoutMs: number, done: Done): void;
  sendOffsetsToTransaction(offsets: TopicPartitionOffset[], consumer: KafkaConsumer, timeoutMs: number, done: Done): void;
}

export interface KafkaConsumer extends Connection {
  assign(partitions: readonly (TopicPartition | TopicPartitionOffset)[]): this;
  unassign(): this;
  incrementalAssign?(partitions: readonly TopicPartition[]): this;
  incrementalUnassign?(partitions: readonly TopicPartition[]): this;
  assignments(): TopicPartition[];
  subscribe(topics: string[]): this;
  unsubscribe(): this;
  consume(count: number, done: Done<KafkaMessage[]>): void;
  committed(partitions: TopicPartition[], timeoutMs: number, done: Done<TopicPartitionOffset[]>): this;
  commitSync(partitions: TopicPartitionOffset | TopicPartitionOffset[]): this;
  seek(partition: TopicPartitionOffset, timeoutMs: number | null, done: Done): this;
  position(partitions?: TopicPartition[]): TopicPartitionOffset[];
  pause(partitions: TopicPartition[]): void;
  resume(partitions: TopicPartition[]): void;
  /** How long `consume` waits for each record, or for the first alone where the next setting says so. */
  setDefaultConsumeTimeout(milliseconds: number): void;
  /** Without it `consume` goes on while records keep coming, until it has as many as were asked for: those first read wait for the last. */
  setDefaultIsTimeoutOnlyForFirstMessage(only: boolean): void;
  /** As of the last answer to a fetch; throws where there was none. */
  getWatermarkOffsets(topic: string, partition: number): Watermarks;
}

export interface TopicDescription {
  readonly name: string;
  /** Made by the cluster when the topic is created: a topic deleted and made again has another. */
  readonly topicId: { readonly base64: string };
  readonly partitions: readonly {
    readonly partition: number;
    readonly leader: { readonly id: number } | null;
    readonly isr: readonly { readonly id: number }[];
    readonly replicas: readonly { readonly id: number }[];
  }[];
  readonly error?: KafkaError;
}

export interface KafkaAdmin {
  createTopic(
    topic: {
      readonly topic: string;
      readonly num_partitions: number;
      readonly replication_factor: number;
      readonly config?: Readonly<Record<string, string>>;
    },
    timeoutMs: number,
    done: Done,
  ): void;
  createPartitions(topic: string, total: number, timeout: number, done: Done): void;
  deleteTopic(topic: string, timeoutMs: number, done: Done): void;
  describeTopics(topics: string[], options: { readonly timeout?: number }, done: Done<TopicDescription[]>): void;
  deleteRecords(
    records: TopicPartitionOffset[],
    options: { readonly timeout?: number },
    done: Done<{ readonly topic: string; readonly partition: number; readonly lowWatermark: number; readonly error?: KafkaError }[]>,
  ): void;
  deleteGroups(
    groups: string[],
    options: { readonly timeout?: number },
    done: Done<{ readonly groupId: string; readonly error?: KafkaError }[]>,
  ): void;
  listConsumerGroupOffsets(
    groups: { readonly groupId: string; readonly partitions?: TopicPartition[] }[],
    options: { readonly timeout?: number; readonly requireStableOffsets?: boolean },
    done: Done<{ readonly groupId: string; readonly error?: KafkaError; readonly partitions: TopicPartitionOffset[] }[]>,
  ): void;
  disconnect(): void;
}

export interface KafkaClient {
  readonly Producer: new (config: RdKafkaConfig, topicConfig?: RdKafkaConfig) => KafkaProducer;
  readonly KafkaConsumer: new (config: RdKafkaConfig, topicConfig?: RdKafkaConfig) => KafkaConsumer;
  readonly AdminClient: { create(config: RdKafkaConfig, handlers?: Readonly<Record<string, (event: never) => void>>): KafkaAdmin };
  readonly CODES: { readonly ERRORS: Readonly<Record<string, number>> };
  readonly features: readonly string[];
  readonly librdkafkaVersion: string;
}
