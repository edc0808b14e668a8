/** An embedded installation that is stopped, as a copy reads it: `playproof.db` and `registry.db`, on connections that can only read. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { CorruptRecord, LOG_ID_AT, LOG_ID_BYTES, RECORD_PLAY, readRefusalRecord } from '../journal/record.ts';
import { openForReading as openJournal } from '../journal/sqlite-schema.ts';
import { openForReading as openRegistry } from '../registry/database.ts';
import type { WholeEntry, WholeToken } from '../registry/merge.ts';
import type { Kind } from '../registry/registry.ts';
import { RegistryRows } from './sqlite-registry-rows.ts';
import { type CopySource, SourceDamaged, type SourceCounts, type WholeRefusal } from './ports.ts';

/** A settled play at its place in the journal. */
export interface SourcePlay {
  readonly seq: number;
  /** journal/record.ts; its checksum was not looked at. */
  readonly record: Uint8Array;
}

interface PlayRow extends SourcePlay {
  readonly logId: Uint8Array;
  readonly owner: number | null;
}

const RESTORE = 'Restore the data directory from a backup, and look at the disk';

export class SqliteSource implements CopySource {
  readonly journalId: string;
  /** Everything up to here is settled. */
  readonly settled: number;
  readonly #end: number;
  readonly #journal: DatabaseSync;
  readonly #registry: DatabaseSync;
  readonly #rows: RegistryRows;
  readonly #plays: StatementSync;
  readonly #quarantine: StatementSync;

  /** @throws SourceDamaged, or another Error with a sentence. */
  constructor(journalFile: string, registryFile: string) {
    this.#journal = openJournal(journalFile);
    try {
      const position = this.#journal.prepare('SELECT journal_id, seq FROM positions WHERE name = ?');
      const [settle, end] = ['settle', 'end'].map((name) => position.get(name) as { journal_id: string; seq: number } | undefined);
      if (!settle || !end) throw new SourceDamaged(`${journalFile} has no read position or no end. ${RESTORE}`);
      this.journalId = settle.journal_id;
      this.settled = settle.seq;
      this.#end = end.seq;
      this.#plays = this.#journal.prepare(
        `SELECT journal.seq AS seq, journal.record AS record, journal.log_id AS logId, owners.seq AS owner
         FROM journal LEFT JOIN owners ON owners.log_id = journal.log_id
         WHERE journal.seq >= ? AND journal.seq <= ? AND journal.kind = ${RECORD_PLAY} ORDER BY journal.seq LIMIT ?`,
      );
      this.#quarantine = this.#journal.prepare('SELECT id, count, last_received, record FROM quarantine WHERE id > ? ORDER BY id LIMIT ?');
      this.#registry = openRegistry(registryFile);
    } catch (error) {
      this.#journal.close();
      throw error;
    }
    this.#rows = new RegistryRows(this.#registry);
  }

  /** Only where nobody settles. @throws SourceDamaged where the archive and the feed do not hold as many plays. */
  assertWhole(): void {
    const plays = this.playsFrom(1);
    const owners = count(this.#journal, 'SELECT count(*) AS n FROM owners');
    if (owners === plays) return;
    throw new SourceDamaged(`the feed has ${plays} plays and the archive ${owners}; \`playproof audit\` names them. ${RESTORE}`);
  }

  counts(): SourceCounts {
    return {
      plays: this.playsFrom(1),
      waiting: this.#end - this.settled,
      quarantine: count(this.#journal, 'SELECT count(*) AS n FROM quarantine'),
      ...this.#rows.counts(),
    };
  }

  /** Settled plays at `seq` or behind it. */
  playsFrom(seq: number): number {
    return count(
      this.#journal,
      `SELECT count(*) AS n FROM journal WHERE kind = ${RECORD_PLAY} AND seq >= ? AND seq <= ?`,
      seq,
      this.settled,
    );
  }

  /** Settled plays from `seq` on, in order. @throws SourceDamaged */
  plays(seq: number, limit: number): readonly SourcePlay[] {
    const rows = this.#plays.all(seq, this.settled, limit) as unknown as PlayRow[];
    for (const { seq: at, logId, owner, record } of rows) {
      const own = Buffer.compare(logId, record.subarray(LOG_ID_AT, LOG_ID_AT + LOG_ID_BYTES)) === 0;
      if (owner !== at || !own) throw new SourceDamaged(`record ${at} of the feed does not own its log in the archive. ${RESTORE}`);
    }
    return rows;
  }

  entries<K extends Kind>(kind: K, after: string | null, limit: number): readonly WholeEntry<K>[] {
    return this.#rows.entries(kind, after, limit);
  }

  tokens(): readonly WholeToken[] {
    return this.#rows.tokens();
  }

  quarantine(after: number, limit: number): readonly WholeRefusal[] {
    const rows = this.#quarantine.all(after, limit) as unknown as {
      readonly id: number;
      readonly count: number;
      readonly last_received: number;
      readonly record: Uint8Array;
    }[];
    return rows.map(({ id, count: times, last_received, record }) => {
      try {
        return { id, count: times, lastReceived: last_received, refusal: readRefusalRecord(record) };
      } catch (error) {
        if (!(error instanceof CorruptRecord)) throw error;
        throw new SourceDamaged(`item ${id} of quarantine is damaged (${error.message}). ${RESTORE}`, { cause: error });
      }
    });
  }

  close(): void {
    this.#journal.close();
    this.#registry.close();
  }
}

function count(db: DatabaseSync, sql: string, ...values: number[]): number {
  return (db.prepare(sql).get(...values) as { n: number }).n;
}
