import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Refusal } from '../domain/refusal.ts';
import { failpoint } from '../failpoints.ts';
import {
  CorruptRecord,
  HASH_AT,
  HASH_BYTES,
  LOG_ID_AT,
  LOG_ID_BYTES,
  RECORD_PLAY,
  RECORD_REFUSAL,
  readPlayRecord,
  readRefusalRecord,
  refusalRecord,
} from '../journal/record.ts';
import { conflictOf } from '../journal/conflict.ts';
import { poisonOf } from './poison.ts';
import { PositionLost, type Settlement, type SettleStep } from './settlement.ts';

interface Row {
  readonly seq: number;
  readonly kind: number;
  readonly log_id: Uint8Array;
  readonly record: Uint8Array;
}

interface Loser {
  readonly seq: number;
  readonly record: Uint8Array;
  readonly owner_record: Uint8Array;
}

export interface SqliteSettlementOptions {
  readonly journalId: string;
  /** Where the journal ends now. */
  readonly end: () => number;
  /** Unproven refusals kept for each device; older ones are removed. */
  readonly quarantinePerDevice: number;
  /** Told of each damaged record; it goes to quarantine as it is, and the queue moves on. */
  readonly onPoison: (position: string, error: Error) => void;
  readonly now: () => number;
}

/** What SQLite itself says of a damaged file: after it the service stops (accept/writer.ts). */
const SQLITE_CORRUPT = 11;

/**
 * Settling on the embedded engines. Journal, archive and feed are one file, so a step is one transaction of a few statements
 * over a range of rows, and a log's bytes are not touched: the owner index grows, rows that lost leave, the position moves.
 *
 * Records that were in the file when the service started are read and their checksums proved before they can become anything;
 * what this very process appended comes from its judges and is not read again.
 *
 * SQL's `substr` counts from 1, so the content hash begins at HASH_AT + 1.
 */
export class SqliteSettlement implements Settlement {
  readonly #db: DatabaseSync;
  readonly #options: SqliteSettlementOptions;
  /** The last position that was in the file before this process wrote any. */
  readonly #found: number;
  readonly #rows: StatementSync;
  readonly #position: StatementSync;
  readonly #own: StatementSync;
  readonly #losers: StatementSync;
  readonly #countRefusals: StatementSync;
  readonly #refusals: StatementSync;
  readonly #remove: StatementSync;
  readonly #quarantine: StatementSync;
  readonly #prune: StatementSync;
  readonly #move: StatementSync;

