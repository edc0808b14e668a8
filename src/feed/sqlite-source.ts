/**
 * The embedded feed as analytics reads it: plays of `playproof.db` up to the settle position, on a connection of its own that can
 * only read. The offset is the journal's `seq`, the only partition is 0.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type FeedPositions, FeedFault, type FeedRead, type FeedSource, type LoadedPlay } from '../analytics/feed-source.ts';
import type { RowBatch } from '../analytics/row-batch.ts';
import { readPlayRow } from '../domain/play-row.ts';
import { CorruptRecord, RECORD_PLAY, recordRow } from '../journal/record.ts';
import { openForReading } from '../journal/sqlite-schema.ts';

const PARTITION = 0;
/** Rows read by one call: stepping through them one by one costs twice as much, and all at once would be 40 MB. */
const CHUNK_ROWS = 1_000;

interface Connection {
  readonly db: DatabaseSync;
  readonly settled: StatementSync;
  readonly plays: StatementSync;
}

export class SqliteFeedSource implements FeedSource {
  readonly reload = 'Stop the service and delete the folder "analytics" in the data directory; it is loaded again from the feed.';
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

  lag(from: FeedPositions): Promise<number> {
    try {
      return Promise.resolve(this.#settled().seq + 1 - (from.get(PARTITION) ?? 1));
    } catch (error) {
      this.close();
      return Promise.reject(error);
    }
  }

  has({ offset, logId, contentHash }: LoadedPlay): Promise<boolean> {
    const [found] = this.#open().plays.all(offset, offset, 1) as unknown as [number, Uint8Array][];
    if (!found) return Promise.resolve(false);
    const play = readPlayRow(rowOf(...found), 0);
    return Promise.resolve(play.logId === logId && play.contentHash === contentHash);
  }

  close(): void {
    this.#connection?.db.close();
    this.#connection = null;
  }

  #read(from: number, batch: RowBatch): FeedRead {
    const { seq: end } = this.#settled();
    if (from > end + 1) {
      throw new FeedFault(
        `analytics was loaded up to ${from - 1}, the feed ends at ${end}: the data directory is older than its analytics. ${this.reload}`,
      );
    }
    // Settled rows never change, so the statements need no common transaction.
    const full = this.#fill(from, end, batch);
    const next = full ?? end + 1;
    return { next: new Map([[PARTITION, next]]), more: full !== null, lagRows: end + 1 - next, skipped: 0 };
  }

  /** Where the batch was full; null when everything went in. */
  #fill(from: number, end: number, batch: RowBatch): number | null {
    const { plays } = this.#open();
    for (let start = from; ; ) {
      const rows = plays.all(start, end, CHUNK_ROWS) as unknown as [number, Uint8Array][];
      for (const [seq, record] of rows) if (!batch.add(rowOf(seq, record), PARTITION, seq)) return seq;
      const last = rows.at(-1);
      if (!last || rows.length < CHUNK_ROWS) return null;
      start = last[0] + 1;
    }
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
      const plays = db.prepare(`SELECT seq, record FROM journal WHERE seq BETWEEN ? AND ? AND kind = ${RECORD_PLAY} ORDER BY seq LIMIT ?`);
      plays.setReturnArrays(true);
      this.#connection = {
        db,
        settled: db.prepare("SELECT journal_id, seq FROM positions WHERE name = 'settle'"),
        plays,
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
