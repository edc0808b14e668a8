/** Journal, feed, archive and quarantine of `playproof.db`, as the audit reads them: on a connection that can only read. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { writeUuid } from '../domain/uuid.ts';
import { openForReading } from '../journal/sqlite-schema.ts';
import type { ArchiveCopy, FeedCopy, JournalPlace, JournalPositions, KeptRefusal, Owner } from './ports.ts';

interface PositionRow {
  readonly name: string;
  readonly journal_id: string;
  readonly seq: number;
}

const PLACES = `SELECT journal.seq AS seq, journal.kind AS kind, journal.log_id AS logId, journal.record AS record, owners.seq AS owner
  FROM journal LEFT JOIN owners ON owners.log_id = journal.log_id
  WHERE journal.seq > ? AND journal.seq <= ? ORDER BY journal.seq LIMIT ?`;

const OWNERS = `SELECT owners.log_id AS logId, owners.seq AS seq, journal.log_id AS held,
    (SELECT seq FROM positions WHERE name = 'settle') AS settled
  FROM owners LEFT JOIN journal ON journal.seq = owners.seq`;

export class SqliteCopies implements FeedCopy, ArchiveCopy {
  readonly #db: DatabaseSync;
  readonly #positions: StatementSync;
  readonly #places: StatementSync;
  readonly #firstOwners: StatementSync;
  readonly #owners: StatementSync;
  readonly #owned: StatementSync;
  readonly #quarantine: StatementSync;

  /** @param file `playproof.db`. @throws Error where it is no journal. */
  constructor(file: string) {
    const db = openForReading(file);
    this.#db = db;
    try {
      this.#positions = db.prepare('SELECT name, journal_id, seq FROM positions');
      this.#places = db.prepare(PLACES);
      this.#firstOwners = db.prepare(`${OWNERS} ORDER BY owners.log_id LIMIT ?`);
      this.#owners = db.prepare(`${OWNERS} WHERE owners.log_id > ? ORDER BY owners.log_id LIMIT ?`);
      this.#owned = db.prepare(
        'SELECT journal.seq AS seq, journal.record AS record FROM owners JOIN journal ON journal.seq = owners.seq WHERE owners.log_id = ?',
      );
      this.#quarantine = db.prepare(
        'SELECT id, log_id AS logId, content_hash AS contentHash, code, record FROM quarantine WHERE id > ? ORDER BY id LIMIT ?',
      );
    } catch (error) {
      db.close();
      throw error;
    }
  }

  positions(): JournalPositions {
    const rows = this.#positions.all() as unknown as PositionRow[];
    const named = (wanted: string): JournalPositions['end'] => {
      const row = rows.find(({ name }) => name === wanted);
      return row ? { journalId: row.journal_id, seq: row.seq } : null;
    };
    return { end: named('end'), settle: named('settle') };
  }

  places(after: number, until: number, limit: number): readonly JournalPlace[] {
    return this.#places.all(after, until, limit) as unknown as JournalPlace[];
  }

  atOnce<T>(read: () => T): T {
    this.#db.exec('BEGIN');
    try {
      return read();
    } finally {
      this.#db.exec('COMMIT');
    }
  }

  owners(after: Uint8Array | null, limit: number): readonly Owner[] {
    return (after === null ? this.#firstOwners.all(limit) : this.#owners.all(after, limit)) as unknown as Owner[];
  }

  owned(logId: string): { readonly seq: number; readonly record: Uint8Array } | null {
    const id = new Uint8Array(16);
    writeUuid(id, 0, logId);
    return (this.#owned.get(id) as { seq: number; record: Uint8Array } | undefined) ?? null;
  }

  quarantine(after: number, limit: number): readonly KeptRefusal[] {
    return this.#quarantine.all(after, limit) as unknown as KeptRefusal[];
  }

  close(): void {
    this.#db.close();
  }
}
