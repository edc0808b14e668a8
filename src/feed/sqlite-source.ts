/**
 * The embedded feed as analytics reads it: plays of `playproof.db` up to the settle position, on a connection of its own that can
 * only read. The offset is the journal's `seq`, the only partition is 0.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type FeedPositions, FeedFault, type FeedRead, type FeedSource } from '../analytics/feed-source.ts';
import type { RowBatch } from '../analytics/row-batch.ts';
import { CorruptRecord, RECORD_PLAY, recordRow } from '../journal/record.ts';
import { openForReading } from '../journal/sqlite-schema.ts';

const PARTITION = 0;

interface Connection {
  readonly db: DatabaseSync;
  readonly settled: StatementSync;
  readonly plays: StatementSync;
}

export class SqliteFeedSource implements FeedSource {
  readonly #file: string;
  #connection: Connection | null = null;

  /** @param file `playproof.db`; it is opened when it is first read, and may be made in the meantime. */
  constructor(file: string) {
    this.#file = file;
  }

  feedId(): Promise<string> {
    return Promise.resolve(this.#settled().journalId);
  }

  read(from: FeedPositions, batch: RowBatch): Promise<FeedRead> {
    try {
      return Promise.resolve(this.#read(from.get(PARTITION) ?? 1, batch));
    } catch (error) {
      // A connection that failed is not trusted with the next read.
      this.close();
      return Promise.reject(error);
    }
  }

  close(): void {
    this.#connection?.db.close();
    this.#connection = null;
  }

  #read(from: number, batch: RowBatch): FeedRead {
    const { seq: end } = this.#settled();
    if (from > end + 1) {
      throw new FeedFault(
        `analytics was loaded up to ${from - 1}, the feed ends at ${end}: the data directory is older than its analytics. ` +
          'Stop the service and delete the folder "analytics" in the data directory; it is loaded again from the feed.',
      );
    }
    let next = end + 1;
    let more = false;
    // Settled rows never change, so the two statements need no common transaction.
    for (const row of this.#open().plays.iterate(from, end, batch.maxRows + 1)) {
      const { seq, record } = row as { seq: number; record: Uint8Array };
      if (batch.add(rowOf(seq, record), PARTITION, seq)) continue;
      next = seq;
      more = true;
      break;
    }
    return { next: new Map([[PARTITION, next]]), more, lagRows: end + 1 - next };
  }

  #settled(): { journalId: string; seq: number } {
    const row = this.#open().settled.get() as { journal_id: string; seq: number } | undefined;
    if (!row) throw new Error(`${this.#file} has no settle position yet`);
    return { journalId: row.journal_id, seq: row.seq };
  }

  #open(): Connection {
    if (this.#connection) return this.#connection;
    const db = openForReading(this.#file);
    try {
      this.#connection = {
        db,
        settled: db.prepare("SELECT journal_id, seq FROM positions WHERE name = 'settle'"),
        plays: db.prepare(`SELECT seq, record FROM journal WHERE seq BETWEEN ? AND ? AND kind = ${RECORD_PLAY} ORDER BY seq LIMIT ?`),
      };
    } catch (error) {
      db.close();
      throw error;
    }
    return this.#connection;
  }
}

function rowOf(seq: number, record: Uint8Array): Buffer {
  try {
    return recordRow(record);
  } catch (error) {
    if (!(error instanceof CorruptRecord)) throw error;
    throw new FeedFault(
      `record ${seq} of the feed is damaged (${error.message}): analytics stops before it rather than leave it out. ` +
        'Restore playproof.db from a backup, and look at the disk.',
    );
  }
}
