import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { failpoint } from '../failpoints.ts';
import { type Journal, JournalBroken, type JournalEntry, JournalFull } from './journal.ts';
import { Mark, type MarkState, readMark } from './mark.ts';
import { openForReading, openForWriting } from './sqlite-schema.ts';

export const DATABASE_FILE = 'playproof.db';
export const MARK_FILE = 'playproof.mark';

/** A commit is worth its sync from about this many rows on; more only add latency. */
const GROUP_ROWS = 1_000;
/** How long a group waits for company, once the last group had some. */
const GROUP_WAIT_MS = 1;
/** Records held in memory while a commit is under way; accept's own admission keeps far below it. */
const MAX_WAITING_ROWS = 500_000;
const MARK_SYNC_MS = 1_000;

interface Waiting {
  readonly entries: readonly JournalEntry[];
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

export interface SqliteJournalOptions {
  /** Asked before each append: whether the disk has room for more. */
  readonly hasRoom: () => boolean;
  /** Whether appends are on their way that a group would wait for. */
  readonly moreComes: () => boolean;
}

/**
 * The journal on SQLite: appends that arrive while the last commit was under way share one transaction and one sync.
 *
 * It keeps the one writing connection of `playproof.db`. Settling uses the same connection between two groups
 * (`settle/sqlite-settlement.ts`), since SQLite has one writer at a time.
 */
export class SqliteJournal implements Journal {
  readonly db: DatabaseSync;
  readonly journalId: string;
  /** Bytes of the write-ahead log's frames written since the last call of `takeWritten`. */
  #written = 0;
  #end: number;
  #waiting: Waiting[] = [];
  #waitingRows = 0;
  #hadCompany = false;
  #timer: NodeJS.Timeout | null = null;
  #immediate: NodeJS.Immediate | null = null;
  #broken: JournalBroken | null = null;
  readonly #mark: Mark;
  readonly #insert: StatementSync;
  readonly #moveEnd: StatementSync;
  readonly #markTimer: NodeJS.Timeout;

  readonly #options: SqliteJournalOptions;
  readonly #file: string;

  /** @throws Error with a sentence when the journal is not whole or cannot be durable. */
  constructor(dataDir: string, options: Partial<SqliteJournalOptions> = {}) {
    this.#options = { hasRoom: () => true, moreComes: () => true, ...options };
    const file = path.join(dataDir, DATABASE_FILE);
    this.#file = file;
    const markFile = path.join(dataDir, MARK_FILE);
    const mark = readMark(markFile);
    if (mark) assertFilesPresent(file, mark.clean);
    // A start that was killed while it made the file left a transaction to undo, which only who writes can do; there is no log yet to lose.
    const isHalfMade = existsSync(`${file}-journal`);
    const look = existsSync(file) && !isHalfMade ? lookInto(file) : null;
    let db: DatabaseSync | null = null;
    try {
      if (look && mark) assertReaches(look, mark, file, markFile);
      db = openForWriting(file);
      if (!look && mark) assertReaches(db, mark, file, markFile);
      const { journalId, end } = positionIn(db, file);
      this.db = db;
      this.journalId = journalId;
      this.#end = end;
      this.#insert = db.prepare('INSERT INTO journal (seq, kind, log_id, record) VALUES (?, ?, ?, ?)');
      this.#moveEnd = db.prepare("UPDATE positions SET seq = ? WHERE name = 'end'");
      // A first commit makes the write-ahead log exist before the mark says that it must.
      this.#moveEnd.run(end);
      this.#mark = new Mark(markFile, { journalId, end, clean: false });
    } catch (error) {
      db?.close();
      throw error;
    } finally {
      // The last to close where the start is refused: whoever looks for the cause, and the next start, find the log as it was.
      look?.close();
    }
    this.#markTimer = setInterval(() => this.#mark.syncSoon(), MARK_SYNC_MS);
    this.#markTimer.unref();
  }

  get end(): number {
    return this.#end;
  }

