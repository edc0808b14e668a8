import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommittedReader } from '../../../src/kafka/committed-reader.ts';
import { javaPartition } from '../../../src/kafka/murmur2.ts';
import { type JournalEntry, JournalFull } from '../../../src/journal/journal.ts';
import { KafkaJournal } from '../../../src/journal/kafka-journal.ts';
import { recordKind, recordLogId } from '../../../src/journal/record.ts';
import { type JournalHarness, journalContract } from '../../contract/journal.contract.ts';
import { playOf, uuidOf } from '../../support/feed-file.ts';
import { playEntry, refusalEntry } from '../../support/journal-entries.ts';
import { refusalOf } from '../../support/plays.ts';
import { startKafka } from '../support/engines.ts';
import { deleteBefore, freshPlace, type Place } from './support.ts';

const DELIVERY_MS = 3_000;

let kafka: Awaited<ReturnType<typeof startKafka>>;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1 });
});
afterAll(() => kafka.dispose());

function openJournal({ client, config, topics }: Place, over: { maxWaitingRows?: number } = {}): Promise<KafkaJournal> {
  return KafkaJournal.open({
    client,
    config,
    topic: topics.journal,
    journalId: topics.journalId,
    deliveryTimeoutMs: DELIVERY_MS,
    onWarning: () => {},
    ...over,
  });
}

/** Everything in the journal; a broker that has just come back leads its partitions a moment later. */
async function contents(place: Place) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await read(place);
    } catch (error) {
      if (attempt === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** Partition, offset, key and record, as any other client reads them. */
async function read({ client, config, topics }: Place) {
  const reader = await CommittedReader.open(client, config);
  try {
    const found: { partition: number; offset: number; key: string | null; record: Buffer }[] = [];
    for (const partition of await reader.partitionsOf(topics.journal)) {
      const { low, end } = await reader.range(topics.journal, partition);
      for await (const { offset, key, value } of reader.scan(topics.journal, partition, low, end)) {
        found.push({ partition, offset, key: key?.toString() ?? null, record: value as Buffer });
      }
    }
    return found;
  } finally {
    await reader.close();
  }
}

class KafkaJournalHarness implements JournalHarness {
  readonly #place: Place;
  #inner: KafkaJournal;
  #ready: Promise<void> = Promise.resolve();

  private constructor(place: Place, journal: KafkaJournal) {
    this.#place = place;
    this.#inner = journal;
  }

  static async open(): Promise<KafkaJournalHarness> {
    const place = await freshPlace(kafka.bootstrap, 1);
    return new KafkaJournalHarness(place, await openJournal(place));
  }

  get journal() {
    const inner = this.#inner;
    return {
      journalId: inner.journalId,
      end: inner.end,
      append: async (entries: readonly JournalEntry[]): Promise<void> => {
        await this.#ready;
        await inner.append(entries);
      },
      close: () => inner.close(),
    };
  }

  /** Offsets begin at 0 there and positions at 1 here. */
  async durable(): Promise<string[]> {
    return (await contents(this.#place)).map(({ offset, record }) => `${offset + 1} ${recordKind(record)} ${recordLogId(record)}`);
  }

  async reopen(): Promise<void> {
    this.#inner.close();
    this.#inner = await openJournal(this.#place);
  }

  async empty(): Promise<void> {
    await deleteBefore(this.#place, this.#place.topics.journal, 0, this.#inner.end);
  }

  /** A broker that is gone is what a full disk is to a file. */
  setRoom(room: boolean): void {
    this.#ready = room ? kafka.restart() : kafka.kill();
  }

  async dispose(): Promise<void> {
    this.#inner.close();
  }
}

journalContract('Kafka', () => KafkaJournalHarness.open());

describe('the journal on Kafka', () => {
  it('keeps the logs of one device, plays and refusals, in their order on the partition that Java would choose', async () => {
    const place = await freshPlace(kafka.bootstrap, 5);
    const journal = await openJournal(place);
    for (let n = 0; n < 30; n += 3) {
      await journal.append([playEntry(playOf(n)), refusalEntry(refusalOf(n + 1)), playEntry(playOf(n + 2))]);
    }
    await journal.append([refusalEntry(refusalOf(99, { deviceId: null }))]);
    const found = await contents(place);
    expect(found).toHaveLength(31);
    for (const { partition, key } of found) if (key !== null) expect(partition).toBe(javaPartition(Buffer.from(key), 5));
    expect(new Set(found.map(({ partition }) => partition)).size).toBeGreaterThan(2);
    for (let device = 0; device < 7; device += 1) {
      const ids = found.filter(({ key }) => key === uuidOf(2, device)).map(({ record }) => recordLogId(record));
      expect(ids).toEqual(
        Array.from({ length: 30 }, (_, n) => n)
          .filter((n) => n % 7 === device)
          .map((n) => uuidOf(1, n)),
      );
    }
    journal.close();
  });

  it('I1, I4: a broker that hangs gives JournalFull within the bound, and what was acknowledged before and after is there', async () => {
    const place = await freshPlace(kafka.bootstrap, 2);
    const journal = await openJournal(place);
    await journal.append([playEntry(playOf(1))]);
    kafka.pause();
    try {
      await expect(journal.append([playEntry(playOf(2))])).rejects.toThrow(JournalFull);
    } finally {
      kafka.resume();
    }
    const later = async (): Promise<void> => {
      for (let attempt = 0; ; attempt += 1) {
        const kept = await journal.append([playEntry(playOf(3))]).then(
          () => true,
          (error: Error) => {
            if (!(error instanceof JournalFull) || attempt > 10) throw error;
            return false;
          },
        );
        if (kept) return;
      }
    };
    await later();
    const ids = (await contents(place)).map(({ record }) => recordLogId(record));
    expect(ids).toEqual(expect.arrayContaining([uuidOf(1, 1), uuidOf(1, 3)]));
    journal.close();
  });

  it('I1: nothing that was acknowledged is lost when the broker is killed under load, and appending goes on by itself', async () => {
    const place = await freshPlace(kafka.bootstrap, 3);
    const journal = await openJournal(place);
    const acknowledged: string[] = [];
    let n = 0;
    const stop = new AbortController();
    const send = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        const numbers = Array.from({ length: 20 }, () => (n += 1));
        await journal.append(numbers.map((number) => playEntry(playOf(number)))).then(
          () => acknowledged.push(...numbers.map((number) => uuidOf(1, number))),
          (error: Error) => {
            if (!(error instanceof JournalFull)) throw error;
          },
        );
      }
    };
    const senders = Promise.all([send(), send(), send()]);
    const until = async (count: number): Promise<void> => {
      while (acknowledged.length < count) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    await until(500);
    await kafka.kill();
    const before = acknowledged.length;
    await kafka.restart();
    await until(before + 500);
    stop.abort();
    await senders;
    const found = new Set((await contents(place)).map(({ record }) => recordLogId(record)));
    expect(acknowledged.filter((id) => !found.has(id))).toEqual([]);
    journal.close();
  });

  it('refuses at once what is more than it may hold', async () => {
    const place = await freshPlace(kafka.bootstrap, 1);
    const journal = await openJournal(place, { maxWaitingRows: 10 });
    const entries = Array.from({ length: 8 }, (_, n) => playEntry(playOf(n)));
    const first = journal.append(entries);
    await expect(journal.append(entries)).rejects.toThrow(/8 records wait for Kafka already/);
    await first;
    await journal.append(entries);
    expect(journal.end).toBe(16);
    journal.close();
  });
});
