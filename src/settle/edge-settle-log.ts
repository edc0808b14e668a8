import { hash } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { openForReading, openForWriting } from '../journal/sqlite-schema.ts';
import type { KafkaClient, RdKafkaConfig } from '../kafka/client-types.ts';
import { CommittedReader } from '../kafka/committed-reader.ts';
import { Transactions } from '../kafka/transactions.ts';
import { EDGE_PARTITION, edgeTransactionalId, publishBehind } from './edge-transaction.ts';
import { ADVICE } from './kafka-recovery.ts';
import { type JournalBatch, type Publication, type SettleLog, StaleBatch } from './ports.ts';
import { type EdgePosition, edgePosition, edgePositionMessage } from './position-topic.ts';
import { PositionLost } from './settlement.ts';

export interface EdgeSettleLogOptions {
  readonly client: KafkaClient;
  readonly config: RdKafkaConfig;
  /** `playproof.db`. */
  readonly file: string;
  readonly feedTopic: string;
  readonly positionsTopic: string;
  readonly transactionTimeoutMs?: number;
  /** Told when the position is known and after each publication: rows with `seq` ≤ this are settled. */
  readonly settledUpTo?: (seq: number) => void;
}

const READ_WAIT_MS = 100;
const LOOK_MS = 10;

/** Whether the read position of this journal was lost when it was looked at last. */
export function positionIsNotedLost(file: string): boolean {
  const db = openForReading(file);
  try {
    return db.prepare("SELECT 1 FROM positions WHERE name = 'lost'").get() !== undefined;
  } finally {
    db.close();
  }
}

interface Row {
  readonly seq: number;
  readonly record: Uint8Array;
}

/**
 * The SQLite journal of one box, published to a feed on Kafka. The read position is a record in a compacted topic, keyed by the
 * journal and written in the transaction that publishes; `transactional.id` is the journal's id as well, so that of two
 * copies of a data directory the one that started last fences the other. Then it has to show that it is the journal that was read:
 * the record before the position must be there, and the same.
 */
export class EdgeSettleLog implements SettleLog {
  readonly journalId: string;
  readonly #options: EdgeSettleLogOptions;
  readonly #db: DatabaseSync;
  readonly #transactions: Transactions;
  readonly #rows: StatementSync;
  readonly #end: StatementSync;
  /** Null: it has to be read from Kafka before anything else. */
  #position: EdgePosition | null = null;
  /** The next `seq` to settle when the position was last known: settling never goes back behind it. */
  #lastNext: number | null = null;
  #outstanding: JournalBatch | null = null;

  private constructor(options: EdgeSettleLogOptions, db: DatabaseSync, journalId: string, transactions: Transactions) {
    this.journalId = journalId;
    this.#options = options;
    this.#db = db;
    this.#transactions = transactions;
    this.#rows = db.prepare('SELECT seq, record FROM journal WHERE seq >= ? ORDER BY seq LIMIT ?');
    this.#end = db.prepare("SELECT seq FROM positions WHERE name = 'end'");
  }