  append(entries: readonly JournalEntry[]): Promise<void> {
    if (this.#broken) return Promise.reject(this.#broken);
    if (entries.length === 0) return Promise.resolve();
    if (!this.#options.hasRoom()) return Promise.reject(new JournalFull('less disk space than the reserve is free'));
    if (this.#waitingRows + entries.length > MAX_WAITING_ROWS) {
      return Promise.reject(new JournalFull(`${this.#waitingRows} records wait for the disk already`));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entries, resolve, reject });
      this.#waitingRows += entries.length;
      this.#schedule();
    });
  }

  /** Bytes appended since this was last asked, to decide when a checkpoint is due. */
  takeWritten(): number {
    const written = this.#written;
    this.#written = 0;
    return written;
  }

  /**
   * Commits what waits, then empties the write-ahead log into the file, so that the next start finds a clean journal. Where the
   * log cannot be emptied, because the disk is full or somebody reads, it stays and the next start reads it.
   *
   * @throws JournalBroken when it could not be emptied for any other reason; everything is closed then all the same.
   */
  close(): void {
    this.#commit();
    const told = this.#broken;
    clearInterval(this.#markTimer);
    const emptied = !this.#broken && this.#emptyLog();
    // Before closing, which removes the emptied log: a crash in between must not look as if that had been lost.
    this.#mark.set(this.#end, emptied);
    this.#mark.sync();
    this.db.close();
    // The last connection copies what it can as it closes, and removes the log when that was all.
    if (!emptied && !this.#broken && !existsSync(`${this.#file}-wal`)) {
      this.#mark.set(this.#end, true);
      this.#mark.sync();
    }
    this.#mark.close();
    if (this.#broken && !told) throw this.#broken;
  }

  #emptyLog(): boolean {
    try {
      const { busy } = this.db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number };
      return busy === 0;
    } catch (error) {
      if (error instanceof Error && isDiskFull(error)) return false;
      // Nobody knows what the file holds now: everything is left as after a crash, and the next start looks at it.
      this.#broken = new JournalBroken(`the write-ahead log could not be copied into the file (${messageOf(error)})`, { cause: error });
      return false;
    }
  }

  /** Alone, a group goes at once; after a group that had company it waits a moment for more that is on its way, until it is large enough. */
  #schedule(): void {
    if (this.#waitingRows >= GROUP_ROWS || !this.#hadCompany || !this.#options.moreComes()) {
      if (this.#timer) clearTimeout(this.#timer);
      this.#timer = null;
      this.#immediate ??= setImmediate(() => this.#commit());
    } else if (!this.#immediate) {
      this.#timer ??= setTimeout(() => this.#commit(), GROUP_WAIT_MS);
    }
  }

