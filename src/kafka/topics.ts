/** The topics: made where they are missing, checked at every start, and named by what only this very topic has. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaSettings } from '../config.ts';
import {
  type Cluster,
  type Coordinated,
  createTopic,
  describeCluster,
  describeTopicConfigs,
  findCoordinator,
  type Topic,
  type TopicConfig,
} from './describe.ts';
import { KafkaRefused, KafkaUnreachable } from './errors.ts';
import { createdConfig, MIN_REPLICATION, TOPIC_NAMES, topicFaults, type TopicRole, weaknesses } from './topic-rules.ts';
import { type BrokerConnection, withAnyBroker } from './wire.ts';

/** A topic as it is. */
export interface FoundTopic {
  readonly name: string;
  /**
   * A UUID made of the cluster's id and the topic's. A topic that was deleted and made again has another one, as has one of the same
   * name in another cluster.
   */
  readonly id: string;
  readonly partitions: number;
}

/** A topic that was made or checked. */
export interface EnsuredTopic extends FoundTopic {
  /** Replicas that have to have a record before it is confirmed. */
  readonly minInsync: number;
}

export interface EnsureOptions {
  /** Names other than the usual ones, for tests. */
  readonly names?: Readonly<Partial<Record<TopicRole, string>>>;
}

/** A topic is not what it has to be. Each sentence says what to change. */
export class TopicsRefused extends Error {
  override readonly name = 'TopicsRefused';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** Shorter than the time that we wait for an answer. */
const CREATE_MS = 8_000;
const LEADERS_MS = 30_000;
const LOOK_EVERY_MS = 200;

/**
 * Makes missing topics and checks all of them. Nothing of an existing topic is ever changed.
 *
 * @throws TopicsRefused; KafkaRefused; KafkaSettingsError; KafkaUnreachable, where it may help to try again.
 */
export function prepareTopics(
  settings: KafkaSettings,
  roles: readonly TopicRole[],
  options: EnsureOptions = {},
): Promise<ReadonlyMap<TopicRole, EnsuredTopic>> {
  const named = roles.map((role) => ({ role, name: options.names?.[role] ?? TOPIC_NAMES[role] }));
  return withAnyBroker(settings, async (connection) => {
    const names = named.map(({ name }) => name);
    const before = await describeCluster(connection, names);
    for (const topic of named) {
      if (!before.topics.has(topic.name)) await create(connection, settings, before, topic);
    }
    const { cluster, configs } = await whenLed(connection, names);
    const faults = named.flatMap((topic) => faultsOf(topic, settings, cluster, configs));
    if (faults.length > 0) throw new TopicsRefused(faults);
    return new Map(
      named.map(({ role, name }) => {
        const { id, partitions } = known(cluster, name);
        const minInsync = Number(configs.get(name)?.get('min.insync.replicas') ?? 1);
        return [role, { name, id: topicUuid(cluster.id, id), partitions: partitions.length, minInsync }] as const;
      }),
    );
  });
}

const INTERNAL_TOPICS: Readonly<Record<Coordinated, string>> = { group: '__consumer_offsets', transaction: '__transaction_state' };

export type InternalUses = Readonly<Partial<Record<Coordinated, string>>>;

/**
 * The cluster's own topics hold a group's offsets, and what became of a transaction: where their end may be lost, a transaction may be
 * committed in one topic and not in another. They are checked as ours are; one that is not there yet is made by the cluster now.
 *
 * @param uses What we have there: the name of a group, or of a producer of transactions.
 * @returns a sentence for each that the cluster does not show us.
 * @throws TopicsRefused; KafkaSettingsError; KafkaUnreachable, where it may help to try again.
 */
export async function checkInternalTopics(settings: KafkaSettings, uses: InternalUses): Promise<string[]> {
  const { unseen, faults } = await lookAtInternalTopics(settings, uses, 'make');
  if (faults.length > 0) throw new TopicsRefused(faults);
  return unseen;
}

/** What `checkInternalTopics` would refuse; nothing is made, and of one that is not there nothing is known. @throws as it does */
export async function previewInternalTopics(settings: KafkaSettings, uses: InternalUses): Promise<string[]> {
  return (await lookAtInternalTopics(settings, uses, 'look')).faults;
}

async function lookAtInternalTopics(
  settings: KafkaSettings,
  uses: InternalUses,
  how: 'make' | 'look',
): Promise<{ readonly unseen: string[]; readonly faults: string[] }> {
  const unseen: string[] = [];
  const faults: string[] = [];
  if (settings.allowWeak) return { unseen, faults };
  for (const [kind, key] of Object.entries(uses) as [Coordinated, string][]) {
    const name = INTERNAL_TOPICS[kind];
    try {
      const weak = await withAnyBroker(settings, (connection) => internalWeaknesses(connection, kind, key, how));
      if (weak.length > 0) faults.push(couldLose(name, 'settled', weak));
    } catch (error) {
      if (!(error instanceof KafkaRefused)) throw error;
      unseen.push(`whether the topic "${name}" is kept as it must be is not known: ${error.message}`);
    }
  }
  return { unseen, faults };
}

async function internalWeaknesses(connection: BrokerConnection, kind: Coordinated, key: string, how: 'make' | 'look'): Promise<string[]> {
  const name = INTERNAL_TOPICS[kind];
  if (!(await describeCluster(connection, [name])).topics.has(name)) {
    if (how === 'look') return [];
    await findCoordinator(connection, kind, key);
  }
  const { cluster, configs } = await whenLed(connection, [name]);
  const replication = Math.min(...known(cluster, name).partitions.map(({ replicas }) => replicas));
  return weaknesses(replication, configs.get(name) ?? new Map());
}

function couldLose(name: string, what: 'acknowledged' | 'settled', weak: readonly string[]): string {
  return `the topic "${name}" could lose what was ${what}: ${weak.join('; ')}. Change it, or set PLAYPROOF_KAFKA_ALLOW_WEAK=1 if nobody is billed from it`;
}

/**
 * The topics as they are: nothing is made and nothing is asserted. Those that are missing are not in the answer.
 *
 * @throws KafkaRefused; KafkaSettingsError; KafkaUnreachable, where it may help to try again.
 */
export function lookAtTopics(
  settings: KafkaSettings,
  roles: readonly TopicRole[],
  options: EnsureOptions = {},
): Promise<ReadonlyMap<TopicRole, FoundTopic>> {
  const named = roles.map((role) => ({ role, name: options.names?.[role] ?? TOPIC_NAMES[role] }));
  return withAnyBroker(settings, async (connection) => {
    const cluster = await describeCluster(
      connection,
      named.map(({ name }) => name),
    );
    const found = new Map<TopicRole, FoundTopic>();
    for (const { role, name } of named) {
      const topic = cluster.topics.get(name);
      if (topic) found.set(role, { name, id: topicUuid(cluster.id, topic.id), partitions: topic.partitions.length });
    }
    return found;
  });
}

export interface TopicsPreview {
  /** Names of those that `prepareTopics` would make. */
  readonly missing: readonly string[];
  /** What it would refuse, a sentence each. */
  readonly faults: readonly string[];
  /** The ids of those that are there. */
  readonly ids: ReadonlyMap<TopicRole, string>;
}

/** Says what `prepareTopics` would do, and does nothing. @throws as it does, but for TopicsRefused. */
export function previewTopics(settings: KafkaSettings, roles: readonly TopicRole[], options: EnsureOptions = {}): Promise<TopicsPreview> {
  const named = roles.map((role) => ({ role, name: options.names?.[role] ?? TOPIC_NAMES[role] }));
  return withAnyBroker(settings, async (connection) => {
    const cluster = await describeCluster(
      connection,
      named.map(({ name }) => name),
    );
    const there = named.filter(({ name }) => cluster.topics.has(name));
    const missing = named.filter(({ name }) => !cluster.topics.has(name)).map(({ name }) => name);
    const names = there.map(({ name }) => name);
    const configs = names.length === 0 ? new Map<string, TopicConfig>() : await describeTopicConfigs(connection, names);
    const weak = missing.flatMap((name) => tooFewBrokers(cluster, settings, name) ?? []);
    return {
      missing,
      faults: [...weak, ...there.flatMap((topic) => faultsOf(topic, settings, cluster, configs))],
      ids: new Map(there.map(({ role, name }) => [role, topicUuid(cluster.id, known(cluster, name).id)])),
    };
  });
}

interface NamedTopic {
  readonly role: TopicRole;
  readonly name: string;
}

async function create(connection: BrokerConnection, settings: KafkaSettings, cluster: Cluster, { role, name }: NamedTopic): Promise<void> {
  const tooFew = tooFewBrokers(cluster, settings, name);
  if (tooFew !== null) throw new TopicsRefused([tooFew]);
  const replication = Math.min(MIN_REPLICATION, cluster.brokers);
  const config = createdConfig(role, replication);
  const partitions = role === 'positions' ? 1 : settings.partitions;
  try {
    await createTopic(connection, { name, partitions, replication, config }, CREATE_MS);
  } catch (error) {
    if (!(error instanceof KafkaRefused)) throw error;
    const pairs = Object.entries(config).map(([key, value]) => `${key}=${value}`);
    throw new KafkaRefused(
      `${error.message}. Let this user do it, or make it yourself: ${partitions} partitions, ${replication} replicas, ${pairs.join(', ')}`,
      { cause: error },
    );
  }
}

function tooFewBrokers(cluster: Cluster, settings: KafkaSettings, name: string): string | null {
  if (cluster.brokers >= MIN_REPLICATION || settings.allowWeak) return null;
  const brokers = cluster.brokers === 1 ? '1 broker' : `${cluster.brokers} brokers`;
  return (
    `the topic "${name}" cannot be made: it needs ${MIN_REPLICATION} replicas and the cluster has ${brokers}; ` +
    'take a larger cluster, or set PLAYPROOF_KAFKA_ALLOW_WEAK=1 if nobody is billed from it'
  );
}

interface Led {
  readonly cluster: Cluster;
  readonly configs: ReadonlyMap<string, TopicConfig>;
}

/** Waits until every partition has a leader: a new topic needs a moment, and so does a cluster that has just started. */
async function whenLed(connection: BrokerConnection, names: readonly string[]): Promise<Led> {
  const end = performance.now() + LEADERS_MS;
  for (;;) {
    const cluster = await describeCluster(connection, names);
    const configs = await describeTopicConfigs(connection, names);
    const waiting = names.find((name) => !hasLeaders(cluster.topics.get(name)) || !configs.has(name));
    if (waiting === undefined) return { cluster, configs };
    if (performance.now() > end) throw new KafkaUnreachable(`not every partition of the topic "${waiting}" has a leader`);
    await sleep(LOOK_EVERY_MS);
  }
}

function hasLeaders(topic: Topic | undefined): boolean {
  return topic?.partitions.every(({ leader }) => leader >= 0) ?? false;
}

function known(cluster: Cluster, name: string): Topic {
  const topic = cluster.topics.get(name);
  if (!topic) throw new KafkaUnreachable(`the topic "${name}" is gone again`);
  return topic;
}

function faultsOf(
  { role, name }: NamedTopic,
  settings: KafkaSettings,
  cluster: Cluster,
  configs: ReadonlyMap<string, TopicConfig>,
): string[] {
  const { partitions } = known(cluster, name);
  const replication = Math.min(...partitions.map(({ replicas }) => replicas));
  const { weak, wrong } = topicFaults({ role, partitions: partitions.length, replication, config: configs.get(name) ?? new Map() });
  const sentences: string[] = [];
  if (wrong.length > 0) sentences.push(`the topic "${name}" cannot be used: ${wrong.join('; ')}`);
  if (weak.length > 0 && !settings.allowWeak) {
    sentences.push(couldLose(name, 'acknowledged', weak));
  }
  return sentences;
}

/** Hashed with the length of the first part before it; the version digit says "made by an own rule" (RFC 9562, version 8). */
function topicUuid(clusterId: string, topicId: string): string {
  const bytes = createHash('sha256').update(`${clusterId.length}:${clusterId}${topicId}`).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
