import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { recordReceivedAt } from '../journal/record.ts';
import { type SettledLogs, storedVerdict, type StoredVerdict } from './archive.ts';

/** Looks owners up in `playproof.db`, where the journal row of an owner is the archive row. */
export class SqliteSettledLogs implements SettledLogs {
  readonly #record: StatementSync;
  readonly #waiting: StatementSync;
  readonly #rememberedSince: () => number;

  /**
   * @param rememberedSince Milliseconds since 1970 UTC. What was received since is remembered elsewhere; a log that was
   *   received before and still waits to be settled is known to nobody, and then `find` does not say that there is none.
   */
  constructor(db: DatabaseSync, rememberedSince: () => number) {
    this.#record = db.prepare('SELECT journal.record FROM owners JOIN journal ON journal.seq = owners.seq WHERE owners.log_id = ?');
    this.#waiting = db.prepare(
      "SELECT record FROM journal WHERE kind = 1 AND seq > (SELECT seq FROM positions WHERE name = 'settle') ORDER BY seq LIMIT 1",
    );
    this.#rememberedSince = rememberedSince;
  }

  async find(logId: Uint8Array): Promise<StoredVerdict | null> {
    const row = this.#record.get(logId) as { record: Uint8Array } | undefined;
    if (!row) {
      const waiting = this.#waiting.get() as { record: Uint8Array } | undefined;
      if (waiting && recordReceivedAt(waiting.record) < this.#rememberedSince()) {
        throw new Error('older logs still wait to be settled, so it cannot be said whether this one is among them');
      }
      return null;
    }
    return storedVerdict(row.record);
  }
}
