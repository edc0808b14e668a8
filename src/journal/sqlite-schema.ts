/**
 * The file `playproof.db`: journal, archive and feed of the embedded engines. The journal row *is* the archive row and the
 * feed record: a log's bytes are written once. Settling adds who owns a log_id, removes the rows that lost, and moves one
 * position; the feed is what lies before that position.
 */
import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';

/** Numbered by their place, append-only. */
const MIGRATIONS = [
  `
  -- Every row from 1 to the position 'end' was written here once. 'seq' is given by the writer, without gaps, and never again.
  CREATE TABLE journal (
    seq    INTEGER PRIMARY KEY,
    kind   INTEGER NOT NULL,   -- 1 a play, 2 a refusal on its way to quarantine
    log_id BLOB NOT NULL,
    record BLOB NOT NULL       -- journal/record.ts
  ) STRICT;
  CREATE INDEX journal_refusals ON journal (seq) WHERE kind = 2;

  -- 'end': the last row appended. 'settle': everything up to here is settled, and its plays are the feed.
  -- On an edge box: 'edge': its read position was written to Kafka. 'lost': that position was lost when it was looked at last.
  CREATE TABLE positions (
    name       TEXT PRIMARY KEY,
    journal_id TEXT NOT NULL,
    seq        INTEGER NOT NULL
  ) STRICT;

  -- Who came first.
  CREATE TABLE owners (
    log_id BLOB PRIMARY KEY,
    seq    INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE quarantine (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    log_id        BLOB NOT NULL,
    content_hash  BLOB NOT NULL,
    code          TEXT NOT NULL,
    count         INTEGER NOT NULL,
    last_received REAL NOT NULL,
    proven        INTEGER NOT NULL,
    device_id     TEXT,
    supplier_id   TEXT,
    advertiser_id TEXT,
    record        BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX quarantine_once ON quarantine (log_id, content_hash, code);
  CREATE INDEX quarantine_unproven ON quarantine (device_id, id) WHERE proven = 0;
  `,
];

/**
 * Of a new file; one that is there keeps its own. Seven records fit into a page where three fit into one of 4 KiB, and each page costs two writes and a checksum on its way
 * through the log. Larger ones would be cheaper still for ids in the order of time, and dear for random ones, of which each one
 * touches a page of the owners.
 */
const PAGE_BYTES = 8_192;

/** Oldest SQLite without the fault in resetting the write-ahead log. */
const MIN_SQLITE = [3, 51, 3] as const;

/**
 * Opens `file` for its one writer and brings the schema up to date.
 *
 * @throws Error with a sentence when this SQLite is too old or durability cannot be had.
 */
export function openForWriting(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { timeout: 5_000 });
  try {
    assertVersion(db);
    db.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
    // Checkpoints are run by hand (checkpoint.ts): SQLite's own swallow their errors.
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536',
    );
    assertDurable(db);
    migrate(db);
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

/** A connection that can only read, in a thread or process of its own. */
export function openForReading(file: string): DatabaseSync {
  return new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
}

/** @throws Error with a sentence when there is no journal in the file. */
export function journalIdOf(file: string): string {
  const db = openForReading(file);
  try {
    const row = db.prepare("SELECT journal_id FROM positions WHERE name = 'end'").get() as { readonly journal_id: string } | undefined;
    if (!row) throw new Error(`${file} is not a whole journal; restore it from a backup`);
    return row.journal_id;
  } finally {
    db.close();
  }
}

function assertVersion(db: DatabaseSync): void {
  const { version } = db.prepare('SELECT sqlite_version() AS version').get() as { version: string };
  const parts = version.split('.').map(Number);
  for (const [i, least] of MIN_SQLITE.entries()) {
    const part = parts[i] ?? 0;
    if (part > least) return;
    if (part < least) throw new Error(`SQLite ${version} is too old: ${MIN_SQLITE.join('.')} or newer is needed; use Node 26 or newer`);
  }
}

/** What `append` promises rests on these two settings, so they are read back and not trusted. */
function assertDurable(db: DatabaseSync): void {
  const mode = db.prepare('PRAGMA journal_mode').get() as { journal_mode: string };
  const sync = db.prepare('PRAGMA synchronous').get() as { synchronous: number };
  if (mode.journal_mode !== 'wal' || sync.synchronous !== 2) {
    throw new Error(
      `the journal needs journal_mode=wal and synchronous=FULL, this file system gave ${mode.journal_mode} and ${sync.synchronous}; ` +
        'put PLAYPROOF_DATA_DIR on a local disk',
    );
  }
}

function migrate(db: DatabaseSync): void {
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version > MIGRATIONS.length) {
    throw new Error(
      `the data directory was written by a newer Playproof (schema ${version}, this one knows ${MIGRATIONS.length}); use that version`,
    );
  }
  for (let next = version; next < MIGRATIONS.length; next += 1) {
    db.exec('BEGIN IMMEDIATE');
    db.exec(MIGRATIONS[next] as string);
    if (next === 0) {
      const insert = db.prepare('INSERT INTO positions (name, journal_id, seq) VALUES (?, ?, 0)');
      const journalId = randomUUID();
      insert.run('end', journalId);
      insert.run('settle', journalId);
    }
    db.exec(`PRAGMA user_version = ${next + 1}; COMMIT`);
  }
}
