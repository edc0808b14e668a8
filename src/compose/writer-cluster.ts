/** The writer thread of a cluster node: it appends to Kafka. While the brokers cannot be reached every append is refused, and tried anew. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenWriterEngines, WriterSurroundings } from '../accept/writer-engines.ts';
import { openMongoArchive } from '../archive/mongo-archive.ts';
import { type Backlog, SettledOrWaiting } from '../archive/settled-or-waiting.ts';
import type { KafkaSettings } from '../config.ts';
import { type Journal, type JournalEntry, JournalFull } from '../journal/journal.ts';
import { JOURNAL_STATES } from '../journal/journal-state.ts';
import { KafkaJournal } from '../journal/kafka-journal.ts';
import { loadKafkaClient } from '../kafka/client.ts';
import { connectionConfig } from '../kafka/settings.ts';
import { SETTLE_GROUP } from './distributed.ts';
import { prepareTopics, TopicsRefused } from '../kafka/topics.ts';
import { KafkaBacklog } from '../settle/kafka-backlog.ts';
import { beginKafkaJournal, journalTopics, named } from '../settle/kafka-begin.ts';

const RETRY_MS = 1_000;

export const openCluster: OpenWriterEngines = async (surroundings) => {
  const { options, counters } = surroundings;
  if (!options.engines) throw new Error('the profile cluster needs its engines');
  const { kafka, mongodbUrl } = options.engines;
  const journal = new LateJournal();
  const archive = await openMongoArchive(mongodbUrl);
  const backlog = new LateBacklog();
  void connect({ journal, backlog }, kafka, surroundings);
  return {
    journal,
    settled: new SettledOrWaiting(archive, backlog),
    appended: () => counters.set('end', journal.end),
    // The journal watches by itself whether its brokers take writes.
    full: () => {},
    told: () => {},
    close: async () => {
      await archive.close();
      backlog.close();
      await journal.closed();
    },
  };
};

interface Late {
  readonly journal: LateJournal;
  readonly backlog: LateBacklog;
}

/**
 * Opens the journal as soon as the brokers are there. Topics that could lose what is acknowledged are refused for good; the feed is no
 * matter of this node's: whoever settles looks at it.
 */
async function connect(
  { journal, backlog }: Late,
  kafka: KafkaSettings,
  { options, log, fatal, counters }: WriterSurroundings,
): Promise<void> {
  let told = '';
  while (!journal.isClosed) {
    try {
      const client = await loadKafkaClient();
      const config = connectionConfig(kafka);
      const ensured = await prepareTopics(kafka, ['journal', 'positions']);
      const topics = journalTopics(ensured);
      await beginKafkaJournal(client, config, topics);
      const { journal: topic, journalId } = topics;
      backlog.open(new KafkaBacklog({ client, config, topic, groupId: SETTLE_GROUP, maxAgeMs: options.maxAgeMs }));
      const watch = {
        probeTopic: topics.positions,
        minInsync: named(ensured, 'journal').minInsync,
        onChange: (refused: string | null) => {
          counters.set('journal', JOURNAL_STATES.indexOf(refused === null ? 'open' : 'refusing'));
          log('warn', refused === null ? 'the journal takes writes again' : `the journal takes no writes: ${refused}`);
        },
      };
      journal.open(await KafkaJournal.open({ client, config, topic, journalId, watch, onWarning: (message) => log('warn', message) }));
      counters.set('journal', JOURNAL_STATES.indexOf('open'));
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

/** Nobody knows what waits until the brokers were asked. */
class LateBacklog implements Backlog {
  #backlog: KafkaBacklog | null = null;

  open(backlog: KafkaBacklog): void {
    this.close();
    this.#backlog = backlog;
  }

  isSettled(endedAt: number): boolean | Promise<boolean> {
    return this.#backlog?.isSettled(endedAt) ?? Promise.reject(new Error('the journal is not open yet'));
  }

  close(): void {
    this.#backlog?.close();
    this.#backlog = null;
  }
}
