/**
 * Keeps the write-ahead log of a journal that was not closed in order. SQLite's last connection copies and removes the log as it closes,
 * and a thread's connections are closed when the thread is ended, also where the service ends because it cannot go on. Then the log would
 * be gone though the mark says that it must be there, and the next start would refuse. A connection of the main thread, which nothing
 * closes when the process exits, makes those of the threads never the last.
 */
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { readMark } from './mark.ts';
import { DATABASE_FILE, MARK_FILE } from './sqlite-journal.ts';

/** Those that must stay open until the process is gone: a connection that is collected is closed. */
const held = new Set<DatabaseSync>();

export class KeptLog {
  readonly #dataDir: string;
  readonly #db: DatabaseSync;

  /** @param dataDir Of a journal that is open. */
  constructor(dataDir: string) {
    this.#dataDir = dataDir;
    // It never writes; one that can only read would leave an emptied log behind.
    this.#db = new DatabaseSync(path.join(dataDir, DATABASE_FILE), { timeout: 5_000 });
    held.add(this.#db);
    // A connection counts from its first look into the file.
    this.#db.prepare("SELECT seq FROM positions WHERE name = 'end'").get();
  }

  /** Called when the journal was closed: where that went in order the log may go, otherwise it stays for the next start to read. */
  release(): void {
    if (readMark(path.join(this.#dataDir, MARK_FILE))?.clean !== true) return;
    this.#db.close();
    held.delete(this.#db);
  }
}
