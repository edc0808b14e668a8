/** What the Kafka tests share: topics of their own, records put there, and what a witness sees of the feed. */
import { randomBytes } from 'node:crypto';
import type { KafkaSettings } from '../../../src/config.ts';
import type { Play } from '../../../src/domain/play.ts';
import { connectionConfig } from '../../../src/kafka/settings.ts';
import { loadKafkaClient, settled } from '../../../src/kafka/client.ts';
import type {
  DeliveryReport,
  KafkaAdmin,
  KafkaClient,
  KafkaError,
  MessageHeaders,
  RdKafkaConfig,
} from '../../../src/kafka/client-types.ts';
import { CommittedReader } from '../../../src/kafka/committed-reader.ts';
import { prepareTopics } from '../../../src/kafka/topics.ts';
import { beginKafkaJournal, type KafkaTopics, kafkaTopics } from '../../../src/settle/kafka-begin.ts';
import { javaConsume, type WitnessedRecord } from '../support/witness.ts';
import { plainSettings } from '../support/kafka-settings.ts';

export interface Place {
  readonly client: KafkaClient;
  readonly settings: KafkaSettings;
  readonly config: RdKafkaConfig;
  readonly topics: KafkaTopics;
  readonly names: { readonly journal: string; readonly feed: string; readonly positions: string };
  readonly groupId: string;
  /** Of the topics when they were made. */
  readonly ids: ReadonlyMap<string, string>;
}

/** Fresh topics and a fresh group on this cluster. The journal's beginning is written down, unless told otherwise. */
export async function freshPlace(bootstrap: string, partitions: number, begin = true): Promise<Place> {
  const client = await loadKafkaClient();
  const settings = { ...plainSettings(bootstrap), partitions, allowWeak: true };
  const tag = randomBytes(4).toString('hex');
  const names = { journal: `${tag}.journal`, feed: `${tag}.feed`, positions: `${tag}.positions` };
  const config = connectionConfig(settings);
  const made = await prepareTopics(settings, ['journal', 'feed', 'positions'], { names });
  const topics = kafkaTopics(made);
  const ids = new Map([...made].map(([role, { id }]) => [role, id]));
  if (begin) await beginKafkaJournal(client, config, topics);
  return { client, settings, config, topics, names, ids, groupId: `${tag}.settle` };
}

export interface RawMessage {
  readonly value: Buffer | null;
  readonly key?: string | null;
  readonly headers?: MessageHeaders;
}

/** Puts records onto one partition as they are, in order. */
export async function put(
  { client, config }: Pick<Place, 'client' | 'config'>,
  topic: string,
  partition: number,
  messages: readonly RawMessage[],
): Promise<void> {
  const producer = new client.Producer({ ...config, 'enable.idempotence': true, dr_cb: true }, { acks: -1 });
  await settled((done) => producer.connect({ timeout: 10_000 }, done));
  producer.setPollInterval(5);
  let left = messages.length;
  await new Promise<void>((resolve, reject) => {
    producer.on('delivery-report', (error: KafkaError | null, _report: DeliveryReport) => {
      left -= 1;
      if (error) reject(error);
      else if (left === 0) resolve();
    });
    if (left === 0) resolve();
    for (const { value, key = null, headers } of messages) producer.produce(topic, partition, value, key, null, undefined, headers ?? []);
  });
  producer.disconnect();
}

export async function withAdmin<T>({ client, config }: Place, act: (admin: KafkaAdmin) => Promise<T>): Promise<T> {
  const admin = client.AdminClient.create(config);
  try {
    return await act(admin);
  } finally {
    admin.disconnect();
  }
}

