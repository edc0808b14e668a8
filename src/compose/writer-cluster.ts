/** The writer thread of a cluster node: it appends to Kafka. While the brokers cannot be reached every append is refused, and tried anew. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenWriterEngines, WriterSurroundings } from '../accept/writer-engines.ts';
import { openMongoArchive } from '../archive/mongo-archive.ts';
import type { KafkaSettings } from '../config.ts';
import { type Journal, type JournalEntry, JournalFull } from '../journal/journal.ts';
import { KafkaJournal } from '../journal/kafka-journal.ts';
import { loadKafkaClient } from '../kafka/client.ts';
import { connectionConfig } from '../kafka/settings.ts';
import { prepareTopics, TopicsRefused } from '../kafka/topics.ts';
import { beginKafkaJournal, kafkaTopics } from '../settle/kafka-begin.ts';

const RETRY_MS = 1_000;

export const openCluster: OpenWriterEngines = async (surroundings) => {
  const { options, counters } = surroundings;
  if (!options.engines) throw new Error('the profile cluster needs its engines');
  const { kafka, mongodbUrl } = options.engines;
  const journal = new LateJournal();
  const archive = await openMongoArchive(mongodbUrl);
  void connect(journal, kafka, surroundings);
  return {
    journal,
    settled: archive,
    appended: () => counters.set('end', journal.end),
    told: () => {},
    close: async () => {
      await archive.close();
      await journal.closed();
    },
  };
};

/** Opens the journal as soon as the brokers are there. Topics that could lose records are refused for good. */
async function connect(journal: LateJournal, kafka: KafkaSettings, { log, fatal, counters }: WriterSurroundings): Promise<void> {
  let told = '';
  while (!journal.isClosed) {
    try {
      const client = await loadKafkaClient();
      const config = connectionConfig(kafka);
      const topics = kafkaTopics(await prepareTopics(kafka, ['journal', 'feed', 'positions']));
      await beginKafkaJournal(client, config, topics);
      const { journal: topic, journalId } = topics;
      journal.open(await KafkaJournal.open({ client, config, topic, journalId, onWarning: (message) => log('warn', message) }));
      counters.set('journalOpen', 1);
      return;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (error instanceof TopicsRefused || (error instanceof Error && error.name === 'KafkaClientUnavailable')) {
        fatal(message);
        return;
      }
      if (message !== told) log('warn', `the journal cannot be opened yet: ${message}`);
      told = message;
      await sleep(RETRY_MS);
    }
  }
}

/** Stands in for the journal until it is open: nothing is acknowledged meanwhile. */
class LateJournal implements Journal {
  #journal: KafkaJournal | null = null;
  #closed = false;

  get journalId(): string {
    return this.#journal?.journalId ?? '';
  }

  get end(): number {
    return this.#journal?.end ?? 0;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  open(journal: KafkaJournal): void {
    this.#journal = journal;
    if (this.#closed) journal.close();
  }

  append(entries: readonly JournalEntry[]): Promise<void> {
    return this.#journal?.append(entries) ?? Promise.reject(new JournalFull('Kafka cannot be reached'));
  }

  close(): void {
    this.#closed = true;
    this.#journal?.close();
  }

  async closed(): Promise<void> {
    this.close();
  }
}
