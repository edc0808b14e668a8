/**
 * The file `registry.db`: its tables, and how connections to it are opened. Several threads and processes have it open at the
 * same time (the server, its workers, the command line), so write transactions are short and take the lock at their start.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Numbered from 1 and append-only: a released one is never edited. */
const MIGRATIONS = [
  `
  CREATE TABLE stores (
    id TEXT PRIMARY KEY,
    supplier_id TEXT NOT NULL,
    name TEXT NOT NULL,
    lat REAL NOT NULL,
    lng REAL NOT NULL,
    region TEXT,
    time_zone TEXT,
    retired_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE devices (
    id TEXT PRIMARY KEY,
    retired_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE assignments (
    device_id TEXT NOT NULL REFERENCES devices (id),
    place INTEGER NOT NULL,
    store_id TEXT NOT NULL REFERENCES stores (id),
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    since INTEGER,
    PRIMARY KEY (device_id, place)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE keys (
    device_id TEXT NOT NULL REFERENCES devices (id),
    place INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    algorithm TEXT NOT NULL CHECK (algorithm IN ('RS256', 'PS256')),
    public_key TEXT NOT NULL,
    valid_from INTEGER,
    -- As registered, to recognise a repetition; valid_until is what counts.
    registered_until INTEGER,
    valid_until INTEGER,
    compromised_at INTEGER,
    PRIMARY KEY (device_id, place),
    UNIQUE (device_id, key_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE campaigns (
    id TEXT PRIMARY KEY,
    advertiser_id TEXT NOT NULL,
    name TEXT,
    retired_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE contents (
    id TEXT PRIMARY KEY,
    duration_ms INTEGER NOT NULL,
    name TEXT,
    retired_at INTEGER
  ) STRICT, WITHOUT ROWID;
  -- The newest changes, so that views drop what changed and nothing else. AUTOINCREMENT: a revision is never reused.
  CREATE TABLE changes (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    id TEXT NOT NULL
  ) STRICT;
  CREATE TABLE tokens (
    hash BLOB PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('admin', 'operator', 'supplier', 'advertiser')),
    supplier_id TEXT,
    advertiser_id TEXT,
    label TEXT,
    -- 1: made by the service at its first start; a token from the settings takes its place.
    first_start INTEGER NOT NULL CHECK (first_start IN (0, 1)),
    created_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
] as const;

/** Its name in the data directory. */
export const REGISTRY_FILE = 'registry.db';
/** So long a connection waits for another's write lock before it gives up, blocking its thread. */
const OPEN_WAIT_MS = 10_000;
/** Changes that are kept; a view that missed more drops all it has. */
const MAX_CHANGES = 10_000;

/**
 * Opens the registry for writing, and makes it or migrates its tables.
 * @param waitMs How long a statement may block the thread for another connection's lock.
 * @throws Error when the file cannot be opened, or was made by a newer version.
 */
export function openForWriting(file: string, waitMs = OPEN_WAIT_MS): DatabaseSync {
  mkdirSync(path.dirname(file), { recursive: true });
  const db = new DatabaseSync(file, { timeout: OPEN_WAIT_MS });
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON');
    assertPragma(db, 'journal_mode', 'wal');
    assertPragma(db, 'synchronous', 2);
    migrate(db, file);
    db.exec(`PRAGMA busy_timeout = ${waitMs}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** @throws Error when there is no registry, or one of another version. */
export function openForReading(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { readOnly: true, timeout: OPEN_WAIT_MS });
  try {
    const version = versionOf(db);
    if (version !== MIGRATIONS.length) {
      throw new Error(
        `${file} has tables of version ${version} and ${MIGRATIONS.length} is needed; open it with this version's server first`,
      );
    }
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function migrate(db: DatabaseSync, file: string): void {
  if (versionOf(db) === MIGRATIONS.length) return;
  inTransaction(db, () => {
    const version = versionOf(db);
    if (version > MIGRATIONS.length) {
      throw new Error(`${file} was written by a newer version of playproof (tables ${version}, known ${MIGRATIONS.length}); use that one`);
    }
    for (const step of MIGRATIONS.slice(version)) db.exec(step);
    db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  });
}

/** Runs `work` in a write transaction: all of it is durable when this returns, or nothing of it happened. */
export function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  return finish(db, work);
}

/** Runs `work` on one snapshot. */
export function inSnapshot<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN');
  return finish(db, work);
}

function finish<T>(db: DatabaseSync, work: () => T): T {
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    // After some errors (a full disk) SQLite has rolled back by itself.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** Notes inside a write transaction what it changes. */
export class ChangeLog {
  readonly #insert;
  readonly #trim;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare('INSERT INTO changes (kind, id) VALUES (?, ?)');
    this.#trim = db.prepare('DELETE FROM changes WHERE revision <= ?');
  }

  note(kind: 'store' | 'device' | 'campaign' | 'content', id: string): void {
    const { lastInsertRowid } = this.#insert.run(kind, id);
    this.#trim.run(Number(lastInsertRowid) - MAX_CHANGES);
  }
}

/** SQLite's primary result code, or 0 for any other error. */
export function sqliteCode(error: unknown): number {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return 0;
  return error.errcode & 0xff;
}

export const SQLITE_BUSY = 5;

function versionOf(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.user_version);
}

function assertPragma(db: DatabaseSync, name: string, expected: string | number): void {
  const actual = db.prepare(`PRAGMA ${name}`).get()?.[name];
  if (actual !== expected) throw new Error(`the registry needs ${name} = ${expected}, SQLite has ${String(actual)}`);
}
