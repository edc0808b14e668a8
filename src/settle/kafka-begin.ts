/**
 * Writes down that a journal on Kafka begins, before its first record. Whoever starts first does it: accept before it appends, settle
 * before it reads. It is what makes "nothing of it was settled" differ from "the read position is lost".
 */
import { settled } from '../kafka/client.ts';
import type { DeliveryReport, KafkaClient, KafkaError, RdKafkaConfig } from '../kafka/client-types.ts';
import { CommittedReader } from '../kafka/committed-reader.ts';
import type { TopicRole } from '../kafka/topic-rules.ts';
import type { FoundTopic } from '../kafka/topics.ts';
import type { TransactionMessage } from '../kafka/transactions.ts';
import { markMessage, kafkaPositions } from './position-topic.ts';

/** What accepting needs. */
export interface JournalTopics {
  readonly journal: string;
  readonly positions: string;
  /** Names this very topic: one that was deleted and made again has another. */
  readonly journalId: string;
}

/** What settling needs. */
export interface KafkaTopics extends JournalTopics {
  readonly feed: string;
}

/** The topics by what they are for, as `prepareTopics` found them. */
export function journalTopics(ensured: ReadonlyMap<TopicRole, FoundTopic>): JournalTopics {
  const journal = named(ensured, 'journal');
  return { journal: journal.name, positions: named(ensured, 'positions').name, journalId: journal.id };
}

export function kafkaTopics(ensured: ReadonlyMap<TopicRole, FoundTopic>): KafkaTopics {
  return { ...journalTopics(ensured), feed: named(ensured, 'feed').name };
}

export function named<T extends FoundTopic>(ensured: ReadonlyMap<TopicRole, T>, role: TopicRole): T {
  const topic = ensured.get(role);
  if (!topic) throw new Error(`the topic of the ${role} was not looked at`);
  return topic;
}

const SEND_MS = 15_000;

/**
 * Only a journal without any record is marked: then no other process can have settled anything of it. Two that do it at the same
 * time write the same mark.
 *
 * @throws KafkaError when the cluster cannot be reached.
 */
export async function beginKafkaJournal(client: KafkaClient, config: RdKafkaConfig, topics: JournalTopics): Promise<void> {
  const reader = await CommittedReader.open(client, config);
  try {
    if ((await kafkaPositions(reader, topics.positions, topics.journalId)).marked) return;
    for (const partition of await reader.partitionsOf(topics.journal)) {
      const { end } = await reader.range(topics.journal, partition);
      if (end > 0) return;
    }
  } finally {
    await reader.close();
  }
  await sendOnce(client, config, markMessage(topics.positions, topics.journalId));
}

async function sendOnce(client: KafkaClient, config: RdKafkaConfig, { topic, key, value }: TransactionMessage): Promise<void> {
  const producer = new client.Producer(
    { ...config, 'enable.idempotence': true, dr_cb: true },
    { partitioner: 'murmur2_random', acks: -1, 'message.timeout.ms': SEND_MS },
  );
  await settled((done) => producer.connect({ timeout: SEND_MS }, done));
  try {
    producer.setPollInterval(20);
    await new Promise<void>((resolve, reject) => {
      producer.on('delivery-report', (error: KafkaError | null, _report: DeliveryReport) => (error ? reject(error) : resolve()));
      producer.produce(topic, null, value, key);
    });
  } finally {
    producer.disconnect();
  }
}
