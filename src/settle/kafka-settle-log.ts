import { feedMessage } from '../feed/kafka-message.ts';
import { settled } from '../kafka/client.ts';
import type { KafkaClient, KafkaConsumer, KafkaError, KafkaMessage, RdKafkaConfig, TopicPartitionOffset } from '../kafka/client-types.ts';
import { CommittedReader } from '../kafka/committed-reader.ts';
import { Transactions } from '../kafka/transactions.ts';
import type { KafkaTopics } from './kafka-begin.ts';
import { type GroupConsumer, joinGroup, leaveGroup, type Rebalance } from './kafka-group.ts';
import { ADVICE, findPositions } from './kafka-recovery.ts';
import { Fenced, type JournalBatch, type JournalRecord, type Publication, type SettleLog, StaleBatch } from './ports.ts';
import { KafkaTrim } from './kafka-trim.ts';
import { kafkaPositionMessage } from './position-topic.ts';
import { PositionLost } from './settlement.ts';

export interface KafkaSettleLogOptions {
  readonly client: KafkaClient;
  readonly config: RdKafkaConfig;
  readonly topics: KafkaTopics;
  /** All settlers of one journal are in one group. */
  readonly groupId: string;
  /** Stable over restarts, different for each settler: a new one of the same name takes over at once and fences the old one. */
  readonly instance: string;
  readonly sessionTimeoutMs?: number;
  readonly transactionTimeoutMs?: number;
  /** How often settled records are deleted from the journal. */
  readonly trimEveryMs?: number;
  /** Told of what failed and may be tried again later without harm. */
  readonly onWarning: (message: string) => void;
}

const CALL_TIMEOUT_MS = 10_000;
const CHECK_EVERY_MS = 15_000;

const AUTO_OFFSET_RESET = -140;
const FATAL = -150;
const FENCED_INSTANCE = 82;
const MAX_POLL_EXCEEDED = -147;

/**
 * The journal read from Kafka, and the feed written to it: the group's offsets move in the transaction that publishes.
 *
 * What keeps a batch from being published by two settlers: a decision of the group is applied at the beginning of `read` alone, so
 * a batch is published or dropped before its partitions are given up; and the offsets are sent in the name of the generation that
 * read it, which the broker refuses once the partitions were given to another. A reading begins where the broker says that it was
 * committed, after each assignment and after each batch that was not published: there is no other way to go on.
 */
export class KafkaSettleLog implements SettleLog {
  readonly journalId: string;
  readonly #options: KafkaSettleLogOptions;
  readonly #consumer: KafkaConsumer;
  readonly #transactions: Transactions;
  readonly #rebalances: Rebalance[];
  readonly #trim: KafkaTrim;
  /** Names one reading of one assignment; a batch of an earlier one is stale. */
  #reading = {};
  /** Null: the group has not decided yet what is ours. */
  #partitions: readonly number[] | null = null;
  #mustPosition = false;
  #outstanding = false;
  /** The next offset of each partition that is read. */
  readonly #next = new Map<number, number>();
  /** The next offset to settle, as committed. */
  readonly #committed = new Map<number, number>();
  /** Partitions of which nothing was read since the reading began. */
  #fresh = new Set<number>();
  #checkedAt = performance.now();
  #left: Error | null = null;

