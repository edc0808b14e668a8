/** Feed, read positions and journal on Kafka, as the audit reads them: without a group, and never writing. */
import { positionOf } from '../../feed/kafka-message.ts';
import type { KafkaClient, KafkaError, KafkaMessage, RdKafkaConfig } from '../../kafka/client-types.ts';
import { CommittedReader } from '../../kafka/committed-reader.ts';
import type { FoundTopic } from '../../kafka/topics.ts';
import { allPositions } from '../../settle/position-topic.ts';
import type { EngineFeed, EngineJournal, FeedMessage, JournalRecordRead, PartitionRange, ReadPositions } from './ports.ts';

/** What the client fetches ahead of us, so that the memory does not depend on how much there is. */
const AHEAD_KIBIBYTES = 8 * 1024;
const AUTO_OFFSET_RESET = -140;

export function openKafkaReader(client: KafkaClient, config: RdKafkaConfig): Promise<CommittedReader> {
  return CommittedReader.open(client, { ...config, 'queued.max.messages.kbytes': AHEAD_KIBIBYTES, 'queued.min.messages': 10_000 });
}

async function rangesOf(reader: CommittedReader, topic: string): Promise<PartitionRange[]> {
  const ranges: PartitionRange[] = [];
  for (const partition of await reader.partitionsOf(topic)) ranges.push({ partition, ...(await reader.range(topic, partition)) });
  return ranges;
}

export class KafkaFeed implements EngineFeed {
  readonly topic: string;
  readonly feedId: string;
  readonly #reader: CommittedReader;
  readonly #positions: FoundTopic | null;

  /** @param positions Null: the topic is not there. */
  constructor(reader: CommittedReader, feed: FoundTopic, positions: FoundTopic | null) {
    this.#reader = reader;
    this.topic = feed.name;
    this.feedId = feed.id;
    this.#positions = positions;
  }

  ranges(): Promise<readonly PartitionRange[]> {
    return rangesOf(this.#reader, this.topic);
  }

  async *messages({ partition, low, end }: PartitionRange): AsyncIterable<FeedMessage> {
    for await (const message of this.#reader.scan(this.topic, partition, low, end)) yield feedMessageOf(message);
  }

  positions(): Promise<ReadPositions> {
    return this.#positions
      ? allPositions(this.#reader, this.#positions.name)
      : Promise.resolve({ next: new Map(), begun: new Set(), unreadable: [] });
  }
}

function feedMessageOf({ offset, key, value, headers }: KafkaMessage): FeedMessage {
  const position = positionOf(headers);
  return {
    offset,
    key: key?.toString() ?? '',
    value: value?.toString('utf8') ?? null,
    position: position && `${position.journalId}/${position.partition}/${position.offset}`,
  };
}

export class KafkaJournalCopy implements EngineJournal {
  readonly journalId: string;
  readonly #reader: CommittedReader;
  readonly #topic: string;

  constructor(reader: CommittedReader, journal: FoundTopic) {
    this.#reader = reader;
    this.#topic = journal.name;
    this.journalId = journal.id;
  }

  /** The brokers keep it themselves. */
  durableEnd(): null {
    return null;
  }

  ranges(): Promise<readonly PartitionRange[]> {
    return rangesOf(this.#reader, this.#topic);
  }

  async low(partition: number): Promise<number> {
    return (await this.#reader.range(this.#topic, partition)).low;
  }

  async *records({ partition, low, end }: PartitionRange): AsyncIterable<JournalRecordRead> {
    for (let from = low; from < end; ) {
      try {
        for await (const { offset, value } of this.#reader.scan(this.#topic, partition, from, end)) {
          from = offset + 1;
          yield { offset, bytes: value ?? new Uint8Array() };
        }
        return;
      } catch (error) {
        if ((error as Partial<KafkaError>).code !== AUTO_OFFSET_RESET) throw error;
        // Settled records were removed while we read: it goes on where the journal begins now.
        const now = await this.low(partition);
        if (now <= from) throw error;
        from = now;
      }
    }
  }
}