  /**
   * Fences every other reader of this journal. The position is looked at by the first `read`.
   *
   * @param options.file exists already: the writer has made it.
   * @throws KafkaError when the cluster cannot be reached.
   */
  static async open(options: EdgeSettleLogOptions): Promise<EdgeSettleLog> {
    const db = openForReading(options.file);
    try {
      const row = db.prepare("SELECT journal_id FROM positions WHERE name = 'end'").get() as { journal_id: string } | undefined;
      if (!row) throw new PositionLost(`${options.file} is not a whole journal; restore it from a backup`);
      const transactions = await Transactions.open(options.client, options.config, {
        transactionalId: edgeTransactionalId(row.journal_id),
        ...(options.transactionTimeoutMs === undefined ? {} : { transactionTimeoutMs: options.transactionTimeoutMs }),
      });
      return new EdgeSettleLog(options, db, row.journal_id, transactions);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  async read(limit: number): Promise<JournalBatch> {
    try {
      return await this.#read(limit);
    } catch (error) {
      if (error instanceof PositionLost) this.#noteLost();
      throw error;
    }
  }

  async #read(limit: number): Promise<JournalBatch> {
    this.#outstanding = null;
    this.#position ??= await this.#find();
    const { next } = this.#position;
    this.#lastNext = next;
    const until = performance.now() + READ_WAIT_MS;
    let rows = this.#rows.all(next, limit) as unknown as Row[];
    while (rows.length === 0 && performance.now() < until) {
      await sleep(LOOK_MS);
      rows = this.#rows.all(next, limit) as unknown as Row[];
    }
    for (const [i, { seq }] of rows.entries()) {
      if (seq !== next + i) throw new PositionLost(`the journal ${this.journalId} lost its record ${next + i}; ${ADVICE}`);
    }
    const records = rows.map(({ seq, record }) => ({ partition: EDGE_PARTITION, offset: seq, bytes: record }));
    this.#outstanding = { records, token: this };
    return this.#outstanding;
  }

  async publish(batch: JournalBatch, publications: readonly Publication[]): Promise<void> {
    const last = batch.records.at(-1);
    if (batch !== this.#outstanding || !last) throw new StaleBatch('the batch is of an earlier reading; it is read again');
    this.#outstanding = null;
    // Until the transaction is known to be committed, the position is whatever Kafka says.
    this.#position = null;
    this.#position = await publishBehind(this.#transactions, { ...this.#options, journalId: this.journalId }, last, publications);
    this.#lastNext = this.#position.next;
    this.#options.settledUpTo?.(last.offset);
  }

  async backlog(): Promise<number | null> {
    return this.#lastNext === null ? null : Math.max(0, this.#ends() + 1 - this.#lastNext);
  }

  async close(): Promise<void> {
    await this.#transactions.close();
    this.#db.close();
  }

  #ends(): number {
    return (this.#end.get() as { seq: number }).seq;
  }

  /** The position as Kafka has it, proved to be one of this very journal. */
  async #find(): Promise<EdgePosition> {
    const { client, config, positionsTopic } = this.#options;
    const reader = await CommittedReader.open(client, config);
    let position: EdgePosition | null;
    try {
      position = await edgePosition(reader, positionsTopic, this.journalId);
    } finally {
      await reader.close();
    }
    if (position === null) return this.#begin();
    this.#assertOwn(position);
    return this.#found(position);
  }

  /**
   * Without a position in Kafka settling begins at the first record, but only where it has never begun before. That is noted in the
   * data directory after the position was written, so that a crash in between finds it in Kafka.
   */
  async #begin(): Promise<EdgePosition> {
    const { positionsTopic, file } = this.#options;
    const rows = this.#db.prepare("SELECT name, seq FROM positions WHERE name IN ('settle', 'edge')").all() as {
      name: string;
      seq: number;
    }[];
    if (rows.some(({ name }) => name === 'edge')) {
      throw new PositionLost(`the read position of journal ${this.journalId} is gone from the topic "${positionsTopic}"; ${ADVICE}`);
    }
    if (rows.some(({ name, seq }) => name === 'settle' && seq > 0)) {
      throw new PositionLost(
        `${file} was settled on this machine alone before; \`playproof copy\` takes what it holds to the feed on Kafka`,
      );
    }
    const position = { next: 1, lastRecord: null };
    await this.#transactions.run([edgePositionMessage(positionsTopic, this.journalId, position)], null);
    return this.#found(position);
  }

  #found(position: EdgePosition): EdgePosition {
    if (!this.#isNoted('edge')) this.#note(`INSERT INTO positions (name, journal_id, seq) VALUES ('edge', ?, 1) ON CONFLICT DO NOTHING`);
    if (this.#isNoted('lost')) this.#note(`DELETE FROM positions WHERE name = 'lost' AND journal_id = ?`);
    this.#options.settledUpTo?.(position.next - 1);
    return position;
  }

  /** So that a box that is started again takes no logs before Kafka was asked. */
  #noteLost(): void {
    if (this.#isNoted('lost')) return;
    try {
      this.#note(`INSERT INTO positions (name, journal_id, seq) VALUES ('lost', ?, 1) ON CONFLICT DO NOTHING`);
    } catch {
      // A full disk, say. The process that runs knows it all the same.
    }
  }

  #isNoted(name: 'edge' | 'lost'): boolean {
    return this.#db.prepare('SELECT 1 FROM positions WHERE name = ?').get(name) !== undefined;
  }

  #note(sql: string): void {
    const db = openForWriting(this.#options.file);
    try {
      db.prepare(sql).run(this.journalId);
    } finally {
      db.close();
    }
  }

  #assertOwn({ next, lastRecord }: EdgePosition): void {
    const end = this.#ends();
    if (next > end + 1) {
      throw new PositionLost(
        `journal ${this.journalId} was settled up to ${next - 1}, but this data directory ends at ${end}: it is an older copy; ${ADVICE}`,
      );
    }
    if (next === 1) return;
    const [row] = this.#rows.all(next - 1, 1) as unknown as Row[];
    if (row?.seq !== next - 1 || hash('sha256', row.record, 'hex') !== lastRecord) {
      throw new PositionLost(
        `journal ${this.journalId} was settled up to ${next - 1}, and what this data directory holds there is another record or none: ` +
          `it is a copy that went on by itself; ${ADVICE}`,
      );
    }
  }
}
