/** The topics: made where they are missing, checked at every start, and named by what only this very topic has. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaSettings } from '../config.ts';
import { settled } from './client.ts';
import type { KafkaAdmin, KafkaClient, KafkaError, TopicDescription } from './client-types.ts';
import { type Cluster, describeCluster, describeTopicConfigs } from './describe.ts';
import { KafkaRefused, KafkaUnreachable } from './errors.ts';
import { connectionConfig } from './settings.ts';
import { createdConfig, MIN_REPLICATION, TOPIC_NAMES, topicFaults, type TopicRole } from './topic-rules.ts';
import { type BrokerConnection, connectToAny } from './wire.ts';

export interface EnsuredTopic {
  readonly name: string;
  /**
   * A UUID made of the cluster's id and the topic's. A topic that was deleted and made again has another one, as has one of the same
   * name in another cluster.
   */
  readonly id: string;
  readonly partitions: number;
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

const ADMIN_MS = 15_000;
const LEADERS_MS = 30_000;
const UNKNOWN_TOPIC = 3;
const ALREADY_EXISTS = 36;

/**
 * Makes missing topics and checks all of them. Nothing of an existing topic is ever changed.
 *
 * @throws TopicsRefused; KafkaRefused; KafkaSettingsError; KafkaUnreachable, where it may help to try again.
 */
export async function ensureTopics(
  client: KafkaClient,
  settings: KafkaSettings,
  roles: readonly TopicRole[],
  options: EnsureOptions = {},
): Promise<ReadonlyMap<TopicRole, EnsuredTopic>> {
  const config = connectionConfig(settings);
  const named = roles.map((role) => ({ role, name: options.names?.[role] ?? TOPIC_NAMES[role] }));
  // Our own connection comes first: it says clearly what is wrong, where librdkafka tries until its time is over.
  const connection = await connectToAny(settings);
  const admin = client.AdminClient.create(config);
  try {
    const cluster = await describeCluster(connection);
    for (const topic of named) await createWhereMissing(admin, settings, cluster, topic);
    const descriptions = await withLeaders(
      admin,
      named.map(({ name }) => name),
    );
    await check(connection, settings, named, descriptions);
    return new Map(
      named.map(({ role, name }) => {
        const found = descriptions.get(name) as TopicDescription;
        return [role, { name, id: topicUuid(cluster.id, found.topicId.base64), partitions: found.partitions.length }] as const;
      }),
    );
  } finally {
    admin.disconnect();
    connection.close();
  }
}

interface NamedTopic {
  readonly role: TopicRole;
  readonly name: string;
}

async function createWhereMissing(admin: KafkaAdmin, settings: KafkaSettings, cluster: Cluster, { role, name }: NamedTopic): Promise<void> {
  const found = (await describe(admin, [name])).get(name);
  if (found !== undefined) return;
  if (cluster.brokers < MIN_REPLICATION && !settings.allowWeak) {
    throw new TopicsRefused([
      `the topic "${name}" cannot be made: it needs ${MIN_REPLICATION} replicas and the cluster has ${cluster.brokers} broker${cluster.brokers === 1 ? '' : 's'}; ` +
        'take a larger cluster, or set PLAYPROOF_KAFKA_ALLOW_WEAK=1 if nobody is billed from it',
    ]);
  }
  const replication = Math.min(MIN_REPLICATION, cluster.brokers);
  const topicConfig = createdConfig(role, replication);
  const partitions = role === 'positions' ? 1 : settings.partitions;
  try {
    await settled((done) =>
      admin.createTopic({ topic: name, num_partitions: partitions, replication_factor: replication, config: topicConfig }, ADMIN_MS, done),
    );
  } catch (error) {
    // Another node that starts at the same time was faster.
    if ((error as KafkaError).code === ALREADY_EXISTS) return;
    throw creationFault(error as KafkaError, name, partitions, replication, topicConfig);
  }
}

function creationFault(error: KafkaError, name: string, partitions: number, replication: number, config: Record<string, string>): Error {
  if (error.code < 0) return new KafkaUnreachable(`the topic "${name}" could not be made: ${error.message}`, { cause: error });
  const settings = Object.entries(config).map(([key, value]) => `${key}=${value}`);
  return new KafkaRefused(
    `the topic "${name}" could not be made: ${error.message}. Make it yourself, with ${partitions} partitions, ${replication} replicas and ` +
      `${settings.join(', ')}, or let this user do it`,
    { cause: error },
  );
}

/** The topics that exist. */
async function describe(admin: KafkaAdmin, names: string[]): Promise<Map<string, TopicDescription>> {
  let descriptions: TopicDescription[];
  try {
    descriptions = await settled<TopicDescription[]>((done) => admin.describeTopics(names, { timeout: ADMIN_MS }, done));
  } catch (error) {
    throw new KafkaUnreachable(`the topics cannot be looked at: ${(error as KafkaError).message}`, { cause: error });
  }
  const existing = new Map<string, TopicDescription>();
  for (const description of descriptions) {
    const code = description.error?.code ?? 0;
    if (code === 0) existing.set(description.name, description);
    else if (code !== UNKNOWN_TOPIC) {
      throw new KafkaRefused(`the topic "${description.name}" cannot be looked at: ${description.error?.message ?? `code ${code}`}`);
    }
  }
  return existing;
}

/** Waits until every partition has a leader: a new topic needs a moment, and so does a cluster that has just started. */
async function withLeaders(admin: KafkaAdmin, names: string[]): Promise<Map<string, TopicDescription>> {
  const end = performance.now() + LEADERS_MS;
  for (;;) {
    const descriptions = await describe(admin, names);
    const waiting = names.filter((name) => !descriptions.get(name)?.partitions.every(({ leader }) => leader !== null && leader.id >= 0));
    if (waiting.length === 0) return descriptions;
    if (performance.now() > end) throw new KafkaUnreachable(`no broker leads every partition of the topic "${waiting[0]}"`);
    await sleep(200);
  }
}

async function check(
  connection: BrokerConnection,
  settings: KafkaSettings,
  named: readonly NamedTopic[],
  descriptions: ReadonlyMap<string, TopicDescription>,
): Promise<void> {
  const configs = await describeTopicConfigs(
    connection,
    named.map(({ name }) => name),
  );
  const faults = named.flatMap(({ role, name }) => {
    const { partitions } = descriptions.get(name) as TopicDescription;
    const replication = Math.min(...partitions.map(({ replicas }) => replicas.length));
    const { weak, wrong } = topicFaults({ role, partitions: partitions.length, replication, config: configs.get(name) ?? new Map() });
    const sentences: string[] = [];
    if (wrong.length > 0) sentences.push(`the topic "${name}" cannot be used: ${wrong.join('; ')}`);
    if (weak.length > 0 && !settings.allowWeak) {
      sentences.push(
        `the topic "${name}" could lose what was acknowledged: ${weak.join('; ')}. Change it, or set PLAYPROOF_KAFKA_ALLOW_WEAK=1 if nobody is billed from it`,
      );
    }
    return sentences;
  });
  if (faults.length > 0) throw new TopicsRefused(faults);
}

/** Hashed with the length of the first part before it; the version digit says "made by an own rule" (RFC 9562, version 8). */
function topicUuid(clusterId: string, topicId: string): string {
  const bytes = createHash('sha256').update(`${clusterId.length}:${clusterId}${topicId}`).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