  /** @throws PositionLost */
  constructor(db: DatabaseSync, options: SqliteSettlementOptions) {
    this.#db = db;
    this.#options = options;
    this.#found = options.end();
    this.#rows = db.prepare('SELECT seq, kind, log_id, record FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq');
    this.#position = db.prepare("SELECT journal_id, seq FROM positions WHERE name = 'settle'");
    this.#own = db.prepare(
      'INSERT OR IGNORE INTO owners (log_id, seq) SELECT log_id, seq FROM journal WHERE seq > ? AND seq <= ? AND kind = 1 ORDER BY seq',
    );
    this.#losers = db.prepare(
      `SELECT lost.seq AS seq, lost.record AS record, owner.record AS owner_record
       FROM journal AS lost JOIN owners ON owners.log_id = lost.log_id JOIN journal AS owner ON owner.seq = owners.seq
       WHERE lost.seq > ? AND lost.seq <= ? AND lost.kind = 1 AND owners.seq <> lost.seq ORDER BY lost.seq`,
    );
    this.#countRefusals = db.prepare(
      'SELECT count(*) AS n FROM journal INDEXED BY journal_refusals WHERE kind = 2 AND seq > ? AND seq <= ?',
    );
    this.#refusals = db.prepare(
      'SELECT seq, record FROM journal INDEXED BY journal_refusals WHERE kind = 2 AND seq > ? AND seq <= ? ORDER BY seq',
    );
    this.#remove = db.prepare('DELETE FROM journal WHERE seq = ?');
    this.#quarantine = db.prepare(
      `INSERT INTO quarantine (log_id, content_hash, code, count, last_received, proven, device_id, supplier_id, advertiser_id, record)
       VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (log_id, content_hash, code) DO UPDATE SET count = count + 1, last_received = max(last_received, excluded.last_received)`,
    );
    this.#prune = db.prepare(
      `DELETE FROM quarantine WHERE proven = 0 AND device_id = ?1
       AND id <= (SELECT id FROM quarantine WHERE proven = 0 AND device_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)`,
    );
    this.#move = db.prepare("UPDATE positions SET seq = ? WHERE name = 'settle'");
    this.position();
  }

  /** The read position. @throws PositionLost */
  position(): number {
    const row = this.#position.get() as { journal_id: string; seq: number } | undefined;
    const { journalId, end } = this.#options;
    const advice = 'settling stops, so that nothing is billed twice or lost; see docs/operations.md, "The read position is lost"';
    if (!row) throw new PositionLost(`the read position of the settler is missing; ${advice}`);
    if (row.journal_id !== journalId)
      throw new PositionLost(`the read position belongs to journal ${row.journal_id}, not to ${journalId}; ${advice}`);
    if (row.seq < 0 || row.seq > end())
      throw new PositionLost(`the read position ${row.seq} lies outside the journal (0 to ${end()}); ${advice}`);
    return row.seq;
  }

  async step(limit: number): Promise<SettleStep> {
    const from = this.position();
    const to = Math.min(this.#options.end(), from + limit);
    if (to === from) return { taken: 0, owners: 0, duplicates: 0, conflicts: 0, quarantined: 0 };
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const done = this.#settle(from, to);
      failpoint('before-settle-commit');
      this.#db.exec('COMMIT');
      failpoint('after-settle');
      return done;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  #settle(from: number, to: number): SettleStep {
    const poisoned = from < this.#found ? this.#setAside(from, Math.min(to, this.#found)) : 0;
    const { n: refusals } = this.#countRefusals.get(from, to) as { n: number };
    const owners = Number(this.#own.run(from, to).changes);
    failpoint('inside-settle');
    let duplicates = 0;
    let conflicts = 0;
    // Positions have no gaps, so what is neither a refusal nor an owner lost against an earlier log.
    if (poisoned + owners + refusals < to - from) {
      for (const loser of this.#losers.all(from, to) as unknown as Loser[]) {
        if (hashOf(loser.record).equals(hashOf(loser.owner_record))) duplicates += 1;
        else {
          conflicts += 1;
          this.#keep(conflictOf(loser.record));
        }
        this.#remove.run(loser.seq);
      }
    }
    if (poisoned + owners + refusals + duplicates + conflicts !== to - from) throw gap(from, to);
    if (refusals > 0) {
      for (const { seq, record } of this.#refusals.all(from, to) as unknown as { seq: number; record: Uint8Array }[]) {
        this.#keep(readRefusalRecord(record));
        this.#remove.run(seq);
      }
    }
    this.#move.run(to);
    return { taken: to - from, owners, duplicates, conflicts, quarantined: poisoned + refusals + conflicts };
  }

  /** Proves what was in the file already; what cannot be read leaves the journal for quarantine. Returns how many did. */
  #setAside(from: number, to: number): number {
    let poisoned = 0;
    for (const row of this.#rows.all(from, to) as unknown as Row[]) {
      try {
        assertReadable(row);
      } catch (error) {
        if (!(error instanceof CorruptRecord)) throw error;
        const position = `${this.#options.journalId}/0/${row.seq}`;
        this.#options.onPoison(position, error);
        this.#keep(poisonOf(row.record, position, this.#options.now()));
        this.#remove.run(row.seq);
        poisoned += 1;
      }
    }
    return poisoned;
  }

  #keep(refusal: Refusal): void {
    const record = refusalRecord(refusal);
    const logId = record.subarray(LOG_ID_AT, LOG_ID_AT + LOG_ID_BYTES);
    this.#quarantine.run(
      logId,
      hashOf(record),
      refusal.code,
      refusal.receivedAt,
      refusal.proven ? 1 : 0,
      refusal.deviceId,
      refusal.supplierId,
      refusal.advertiserId,
      record,
    );
    if (!refusal.proven && refusal.deviceId !== null) this.#prune.run(refusal.deviceId, this.#options.quarantinePerDevice);
  }
}

/** Of a record that is too short for one: whatever is there, which equals no hash. */
function hashOf(record: Uint8Array): Buffer {
  return Buffer.from(record.subarray(HASH_AT, HASH_AT + HASH_BYTES));
}

/** @throws CorruptRecord */
function assertReadable({ kind, log_id: logId, record }: Row): void {
  if (kind === RECORD_REFUSAL) {
    readRefusalRecord(record);
    return;
  }
  if (kind !== RECORD_PLAY) throw new CorruptRecord(`a row of kind ${kind}`);
  readPlayRecord(record);
  if (!Buffer.from(logId).equals(record.subarray(LOG_ID_AT, LOG_ID_AT + LOG_ID_BYTES))) {
    throw new CorruptRecord('a record that stands under the log_id of another');
  }
}

/** Rows that were appended are not there, or the owner of a repeat is not: the file is damaged, and nothing is settled over it. */
function gap(from: number, to: number): Error {
  return Object.assign(
    new Error(
      `rows of the journal between ${from + 1} and ${to} are missing or cannot be told apart: the file is damaged; see docs/operations.md, "The journal is not whole"`,
    ),
    { errcode: SQLITE_CORRUPT },
  );
}
