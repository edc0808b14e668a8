/** The feed on Kafka as analytics reads it: committed records only, every partition, at positions that analytics itself keeps. */
import { FeedFault, type FeedPositions, type FeedRead, type FeedSource } from '../analytics/feed-source.ts';
import type { RowBatch } from '../analytics/row-batch.ts';
import { settled } from '../kafka/client.ts';
import type { KafkaClient, KafkaConsumer, KafkaMessage, RdKafkaConfig, Watermarks } from '../kafka/client-types.ts';
import { partitionsOf } from '../kafka/partitions.ts';
import { rowOfMessage } from './kafka-row.ts';

export interface KafkaFeedSourceOptions {
  readonly client: KafkaClient;
  readonly config: RdKafkaConfig;
  readonly topic: string;
  /** Names this very topic: one that was deleted and made again has another. */
  readonly feedId: string;
  /** `<partition>/<offset>` of records that are left out where they cannot be read. */
  readonly skip?: ReadonlySet<string>;
  /** Told of each that is left out, each time that it is read. */
  readonly onSkip?: (sentence: string) => void;
}

const CALL_TIMEOUT_MS = 10_000;
const READ_WAIT_MS = 50;
const READ_ROWS = 5_000;
/** A feed that never pauses does not keep a batch from being loaded: after this time it is handed on as it is. */
const READ_FOR_MS = 300;
/** Partitions that were added are found within this time. */
const PARTITIONS_EVERY_MS = 30_000;
const AUTO_OFFSET_RESET = -140;

export class KafkaFeedSource implements FeedSource {
  readonly reload = 'See docs/operations-kafka.md, "Analytics does not fit the feed".';
  readonly #options: KafkaFeedSourceOptions;
  #consumer: KafkaConsumer | null = null;
  /** The next offset of each partition to be handed out. */
  #next = new Map<number, number>();
  /** Where each partition begins that analytics has no position of. */
  #first = new Map<number, number>();
  #endAtFirst = new Map<number, number>();
  /** Where each partition was found to have no more: behind the mark that ends its last transaction. */
  #ends = new Map<number, number>();
  /** Fetched, and not handed out yet, in the order of each partition. */
  #held: KafkaMessage[] = [];
  #partitionsAt = 0;
  /** Left out since this read began. */
  #skipped = 0;

  constructor(options: KafkaFeedSourceOptions) {
    this.#options = options;
  }

