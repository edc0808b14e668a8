/** The journal of an edge box, `playproof.db`, as the audit reads it: on a connection that can only read. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { readMark } from '../../journal/mark.ts';
import { openForReading } from '../../journal/sqlite-schema.ts';
import { AuditImpossible } from '../http-analytics.ts';
import type { EngineJournal, JournalRecordRead, PartitionRange } from './ports.ts';

/** Records read at once: some 1 MB. */
const CHUNK = 1_000;
/** A running service writes the mark all the time: it may be met half written, but not again and again. */
const MARK_ATTEMPTS = 5;

export class EdgeJournalCopy implements EngineJournal {
  readonly journalId: string;
  readonly #db: DatabaseSync;
  readonly #markFile: string;
  readonly #rows: StatementSync;
  #low = 0;

  /** @param file `playproof.db`. @throws AuditImpossible where it is no journal. */
  constructor(file: string, markFile: string) {
    this.#db = openForReading(file);
    this.#markFile = markFile;
    try {
      const end = this.#db.prepare("SELECT journal_id FROM positions WHERE name = 'end'").get() as { journal_id: string } | undefined;
      if (!end) throw new AuditImpossible(`${file} has no position "end", so it is not whole; restore it from a backup`);
      this.journalId = end.journal_id;
      this.#rows = this.#db.prepare('SELECT seq, record FROM journal WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT ?');
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  durableEnd(): number | null {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const mark = readMark(this.#markFile);
        return mark && mark.journalId === this.journalId ? mark.end : null;
      } catch (error) {
        if (attempt === MARK_ATTEMPTS) throw error;
      }
    }
  }

  /** From here on it is read as of this moment: what is settled meanwhile leaves the file. */
  ranges(): Promise<readonly PartitionRange[]> {
    if (!this.#db.isTransaction) this.#db.exec('BEGIN');
    const { end, low } = this.#db
      .prepare("SELECT positions.seq + 1 AS end, (SELECT min(seq) FROM journal) AS low FROM positions WHERE name = 'end'")
      .get() as { end: number; low: number | null };
    this.#low = low ?? end;
    return Promise.resolve([{ partition: 0, low: this.#low, end }]);
  }

  /** As of the moment that is read: what is removed later is read all the same. */
  low(): Promise<number> {
    return Promise.resolve(this.#low);
  }

  async *records({ low, end }: PartitionRange): AsyncIterable<JournalRecordRead> {
    for (let from = low; from < end; ) {
      const rows = this.#rows.all(from, end, CHUNK) as unknown as { seq: number; record: Uint8Array }[];
      for (const { seq, record } of rows) yield { offset: seq, bytes: record };
      const last = rows.at(-1);
      if (!last) break;
      from = last.seq + 1;
    }
    // A reading that is kept open keeps the write-ahead log from being emptied.
    if (this.#db.isTransaction) this.#db.exec('COMMIT');
  }

  close(): void {
    this.#db.close();
  }
}