  #commit(): void {
    if (this.#timer) clearTimeout(this.#timer);
    if (this.#immediate) clearImmediate(this.#immediate);
    this.#timer = null;
    this.#immediate = null;
    const group = this.#waiting;
    if (group.length === 0) return;
    this.#waiting = [];
    this.#waitingRows = 0;
    this.#hadCompany = group.length > 1;
    let failure: Error | null = null;
    try {
      this.#write(group);
    } catch (error) {
      failure = this.#failed(error);
    }
    for (const { resolve, reject } of group) {
      if (failure) reject(failure);
      else resolve();
    }
  }

  #write(group: readonly Waiting[]): void {
    if (this.#broken) throw this.#broken;
    this.db.exec('BEGIN IMMEDIATE');
    let end = this.#end;
    let bytes = 0;
    for (const { entries } of group) {
      for (const { kind, logId, record } of entries) {
        end += 1;
        this.#insert.run(end, kind, logId, record);
        bytes += record.length;
      }
    }
    this.#moveEnd.run(end);
    failpoint('before-journal-commit');
    this.db.exec('COMMIT');
    // Only now does the position count: a transaction that was rolled back gives its numbers back.
    this.#end = end;
    this.#written += bytes;
    this.#mark.set(end);
    failpoint('after-journal-commit');
  }

  #failed(error: unknown): Error {
    if (error instanceof JournalBroken) return error;
    const cause = error instanceof Error ? error : new Error(String(error));
    if (isDiskFull(cause) && this.#rollBack()) return new JournalFull('the disk is full; make room', { cause });
    // After any other error nobody knows what reached the disk: acknowledging on would build on sand.
    this.#broken = new JournalBroken(`the journal could not be written (${cause.message}); nothing more is acknowledged`, { cause });
    return this.#broken;
  }

  #rollBack(): boolean {
    try {
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
      return true;
    } catch {
      return false;
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** SQLite's codes for a disk without room: FULL, and the shared-memory file that could not grow. */
export function isDiskFull(error: Error): boolean {
  const code = (error as Error & { errcode?: number }).errcode;
  const SQLITE_FULL = 13;
  const SQLITE_IOERR_SHMSIZE = 4874;
  return code !== undefined && ((code & 0xff) === SQLITE_FULL || code === SQLITE_IOERR_SHMSIZE);
}

const ADVICE = 'see docs/operations.md, "The journal is not whole"';

/**
 * A connection that changes nothing. SQLite's last connection copies the write-ahead log into the file as it closes, up to the first frame
 * that is damaged, and removes it: one that can only read cannot.
 *
 * @throws Error with a sentence when the file cannot be read.
 */
function lookInto(file: string): DatabaseSync {
  const db = openForReading(file);
  try {
    // A connection counts from its first look into the file.
    db.prepare('PRAGMA user_version').get();
    return db;
  } catch (error) {
    db.close();
    throw unreadable(file, error);
  }
}

function positionIn(db: DatabaseSync, file: string): { readonly journalId: string; readonly end: number } {
  let row: { journal_id: string; seq: number } | undefined;
  try {
    row = db.prepare("SELECT journal_id, seq FROM positions WHERE name = 'end'").get() as typeof row;
  } catch (error) {
    throw unreadable(file, error);
  }
  if (!row) throw new Error(`${file} has no end position: it is not a whole journal; restore it from a backup`);
  return { journalId: row.journal_id, end: row.seq };
}

function unreadable(file: string, cause: unknown): Error {
  return new Error(`${file} is not a whole journal (${cause instanceof Error ? cause.message : String(cause)}); ${ADVICE}`, { cause });
}

function assertReaches(look: DatabaseSync, mark: MarkState, file: string, markFile: string): void {
  const { journalId, end } = positionIn(look, file);
  if (mark.journalId !== journalId) {
    throw new Error(
      `${markFile} belongs to journal ${mark.journalId}, but the journal is ${journalId}: files of two installations were mixed`,
    );
  }
  if (end < mark.end) {
    throw new Error(
      `the journal lost records: it was durable up to position ${mark.end} and now ends at ${end}. ` +
        `A file of the data directory is damaged or was removed; ${ADVICE}`,
    );
  }
}

function assertFilesPresent(file: string, clean: boolean): void {
  if (!existsSync(file)) throw new Error(`${file} is gone, but its mark is there: acknowledged logs are missing; ${ADVICE}`);
  if (!clean && !existsSync(`${file}-wal`)) {
    throw new Error(`${file}-wal is gone, but the journal was not closed in order: acknowledged logs may be missing; ${ADVICE}`);
  }
  // SQLite takes what is missing of the last page for zeros. Only a log beside it could hold that page whole.
  if (clean && statSync(file).size % pageBytes(file) !== 0) {
    throw new Error(`${file} ends within a page: its end was cut off, and acknowledged logs may be missing; ${ADVICE}`);
  }
}

/** From the header: https://www.sqlite.org/fileformat.html#page_size. 1 where there is none, which SQLite itself refuses. */
function pageBytes(file: string): number {
  const header = Buffer.alloc(18);
  const fd = openSync(file, 'r');
  try {
    if (readSync(fd, header, 0, header.length, 0) < header.length) return 1;
  } finally {
    closeSync(fd);
  }
  const told = header.readUInt16BE(16);
  return told === 1 ? 65_536 : Math.max(1, told);
}
