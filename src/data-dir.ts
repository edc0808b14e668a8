/** The data directory: made when missing, and used by one service at a time. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export class DataDirInUse extends Error {
  override readonly name = 'DataDirInUse';
}

/**
 * Holds the data directory for this process. The lock is the operating system's, through SQLite, so it is gone when the process
 * is, however it ended; nothing stale is left behind.
 *
 * @throws DataDirInUse, or an Error where the directory cannot be used at all; both with a sentence.
 */
export class DataDirLock {
  readonly #db: DatabaseSync;

  constructor(dataDir: string) {
    const owner = path.join(dataDir, 'lock.pid');
    this.#db = openLock(dataDir);
    try {
      this.#db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    } catch (error) {
      this.#db.close();
      if (!isBusy(error)) throw unusable(dataDir, error);
      throw new DataDirInUse(
        `another Playproof (process ${pidIn(owner)}) uses the data directory ${dataDir}; stop that one, or set PLAYPROOF_DATA_DIR to another directory`,
        { cause: error },
      );
    }
    writeFileSync(owner, String(process.pid));
  }

  release(): void {
    this.#db.close();
  }
}

function openLock(dataDir: string): DatabaseSync {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o750 });
    return new DatabaseSync(path.join(dataDir, 'lock'), { timeout: 0 });
  } catch (error) {
    throw unusable(dataDir, error);
  }
}

function isBusy(error: unknown): boolean {
  const SQLITE_BUSY = 5;
  return (((error as { errcode?: number }).errcode ?? 0) & 0xff) === SQLITE_BUSY;
}

function unusable(dataDir: string, cause: unknown): Error {
  return new Error(
    `the data directory ${dataDir} cannot be written (${cause instanceof Error ? cause.message : String(cause)}); set PLAYPROOF_DATA_DIR to a directory of a local disk that this user may write`,
    { cause },
  );
}

function pidIn(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return 'unknown';
  }
}
