import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { writeUuid } from '../domain/uuid.ts';
import { readPlayRecord } from '../journal/record.ts';
import { openForReading } from '../journal/sqlite-schema.ts';
import type { Scope } from '../server/access.ts';
import { within } from './shown.ts';
import type { WaitingLogs } from './waiting-logs.ts';

/** Records searched in one turn of the thread that answers, and altogether. */
const CHUNK_ROWS = 1_000;
const TAIL_ROWS = 50_000;

/** Looks for a log in the journal of an edge box, behind what is settled. */
export class EdgeWaiting implements WaitingLogs {
  readonly #db: DatabaseSync;
  readonly #find: StatementSync;
  readonly #end: StatementSync;
  readonly #settledUpTo: () => number;

  /** @param file `playproof.db`, which the writer has made. @param settledUpTo The last position that is settled, as far as it is known. */
  constructor(file: string, settledUpTo: () => number) {
    this.#db = openForReading(file);
    this.#find = this.#db.prepare('SELECT record FROM journal WHERE seq > ? AND seq <= ? AND kind = 1 AND log_id = ? LIMIT 1');
    this.#end = this.#db.prepare("SELECT seq FROM positions WHERE name = 'end'");
    this.#settledUpTo = settledUpTo;
  }

  async has(logId: string, scope: Scope): Promise<boolean> {
    const id = new Uint8Array(16);
    writeUuid(id, 0, logId);
    const { seq: end } = this.#end.get() as { readonly seq: number };
    const from = this.#settledUpTo();
    const searched = Math.min(end, from + TAIL_ROWS);
    for (let at = from; at < searched; at += CHUNK_ROWS) {
      const row = this.#find.get(at, Math.min(at + CHUNK_ROWS, searched), id) as { readonly record: Uint8Array } | undefined;
      if (row) return within(readPlayRecord(row.record), scope);
      await turn();
    }
    // Where settling is far behind, nobody can say quickly that there is no such log: asking again later can help.
    return end > searched;
  }

  close(): void {
    this.#db.close();
  }
}