  feedId(): Promise<string> {
    return Promise.resolve(this.#options.feedId);
  }

  async read(from: FeedPositions, batch: RowBatch): Promise<FeedRead> {
    try {
      return await this.#read(from, batch);
    } catch (error) {
      // A connection that failed is not trusted with the next read.
      this.close();
      if ((error as { code?: number }).code === AUTO_OFFSET_RESET) throw this.#outside((error as Error).message);
      throw error;
    }
  }

  async lag(from: FeedPositions): Promise<number> {
    const consumer = await this.#connected();
    let lag = 0;
    for (const partition of await partitionsOf(consumer, this.#options.topic, CALL_TIMEOUT_MS)) {
      const { lowOffset, highOffset } = await this.#range(consumer, partition);
      lag += Math.max(0, highOffset - (from.get(partition) ?? lowOffset));
    }
    return lag;
  }

  close(): void {
    this.#consumer?.disconnect();
    this.#consumer = null;
    this.#held = [];
    this.#next.clear();
  }

  async #read(from: FeedPositions, batch: RowBatch): Promise<FeedRead> {
    this.#skipped = 0;
    const consumer = await this.#connected();
    if (performance.now() - this.#partitionsAt > PARTITIONS_EVERY_MS || !this.#isAt(from)) await this.#begin(consumer, from);
    for (const began = performance.now(); ; ) {
      if (this.#held.length === 0) this.#held = await settled<KafkaMessage[]>((done) => consumer.consume(READ_ROWS, done));
      if (this.#held.length === 0) {
        for (const [partition, end] of this.#ends) this.#next.set(partition, Math.max(end, this.#next.get(partition) ?? 0));
        return this.#readSoFar(consumer, false);
      }
      for (const [i, message] of this.#held.entries()) {
        if (!this.#add(message, batch)) {
          this.#held = this.#held.slice(i);
          return this.#readSoFar(consumer, true);
        }
      }
      this.#held = [];
      if (performance.now() - began > READ_FOR_MS) return this.#readSoFar(consumer, false);
    }
  }

  #readSoFar(consumer: KafkaConsumer, more: boolean): FeedRead {
    return { next: new Map(this.#next), more, lagRows: this.#lag(consumer), skipped: this.#skipped };
  }

  /** False when it has to wait for the next batch: there is no room, or it is damaged and those before it are to be loaded first. */
  #add({ partition, offset, value }: KafkaMessage, batch: RowBatch): boolean {
    const place = `${this.#options.topic}/${partition}/${offset}`;
    try {
      if (!batch.add(rowOfMessage(value, place), partition, offset)) return false;
    } catch (error) {
      if (!(error instanceof FeedFault)) throw error;
      if (!this.#options.skip?.has(`${partition}/${offset}`)) {
        if (batch.rows > 0) return false;
        throw error;
      }
      this.#skipped += 1;
      const why = (error.cause as Error).message;
      this.#options.onSkip?.(
        `the feed record ${place} cannot be loaded (${why}): it is left out of analytics, as PLAYPROOF_ANALYTICS_SKIP says`,
      );
    }
    // Ahead of offsets that hold no play: the marks at the end of transactions, and what was aborted.
    this.#next.set(partition, offset + 1);
    return true;
  }

  async #connected(): Promise<KafkaConsumer> {
    if (this.#consumer) return this.#consumer;
    const consumer = new this.#options.client.KafkaConsumer(
      {
        ...this.#options.config,
        'group.id': 'playproof-no-group',
        'isolation.level': 'read_committed',
        'enable.auto.commit': false,
        'enable.auto.offset.store': false,
        'enable.partition.eof': true,
        'fetch.queue.backoff.ms': 10,
        'fetch.wait.max.ms': 50,
      },
      { 'auto.offset.reset': 'error' },
    );
    try {
      await settled((done) => consumer.connect({ timeout: CALL_TIMEOUT_MS }, done));
    } catch (error) {
      if (consumer.isConnected()) consumer.disconnect();
      throw error;
    }
    consumer.setDefaultConsumeTimeout(READ_WAIT_MS);
    consumer.setDefaultIsTimeoutOnlyForFirstMessage(true);
    consumer.on('partition.eof', ({ partition, offset }: { partition: number; offset: number }) => this.#ends.set(partition, offset));
    this.#consumer = consumer;
    return consumer;
  }

  #isAt(from: FeedPositions): boolean {
    return (
      this.#next.size > 0 && [...this.#next].every(([partition, offset]) => (from.get(partition) ?? this.#first.get(partition)) === offset)
    );
  }

  /** Looks at the partitions and begins each where analytics is, or at its first record. */
  async #begin(consumer: KafkaConsumer, from: FeedPositions): Promise<void> {
    const { topic } = this.#options;
    const next = new Map<number, number>();
    const first = new Map<number, number>();
    const ends = new Map<number, number>();
    for (const id of await partitionsOf(consumer, this.#options.topic, CALL_TIMEOUT_MS)) {
      const { lowOffset, highOffset } = await this.#range(consumer, id);
      const offset = from.get(id) ?? lowOffset;
      if (offset < lowOffset || offset > highOffset) {
        throw this.#outside(`partition ${id} was loaded up to ${offset}, and holds ${lowOffset} to ${highOffset}`);
      }
      next.set(id, offset);
      first.set(id, lowOffset);
      ends.set(id, highOffset);
    }
    this.#ends.clear();
    consumer.assign([...next].map(([partition, offset]) => ({ topic, partition, offset })));
    this.#held = [];
    this.#next = next;
    this.#first = first;
    this.#endAtFirst = ends;
    this.#partitionsAt = performance.now();
  }

  #range(consumer: KafkaConsumer, partition: number): Promise<Watermarks> {
    return settled((done) => consumer.queryWatermarkOffsets(this.#options.topic, partition, CALL_TIMEOUT_MS, done));
  }

  #lag(consumer: KafkaConsumer): number {
    let lag = 0;
    for (const [partition, offset] of this.#next) lag += Math.max(0, this.#end(consumer, partition) - offset);
    return lag;
  }

  /** The end as the last fetch told it, or as it was when reading began. */
  #end(consumer: KafkaConsumer, partition: number): number {
    const first = this.#endAtFirst.get(partition) ?? 0;
    try {
      return Math.max(first, consumer.getWatermarkOffsets(this.#options.topic, partition).highOffset);
    } catch {
      // Nothing was fetched from it yet.
      return first;
    }
  }

  #outside(what: string): FeedFault {
    return new FeedFault(
      `analytics does not fit the feed "${this.#options.topic}" (${what}); it was loaded from another or records were deleted before they ` +
        `were loaded. ${this.reload}`,
    );
  }
}