  private constructor(options: KafkaSettleLogOptions, { consumer, rebalances }: GroupConsumer, transactions: Transactions) {
    this.#options = options;
    this.journalId = options.topics.journalId;
    this.#consumer = consumer;
    this.#rebalances = rebalances;
    this.#transactions = transactions;
    const { client, config, topics, onWarning, trimEveryMs: everyMs } = options;
    this.#trim = new KafkaTrim({ client, config, topic: topics.journal, onWarning, ...(everyMs !== undefined && { everyMs }) });
    consumer.on('event.error', (error: KafkaError) => this.#noticed(error));
  }

  /** @throws KafkaError when the cluster cannot be reached. */
  static async open(options: KafkaSettleLogOptions): Promise<KafkaSettleLog> {
    const { client, config, topics, instance } = options;
    // Fence first: an earlier settler of this name ends its last transaction before anything is read.
    const transactions = await Transactions.open(client, config, {
      transactionalId: `${options.groupId}-${instance}`,
      ...(options.transactionTimeoutMs === undefined ? {} : { transactionTimeoutMs: options.transactionTimeoutMs }),
    });
    try {
      const group = await joinGroup({ ...options, topic: topics.journal });
      return new KafkaSettleLog(options, group, transactions);
    } catch (error) {
      await transactions.close();
      throw error;
    }
  }

  async read(limit: number): Promise<JournalBatch> {
    if (this.#left) throw this.#left;
    if (this.#outstanding) this.#mustPosition = true;
    this.#outstanding = false;
    this.#applyRebalances();
    if (this.#mustPosition) await this.#position();
    // Still owed: the group decided anew, and what comes now would be read behind records that were never settled.
    if (this.#mustPosition) return { records: [], token: this.#reading };
    await this.#lookAround();
    const records = this.#accept(await this.#consume(limit));
    this.#outstanding = records.length > 0;
    return { records, token: this.#reading };
  }

  async publish(batch: JournalBatch, publications: readonly Publication[]): Promise<void> {
    if (this.#left) throw this.#left;
    if (batch.token !== this.#reading || !this.#outstanding) throw new StaleBatch('the batch is of an earlier reading; it is read again');
    const behind = new Map<number, number>();
    for (const { partition, offset } of batch.records) behind.set(partition, offset + 1);
    await this.#transact(publications, behind);
    this.#outstanding = false;
    for (const { record } of publications) this.#trim.published(record.partition, record.offset + 1);
    await this.#trim.run();
  }

  /** The partitions that the group gave to this settler and that it reads now. */
  get partitions(): readonly number[] {
    return [...this.#next.keys()];
  }

  async backlog(): Promise<number | null> {
    if (this.#partitions === null) return null;
    let waiting = 0;
    for (const partition of this.#partitions) {
      const committed = this.#committed.get(partition);
      if (committed === undefined) return null;
      const { highOffset } = await this.#ends(partition);
      // It lies outside the journal, as that of one that was deleted and made again.
      if (committed > highOffset) return null;
      waiting += highOffset - committed;
    }
    return waiting;
  }

  async close(): Promise<void> {
    this.#left ??= new Error('the reader of the journal is closed');
    await this.#transactions.close();
    await leaveGroup(this.#consumer);
  }

  #applyRebalances(): void {
    const last = this.#rebalances.at(-1);
    if (!last) return;
    for (const { assigned } of this.#rebalances.splice(0)) {
      // Each has to be answered; only the last one says what is ours.
      if (assigned === null) this.#consumer.unassign();
    }
    this.#reading = {};
    this.#partitions = last.assigned;
    this.#next.clear();
    this.#committed.clear();
    this.#mustPosition = last.assigned !== null;
  }

  /** Begins a reading at the committed offsets; where there is none, or it went back, at what is found, and commits that. */
  async #position(): Promise<void> {
    this.#reading = {};
    const { topics } = this.#options;
    const partitions = this.#partitions ?? [];
    const asked = partitions.map((partition) => ({ topic: topics.journal, partition }));
    // Offsets of a transaction that is still open are waited for: then a commit whose answer was lost is seen.
    const committed =
      asked.length === 0 ? [] : await settled<TopicPartitionOffset[]>((done) => this.#consumer.committed(asked, CALL_TIMEOUT_MS, done));
    const starts = new Map<number, number>();
    for (const { partition, offset, metadata, error } of committed) {
      if (error) throw error;
      if (!Number.isInteger(offset) || offset < 0) continue;
      // Whoever sets a position by hand leaves no name, and is believed as far as it does not go back.
      if (metadata && metadata !== topics.journalId) {
        throw new PositionLost(
          `the read position of "${topics.journal}" is one of journal ${metadata}, but the journal is ${topics.journalId}; ${ADVICE}`,
        );
      }
      starts.set(partition, offset);
    }
    // What this settler knows to have committed itself needs no second witness.
    const doubtful = partitions.filter((partition) => !((starts.get(partition) ?? -1) >= (this.#committed.get(partition) ?? Infinity)));
    const moved = doubtful.length === 0 ? new Map<number, number>() : await this.#find(doubtful, starts);
    const next = new Map([...starts, ...moved]);
    for (const [partition, offset] of next) await this.#assertInside(partition, offset);
    // The group decided anew meanwhile: that comes first.
    if (this.#rebalances.length > 0) return;
    this.#begin(next);
    if (moved.size > 0) await this.#transact([], moved);
  }

  #begin(starts: ReadonlyMap<number, number>): void {
    const { journal } = this.#options.topics;
    this.#consumer.assign([...starts].map(([partition, offset]) => ({ topic: journal, partition, offset })));
    this.#next.clear();
    this.#committed.clear();
    for (const [partition, offset] of starts) {
      this.#next.set(partition, offset);
      this.#committed.set(partition, offset);
    }
    this.#fresh = new Set(starts.keys());
    this.#mustPosition = false;
  }

  /** Where settling goes on, of those partitions where that is not the offset that the group has. */
  async #find(partitions: readonly number[], committed: ReadonlyMap<number, number>): Promise<Map<number, number>> {
    const { client, config, topics, groupId, onWarning } = this.#options;
    const reader = await CommittedReader.open(client, config);
    let found: Map<number, number>;
    try {
      found = await findPositions(partitions, committed, { reader, topics });
    } finally {
      await reader.close();
    }
    for (const [partition, next] of found) {
      const offset = committed.get(partition);
      if (offset === next) found.delete(partition);
      else if (offset !== undefined) {
        onWarning(
          `the offset of the group "${groupId}" for partition ${partition} of "${topics.journal}" went back to ${offset}, but everything before ${next} ` +
            `was settled and published, as "${topics.positions}" tells: settling goes on at ${next}. Either it was set by hand, or the brokers lost ` +
            'the end of "__consumer_offsets"',
        );
      }
    }
    return found;
  }

  async #consume(limit: number): Promise<readonly KafkaMessage[]> {
    try {
      return await settled<KafkaMessage[]>((done) => this.#consumer.consume(limit, done));
    } catch (cause) {
      const error = cause as KafkaError;
      this.#noticed(error);
      if (this.#left) throw this.#left;
      if (error.code === AUTO_OFFSET_RESET) {
        throw new PositionLost(`a read position of "${this.#options.topics.journal}" lies outside the journal; ${ADVICE}`, {
          cause: error,
        });
      }
      // Being taken for dead is followed by a decision of the group, which the next call applies.
      if (error.code === MAX_POLL_EXCEEDED) return [];
      throw error;
    }
  }

  /** The journal has no gaps: what is not the next record means that something was lost on the way, and is never passed over. */
  #accept(messages: readonly KafkaMessage[]): JournalRecord[] {
    const records: JournalRecord[] = [];
    for (const { partition, offset, value } of messages) {
      const next = this.#next.get(partition);
      if (next !== offset) {
        this.#mustPosition = true;
        const sentence = `partition ${partition} of "${this.#options.topics.journal}" gave record ${offset} where ${next} was to come`;
        if (next !== undefined && offset > next && this.#fresh.has(partition)) throw new PositionLost(`${sentence}; ${ADVICE}`);
        throw new Error(`${sentence}; it is read again from the committed position`);
      }
      this.#fresh.delete(partition);
      this.#next.set(partition, offset + 1);
      records.push({ partition, offset, bytes: value ?? new Uint8Array() });
    }
    return records;
  }

  async #transact(publications: readonly Publication[], behind: ReadonlyMap<number, number>): Promise<void> {
    const { topics } = this.#options;
    const offsets = [...behind].map(([partition, offset]) => ({ topic: topics.journal, partition, offset, metadata: topics.journalId }));
    const { journalId } = this;
    function* messages() {
      for (const { record } of publications) {
        yield feedMessage(topics.feed, record.bytes, { journalId, partition: record.partition, offset: record.offset });
      }
      for (const [partition, next] of behind) yield kafkaPositionMessage(topics.positions, journalId, partition, next);
    }
    await this.#transactions.run(messages(), { consumer: this.#consumer, offsets });
    for (const [partition, offset] of behind) this.#committed.set(partition, offset);
  }

  /** Now and then: a position that fell out of the journal while it is read would only show as silence. */
  async #lookAround(): Promise<void> {
    if (performance.now() - this.#checkedAt < CHECK_EVERY_MS) return;
    this.#checkedAt = performance.now();
    for (const [partition, offset] of this.#next) await this.#assertInside(partition, offset);
  }

  async #assertInside(partition: number, offset: number): Promise<void> {
    const { lowOffset, highOffset } = await this.#ends(partition);
    if (offset >= lowOffset && offset <= highOffset) return;
    throw new PositionLost(
      `the read position ${offset} of partition ${partition} lies outside the journal "${this.#options.topics.journal}" (${lowOffset} to ${highOffset}); ${ADVICE}`,
    );
  }

  #ends(partition: number): Promise<{ readonly lowOffset: number; readonly highOffset: number }> {
    return settled((done) => this.#consumer.queryWatermarkOffsets(this.#options.topics.journal, partition, CALL_TIMEOUT_MS, done));
  }

  #noticed(error: KafkaError): void {
    if (error.code === FENCED_INSTANCE || ((error.isFatal || error.code === FATAL) && /fenced|instance/i.test(error.message))) {
      this.#left ??= new Fenced(`another settler took over as "${this.#options.instance}" (${error.message})`, { cause: error });
    } else if (error.isFatal || error.code === FATAL) {
      this.#left ??= new Fenced(`the reader of the journal cannot go on (${error.message})`, { cause: error });
    }
  }
}
