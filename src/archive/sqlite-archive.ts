import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { STATUSES } from '../domain/play.ts';
import { readPlayRecord } from '../journal/record.ts';
import type { SettledLogs, StoredVerdict } from './archive.ts';

/** Looks owners up in `playproof.db`, where the journal row of an owner is the archive row. */
export class SqliteSettledLogs implements SettledLogs {
  readonly #record: StatementSync;

  constructor(db: DatabaseSync) {
    this.#record = db.prepare('SELECT journal.record FROM owners JOIN journal ON journal.seq = owners.seq WHERE owners.log_id = ?');
  }

  async find(logId: Uint8Array): Promise<StoredVerdict | null> {
    const row = this.#record.get(logId) as { record: Uint8Array } | undefined;
    if (!row) return null;
    const play = readPlayRecord(row.record);
    const BILLABLE = 4;
    return {
      contentHash: Buffer.from(play.contentHash, 'hex'),
      flags: STATUSES.indexOf(play.status) | (play.billable ? BILLABLE : 0),
      receivedAt: play.receivedAt,
    };
  }
}
