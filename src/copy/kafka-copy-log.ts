/**
 * The feed of an embedded installation as a journal that is settled once more, into the feed on Kafka: the same way as an edge box
 * publishes its own journal (settle/edge-settle-log.ts), with the same position record and the same `transactional.id`. So a copy
 * that was killed goes on behind what it published, and of two copies of one data directory the one that began last goes on.
 */
import { hash } from 'node:crypto';
import type { KafkaClient, RdKafkaConfig } from '../kafka/client-types.ts';
import { CommittedReader } from '../kafka/committed-reader.ts';
import { Transactions } from '../kafka/transactions.ts';
import { EDGE_PARTITION, edgeTransactionalId, publishBehind } from '../settle/edge-transaction.ts';
import { ADVICE } from '../settle/kafka-recovery.ts';
import { type JournalBatch, type Publication, type SettleLog, StaleBatch } from '../settle/ports.ts';
import { type EdgePosition, edgePosition, edgePositionMessage } from '../settle/position-topic.ts';
import { PositionLost } from '../settle/settlement.ts';
import type { SqliteSource } from './sqlite-source.ts';

export interface KafkaCopyLogOptions {
  readonly client: KafkaClient;
  readonly config: RdKafkaConfig;
  readonly source: Pick<SqliteSource, 'journalId' | 'settled' | 'plays' | 'playsFrom'>;
  readonly feedTopic: string;
  readonly positionsTopic: string;
  /** Whether this feed is known to have a position of this journal: then there has to be one. */
  readonly begun: boolean;
  /** Called once the position was begun; durable when it returns. */
  readonly noteBegun: () => void;
}

export class KafkaCopyLog implements SettleLog {
  readonly journalId: string;
  readonly #options: KafkaCopyLogOptions;
  readonly #transactions: Transactions;
  /** Null: it has to be read from Kafka before anything else. */
  #position: EdgePosition | null = null;
  #begun: boolean;
  #outstanding: JournalBatch | null = null;

  private constructor(options: KafkaCopyLogOptions, transactions: Transactions) {
    this.journalId = options.source.journalId;
    this.#options = options;
    this.#begun = options.begun;
    this.#transactions = transactions;
  }

  /** Fences every other copy of this journal, and an edge box that settles it. @throws KafkaError when the cluster cannot be reached. */
  static async open(options: KafkaCopyLogOptions): Promise<KafkaCopyLog> {
    const { client, config, source } = options;
    const transactionalId = edgeTransactionalId(source.journalId);
    return new KafkaCopyLog(options, await Transactions.open(client, config, { transactionalId }));
  }

  /** The next place to copy; everything before it is there. @throws PositionLost */
  async next(): Promise<number> {
    this.#position ??= await this.#find();
    return this.#position.next;
  }

  /** Empty: everything is copied. */
  async read(limit: number): Promise<JournalBatch> {
    this.#outstanding = null;
    const plays = this.#options.source.plays(await this.next(), limit);
    this.#outstanding = {
      records: plays.map(({ seq, record }) => ({ partition: EDGE_PARTITION, offset: seq, bytes: record })),
      token: this,
    };
    return this.#outstanding;
  }

  async publish(batch: JournalBatch, publications: readonly Publication[]): Promise<void> {
    const last = batch.records.at(-1);
    if (batch !== this.#outstanding || !last) throw new StaleBatch('the batch is of an earlier reading; it is read again');
    this.#outstanding = null;
    // Until the transaction is known to be committed, the position is whatever Kafka says.
    this.#position = null;
    this.#position = await publishBehind(this.#transactions, { ...this.#options, journalId: this.journalId }, last, publications);
  }

  async backlog(): Promise<number> {
    return this.#options.source.playsFrom(await this.next());
  }

  async close(): Promise<void> {
    await this.#transactions.close();
  }

  async #find(): Promise<EdgePosition> {
    const { client, config, positionsTopic, source } = this.#options;
    const found = await readPosition(client, config, positionsTopic, this.journalId);
    const position = found ?? (await this.#begin());
    if (found) assertOwn(found, source);
    if (!this.#begun) this.#options.noteBegun();
    this.#begun = true;
    return position;
  }

  async #begin(): Promise<EdgePosition> {
    const { positionsTopic } = this.#options;
    if (this.#begun) throw new PositionLost(`the position of this copy is gone from the topic "${positionsTopic}"; ${ADVICE}`);
    const position = { next: 1, lastRecord: null };
    await this.#transactions.run([edgePositionMessage(positionsTopic, this.journalId, position)], null);
    return position;
  }
}

/** How far the journal is in the feed; null where it never began. @throws PositionLost where it cannot be read. */
export async function readPosition(
  client: KafkaClient,
  config: RdKafkaConfig,
  topic: string,
  journalId: string,
): Promise<EdgePosition | null> {
  const reader = await CommittedReader.open(client, config);
  try {
    return await edgePosition(reader, topic, journalId);
  } finally {
    await reader.close();
  }
}

/** @throws PositionLost where the data directory is not the one that was copied so far. */
export function assertOwn({ next, lastRecord }: EdgePosition, source: Pick<SqliteSource, 'journalId' | 'settled' | 'plays'>): void {
  const name = `journal ${source.journalId} was copied up to ${next - 1}`;
  if (next - 1 > source.settled) {
    throw new PositionLost(`${name}, but this data directory ends at ${source.settled}: it is an older copy; ${ADVICE}`);
  }
  if (next === 1) return;
  const [play] = source.plays(next - 1, 1);
  if (play?.seq !== next - 1 || hash('sha256', play.record, 'hex') !== lastRecord) {
    throw new PositionLost(
      `${name}, and what this data directory holds there is another record or none: it is a copy that went on by itself; ${ADVICE}`,
    );
  }
}
