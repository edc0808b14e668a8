import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { recordReceivedAt } from '../journal/record.ts';
import type { Backlog } from './settled-or-waiting.ts';

/** What waits in the SQLite journal of an edge box. */
export class EdgeBacklog implements Backlog {
  readonly #oldest: StatementSync;
  readonly #settledUpTo: () => number;
  readonly #rememberedSince: () => number;

  /**
   * @param settledUpTo The last position that is settled, as far as it is known.
   * @param rememberedSince Milliseconds since 1970 UTC: what was received since is remembered elsewhere.
   */
  constructor(db: DatabaseSync, settledUpTo: () => number, rememberedSince: () => number) {
    this.#oldest = db.prepare('SELECT record FROM journal WHERE kind = 1 AND seq > ? ORDER BY seq LIMIT 1');
    this.#settledUpTo = settledUpTo;
    this.#rememberedSince = rememberedSince;
  }

  isSettled(): boolean {
    const oldest = this.#oldest.get(this.#settledUpTo()) as { record: Uint8Array } | undefined;
    return !oldest || recordReceivedAt(oldest.record) >= this.#rememberedSince();
  }
}