/** As Kafka does to a group that was idle for a week; it must have no members. */
export function forgetGroup(place: Place): Promise<void> {
  return withAdmin(place, async (admin) => {
    for (let attempt = 0; ; attempt += 1) {
      const [result] = await settled<{ readonly error?: KafkaError }[]>((done) =>
        admin.deleteGroups([place.groupId], { timeout: 10_000 }, done),
      );
      if (!result?.error || result.error.code === 0) return;
      if (attempt === 60) throw result.error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  });
}

/** The group, without members, has this offset from then on. @param named as a settler leaves it; otherwise as a tool does, by hand. */
export async function setGroupOffset(
  { client, config, groupId, topics }: Place,
  partition: number,
  offset: number,
  named: boolean,
): Promise<void> {
  const consumer = new client.KafkaConsumer({ ...config, 'group.id': groupId, 'enable.auto.commit': false }, {});
  await settled((done) => consumer.connect({ timeout: 10_000 }, done));
  try {
    for (let attempt = 0; ; attempt += 1) {
      try {
        consumer.commitSync({ topic: topics.journal, partition, offset, ...(named && { metadata: topics.journalId }) });
        return;
      } catch (error) {
        // The member that was killed is in the group until its session is over.
        if (attempt === 60) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  } finally {
    await settled((done) => consumer.disconnect(done));
  }
}

export interface Published {
  readonly logId: string;
  readonly hash: string;
  readonly partition: number;
  readonly key: string | null;
  readonly position: string | undefined;
}

/** The topic deleted and made again under its name, empty. */
export async function loseTopic(place: Place, role: 'journal' | 'feed' | 'positions'): Promise<void> {
  await withAdmin(place, (admin) => settled((done) => admin.deleteTopic(place.names[role], 10_000, done)));
  // The cluster forgets it a moment later.
  for (let attempt = 0; ; attempt += 1) {
    try {
      const made = await prepareTopics(place.settings, [role], { names: place.names });
      if (made.get(role)?.id !== place.ids.get(role)) return;
    } catch (error) {
      if (attempt > 50) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

export async function deleteBefore(place: Place, topic: string, partition: number, offset: number): Promise<void> {
  const [result] = await withAdmin(place, (admin) =>
    settled<{ readonly error?: KafkaError }[]>((done) => admin.deleteRecords([{ topic, partition, offset }], { timeout: 10_000 }, done)),
  );
  if (result?.error && result.error.code !== 0) throw result.error;
}

/** `log_id hash` of the committed records, in their order; the feed has one partition. */
export async function feedOf({ client, config, topics }: Place): Promise<string[]> {
  const reader = await CommittedReader.open(client, config);
  try {
    const { low, end } = await reader.range(topics.feed, 0);
    const found: string[] = [];
    for await (const { value } of reader.scan(topics.feed, 0, low, end)) {
      const { log_id: id, content_hash: hash } = JSON.parse(String(value)) as { log_id: string; content_hash: string };
      found.push(`${id} ${hash}`);
    }
    return found;
  } finally {
    await reader.close();
  }
}

/** The feed as Java's consumer of committed records sees it. It looks again, and longer, where it saw fewer than there should be. */
export async function witnessFeed({ settings, topics }: Place, least: number): Promise<Published[]> {
  const look = (idleMs: number) => javaConsume(topics.feed, { bootstrap: settings.brokers, readCommitted: true, idleMs });
  let records: WitnessedRecord[] = [];
  // On a machine that is busy it takes Java long to begin with.
  for (const idleMs of [3_000, 12_000, 45_000]) {
    records = await look(idleMs);
    if (records.length >= least) break;
  }
  return records.map(publishedOf);
}

function publishedOf({ value, key, partition, headers }: WitnessedRecord): Published {
  const { log_id: logId, content_hash: hash } = JSON.parse(value ?? 'null') as { log_id: string; content_hash: string };
  return { logId, hash, partition, key, position: headers.get('journal_position') };
}

export const idAndHash = ({ logId, hash, contentHash }: Partial<Play> & { logId: string; hash?: string }): string =>
  `${logId} ${hash ?? contentHash}`;
