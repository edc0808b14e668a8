import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Refusal } from '../domain/refusal.ts';
import { failpoint } from '../failpoints.ts';
import { HASH_AT, HASH_BYTES, readRefusalRecord, refusalRecord } from '../journal/record.ts';
import { conflictOf } from './conflict.ts';
import { PositionLost, type Settlement, type SettleStep } from './settlement.ts';

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
}

/**
 * Settling on the embedded engines. Journal, archive and feed are one file, so a step is one transaction of a few statements
 * over a range of rows, and a log's bytes are not touched: the owner index grows, rows that lost leave, the position moves.
 *
 * SQL's `substr` counts from 1, so the content hash begins at HASH_AT + 1.
 */
export class SqliteSettlement implements Settlement {
  readonly #db: DatabaseSync;
  readonly #options: SqliteSettlementOptions;
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
    const { n: refusals } = this.#countRefusals.get(from, to) as { n: number };
    const owners = Number(this.#own.run(from, to).changes);
    failpoint('inside-settle');
    let duplicates = 0;
    let conflicts = 0;
    // Positions have no gaps, so what is neither a refusal nor an owner lost against an earlier log.
    if (owners + refusals < to - from) {
      for (const loser of this.#losers.all(from, to) as unknown as Loser[]) {
        if (hashOf(loser.record).equals(hashOf(loser.owner_record))) duplicates += 1;
        else {
          conflicts += 1;
          this.#keep(conflictOf(loser.record));
        }
        this.#remove.run(loser.seq);
      }
    }
    if (refusals > 0) {
      for (const { seq, record } of this.#refusals.all(from, to) as unknown as { seq: number; record: Uint8Array }[]) {
        this.#keep(readRefusalRecord(record));
        this.#remove.run(seq);
      }
    }
    this.#move.run(to);
    return { taken: to - from, owners, duplicates, conflicts, quarantined: refusals + conflicts };
  }

  #keep(refusal: Refusal): void {
    const record = refusalRecord(refusal);
    const logId = record.subarray(24, 40);
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

function hashOf(record: Uint8Array): Buffer {
  return Buffer.from(record.buffer, record.byteOffset + HASH_AT, HASH_BYTES);
}
