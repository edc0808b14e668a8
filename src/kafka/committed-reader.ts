/** Reads ranges of a topic's partitions as a `read_committed` reader sees them, without a group: for positions, and to find one again. */
import { settled } from './client.ts';
import type { KafkaClient, KafkaConsumer, KafkaMessage, RdKafkaConfig, Watermarks } from './client-types.ts';
import { partitionsOf } from './partitions.ts';

export interface PartitionRange {
  /** The first offset that is still there. */
  readonly low: number;
  /** Behind the last record, whether its transaction is open, committed or aborted. */
  readonly end: number;
}

const CALL_TIMEOUT_MS = 10_000;
const CONSUME_MS = 200;
const AT_ONCE = 1_000;
/** Longer than any transaction may stay open: then what was open when reading began is decided. */
const PATIENCE_MS = 60_000;

export class CommittedReader {
  readonly #reading: KafkaConsumer;
  /** Asks for ends only: a reader of committed records is told where open transactions begin, which is not the end. */
  readonly #asking: KafkaConsumer;
  /** Where the range that is being read was found to have no more. */
  #eof: { readonly topic: string; readonly partition: number; readonly offset: number } | null = null;

  private constructor(reading: KafkaConsumer, asking: KafkaConsumer) {
    this.#reading = reading;
    this.#asking = asking;
    reading.setDefaultConsumeTimeout(CONSUME_MS);
    reading.on('partition.eof', (event: { topic: string; partition: number; offset: number }) => {
      this.#eof = event;
    });
  }

  /** @throws KafkaError when the cluster cannot be reached. */
  static async open(client: KafkaClient, config: RdKafkaConfig): Promise<CommittedReader> {
    const common = { ...config, 'group.id': 'playproof-no-group', 'enable.auto.commit': false, 'enable.auto.offset.store': false };
    const topic = { 'auto.offset.reset': 'error' };
    const reading = new client.KafkaConsumer(
      {
        ...common,
        'isolation.level': 'read_committed',
        'enable.partition.eof': true,
        'fetch.queue.backoff.ms': 10,
        'fetch.wait.max.ms': 50,
      },
      topic,
    );
    const asking = new client.KafkaConsumer({ ...common, 'isolation.level': 'read_uncommitted' }, topic);
    try {
      await settled((done) => reading.connect({ timeout: CALL_TIMEOUT_MS }, done));
      await settled((done) => asking.connect({ timeout: CALL_TIMEOUT_MS }, done));
    } catch (error) {
      for (const consumer of [reading, asking]) if (consumer.isConnected()) consumer.disconnect();
      throw error;
    }
    return new CommittedReader(reading, asking);
  }

  partitionsOf(topic: string): Promise<number[]> {
    return partitionsOf(this.#asking, topic, CALL_TIMEOUT_MS);
  }

  async range(topic: string, partition: number): Promise<PartitionRange> {
    const { lowOffset, highOffset } = await settled<Watermarks>((done) =>
      this.#asking.queryWatermarkOffsets(topic, partition, CALL_TIMEOUT_MS, done),
    );
    return { low: lowOffset, end: highOffset };
  }

  /**
   * Committed records with `from` ≤ offset < `to`, in order. It waits for open transactions below `to` to be decided, so what it
   * did not hand out is not committed and will not be.
   *
   * @throws Error when they are not decided in time.
   */
  async *scan(topic: string, partition: number, from: number, to: number): AsyncGenerator<KafkaMessage> {
    if (from >= to) return;
    this.#eof = null;
    this.#reading.assign([{ topic, partition, offset: from }]);
    try {
      let waitUntil = performance.now() + PATIENCE_MS;
      for (;;) {
        const messages = await settled<KafkaMessage[]>((done) => this.#reading.consume(AT_ONCE, done));
        for (const message of messages) {
          if (message.offset >= to) return;
          yield message;
          if (message.offset === to - 1) return;
        }
        if (this.#isAtEnd(topic, partition, to)) return;
        if (messages.length > 0) waitUntil = performance.now() + PATIENCE_MS;
        else if (performance.now() > waitUntil) {
          throw new Error(`partition ${partition} of "${topic}" cannot be read up to ${to}: a transaction in it is still open`);
        }
      }
    } finally {
      this.#reading.unassign();
    }
  }

  #isAtEnd(topic: string, partition: number, to: number): boolean {
    const eof = this.#eof;
    return eof !== null && eof.topic === topic && eof.partition === partition && eof.offset >= to;
  }

  async close(): Promise<void> {
    for (const consumer of [this.#reading, this.#asking]) {
      if (consumer.isConnected()) await settled((done) => consumer.disconnect(done));
    }
  }
}
