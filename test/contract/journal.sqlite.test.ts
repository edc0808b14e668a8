import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JournalBroken, JournalFull } from '../../src/journal/journal.ts';
import { readPlayRecord, recordLogId } from '../../src/journal/record.ts';
import { MARK_FILE, SqliteJournal } from '../../src/journal/sqlite-journal.ts';
import { KeptLog } from '../../src/journal/sqlite-kept-log.ts';
import { playOf } from '../support/feed-file.ts';
import { playEntry } from '../support/journal-entries.ts';
import { refusalInThread } from '../support/journal-thread.ts';
import { type JournalHarness, journalContract } from './journal.contract.ts';

const directories: string[] = [];

function temporary(): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'playproof-journal-'));
  directories.push(directory);
  return directory;
}

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

/** The directory as a crash at this moment would leave it. */
function crashed(directory: string): string {
  const copy = temporary();
  for (const name of ['playproof.db', 'playproof.db-wal', 'playproof.mark']) {
    if (existsSync(path.join(directory, name))) cpSync(path.join(directory, name), path.join(copy, name));
  }
  return copy;
}

function rowsIn(directory: string): string[] {
  const journal = new SqliteJournal(directory);
  try {
    return journal.db
      .prepare('SELECT seq, kind, record FROM journal ORDER BY seq')
      .all()
      .map(({ seq, kind, record }) => `${String(seq)} ${String(kind)} ${recordLogId(record as Uint8Array)}`);
  } finally {
    journal.close();
  }
}

class SqliteJournalHarness implements JournalHarness {
  readonly #directory = temporary();
  #room = true;
  journal = this.#open();

  #open(): SqliteJournal {
    return new SqliteJournal(this.#directory, { hasRoom: () => this.#room });
  }

  async durable(): Promise<string[]> {
    return rowsIn(crashed(this.#directory));
  }

  async reopen(): Promise<void> {
    this.journal.close();
    this.journal = this.#open();
  }

  async empty(): Promise<void> {
    this.journal.db.exec("DELETE FROM journal; UPDATE positions SET seq = (SELECT max(seq) FROM positions) WHERE name = 'settle'");
  }

  setRoom(room: boolean): void {
    this.#room = room;
  }

  async dispose(): Promise<void> {
    this.journal.close();
  }
}

journalContract('SQLite', async () => new SqliteJournalHarness());

const entry = (n: number) => playEntry(playOf(n));

/** Appends one by one and crashes: the write-ahead log holds everything, no checkpoint was made. */
async function crashedAfter(count: number): Promise<string> {
  const directory = temporary();
  const journal = new SqliteJournal(directory);
  for (let n = 1; n <= count; n += 1) await journal.append([entry(n)]);
  const copy = crashed(directory);
  journal.close();
  return copy;
}

/** As a process of another version leaves it that was killed: the write-ahead log stays. */
function setLayout(file: string, version: number): void {
  const db = new DatabaseSync(file);
  const other = new DatabaseSync(file, { readOnly: true });
  db.exec(`PRAGMA wal_autocheckpoint = 0; PRAGMA user_version = ${version}`);
  other.prepare('PRAGMA user_version').get();
  db.close();
  other.close();
}

describe('a journal on SQLite that is not whole', () => {
  let directory: string;
  const file = (name: string): string => path.join(directory, name);
  const start = (): number => {
    const journal = new SqliteJournal(directory);
    const { end } = journal;
    journal.close();
    return end;
  };
  const flip = (name: string, at: number): void => {
    const bytes = readFileSync(file(name));
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(file(name), bytes);
  };

  beforeEach(async () => {
    directory = await crashedAfter(5);
  });

  it('starts where nothing is wrong, after a crash and after a stop', () => {
    expect(start()).toBe(5);
    expect(start()).toBe(5);
  });

  it('is refused when the write-ahead log is cut, at any place', () => {
    const { length } = readFileSync(file('playproof.db-wal'));
    for (const left of [0, 10, 32, 4_000, length >> 1, length - 4_000, length - 1]) {
      const copy = crashed(directory);
      truncateSync(path.join(copy, 'playproof.db-wal'), left);
      expect(() => new SqliteJournal(copy), `${left} of ${length} bytes`).toThrow(/journal|SQLite|end position|table/);
    }
  });

  it('is refused with a sentence that counts what is missing', () => {
    truncateSync(file('playproof.db-wal'), readFileSync(file('playproof.db-wal')).length - 1);
    expect(start).toThrow(/durable up to position 5 and now ends at 4.*docs\/operations\.md/);
  });

  it('is refused when the last commit in the write-ahead log is damaged', () => {
    flip('playproof.db-wal', readFileSync(file('playproof.db-wal')).length - 2_000);
    expect(start).toThrow(/journal lost records/);
  });

  it('is refused when the write-ahead log or the database is gone', () => {
    rmSync(file('playproof.db-wal'));
    expect(start).toThrow(/-wal is gone.*docs\/operations\.md/);
    rmSync(file('playproof.db'));
    expect(start).toThrow(/is gone, but its mark is there/);
  });

  it('is refused when the mark is damaged, or too short', () => {
    const mark = readFileSync(file('playproof.mark'));
    for (let at = 0; at < mark.length; at += 1) {
      flip('playproof.mark', at);
      expect(start, `byte ${at}`).toThrow(/is damaged/);
      writeFileSync(file('playproof.mark'), mark);
    }
    truncateSync(file('playproof.mark'), 63);
    expect(start).toThrow(/is damaged/);
  });

  it('is refused when files of two installations were mixed', async () => {
    const other = await crashedAfter(9);
    for (const name of ['playproof.db', 'playproof.db-wal']) cpSync(path.join(other, name), file(name));
    expect(start).toThrow(/two installations were mixed/);
  });

  it('is refused when an older copy was put back', async () => {
    const running = temporary();
    const journal = new SqliteJournal(running);
    await journal.append([entry(1)]);
    const older = crashed(running);
    await journal.append([entry(2)]);
    journal.close();
    cpSync(path.join(running, 'playproof.mark'), path.join(older, 'playproof.mark'));
    expect(() => new SqliteJournal(older)).toThrow(/lost records|-wal is gone/);
  });

  const foreignMark = async (closed: boolean): Promise<void> => {
    const other = temporary();
    const journal = new SqliteJournal(other);
    if (closed) journal.close();
    cpSync(path.join(other, MARK_FILE), file(MARK_FILE));
    if (!closed) journal.close();
  };
  const cut = (left: (bytes: number) => number): void =>
    truncateSync(file('playproof.db-wal'), left(statSync(file('playproof.db-wal')).size));
  const WAL_HEADER = 32;

  it.each<[string, () => void | Promise<void>]>([
    ['a write-ahead log that was emptied', () => cut(() => 0)],
    ['a write-ahead log that was cut', () => cut((bytes) => bytes >> 1)],
    ['a write-ahead log that was cut by a byte', () => cut((bytes) => bytes - 1)],
    ['a write-ahead log whose header is damaged', () => flip('playproof.db-wal', 8)],
    ['a write-ahead log whose first frame is damaged', () => flip('playproof.db-wal', WAL_HEADER + 100)],
    ['a write-ahead log whose last frame is damaged', () => flip('playproof.db-wal', statSync(file('playproof.db-wal')).size - 1)],
    ['the mark of another journal', () => foreignMark(false)],
    ['the mark of another journal that was closed', () => foreignMark(true)],
    ['the layout of a newer version', () => setLayout(file('playproof.db'), 99)],
  ])('%s: is refused as often as it is tried, and nothing changes; once the right files are back it starts', async (_, damage) => {
    const kept = crashed(directory);
    await damage();
    const held = ['playproof.db', 'playproof.db-wal', MARK_FILE].map((name) => readFileSync(file(name)));
    const told = [await refusalInThread(directory), await refusalInThread(directory)];
    expect(told[0]).toMatch(/docs\/operations\.md|two installations were mixed|newer Playproof/);
    expect(told[1]).toBe(told[0]);
    const left = ['playproof.db', 'playproof.db-wal', MARK_FILE].map((name) => (existsSync(file(name)) ? readFileSync(file(name)) : null));
    expect(left.map((bytes, i) => bytes?.equals(held[i] as Buffer))).toEqual([true, true, true]);

    for (const name of ['playproof.db', 'playproof.db-wal', MARK_FILE]) cpSync(path.join(kept, name), file(name));
    expect(await refusalInThread(directory)).toBeNull();
    expect(rowsIn(directory)).toHaveLength(5);
  });

  it('starts without a mark: that is how an operator takes it as it is', () => {
    rmSync(file('playproof.mark'));
    expect(start()).toBe(5);
    expect(existsSync(file('playproof.mark'))).toBe(true);
  });
});

describe('the journal on SQLite', () => {
  it('I1: has everything that it said was durable after kill -9', async () => {
    const directory = temporary();
    for (let round = 0; round < 3; round += 1) {
      const child = spawn(process.execPath, [path.resolve(import.meta.dirname, '../support/journal-process.ts'), directory], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let said = 0;
      const lines = createInterface(child.stdout);
      lines.on('line', (line) => {
        said = Number(line);
        if (said >= (round + 1) * 700) child.kill('SIGKILL');
      });
      await once(child, 'close');
      const journal = new SqliteJournal(directory);
      expect(journal.end).toBeGreaterThanOrEqual(said);
      expect(said).toBeGreaterThanOrEqual((round + 1) * 700);
      const records = journal.db.prepare('SELECT record FROM journal ORDER BY seq').all();
      expect(records.map(({ record }) => readPlayRecord(record as Uint8Array).logId)).toEqual(
        Array.from({ length: journal.end }, (_, i) => playOf(i + 1).logId),
      );
      journal.close();
    }
  });

  it('acknowledges nothing after an error that leaves it unknown what was kept', async () => {
    const journal = new SqliteJournal(temporary());
    await journal.append([entry(1)]);
    journal.db.exec("CREATE TEMP TRIGGER fault BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'injected'); END");
    const together = await Promise.allSettled([journal.append([entry(2)]), journal.append([entry(3)])]);
    expect(together.map((one) => one.status === 'rejected' && one.reason instanceof JournalBroken)).toEqual([true, true]);
    journal.db.exec('DROP TRIGGER fault');
    await expect(journal.append([entry(4)])).rejects.toThrow(JournalBroken);
    expect(journal.end).toBe(1);
    journal.close();
  });

  it('commits what waits when it is closed', async () => {
    const directory = temporary();
    const journal = new SqliteJournal(directory);
    const waiting = Promise.all([journal.append([entry(1)]), journal.append([entry(2)])]);
    journal.close();
    await waiting;
    expect(rowsIn(directory)).toHaveLength(2);
  });

  it('refuses a file that a newer version wrote', () => {
    const directory = temporary();
    new SqliteJournal(directory).close();
    const db = new DatabaseSync(path.join(directory, 'playproof.db'));
    db.exec('PRAGMA user_version = 99');
    db.close();
    expect(() => new SqliteJournal(directory)).toThrow(/newer Playproof/);
  });
});

const large = (n: number) => playEntry(playOf(n, { canonical: Buffer.alloc(10_000, 32) }));

/** A file system of 8 MiB, where this may be made. */
function smallDisk(): { readonly at: string; unmount(): void } | string {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'a small tmpfs can only be mounted by root on Linux';
  const at = temporary();
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', at], { encoding: 'utf8' });
  if (status !== 0) return `mount failed: ${stderr || 'it is not there'}`;
  return { at, unmount: () => spawnSync('umount', ['-l', at]) };
}

describe('a full disk under the journal on SQLite', () => {
  it('is JournalFull until there is room again, and nothing that was durable is lost', async ({ skip }) => {
    const disk = smallDisk();
    if (typeof disk === 'string') {
      console.warn(`not tested: ${disk}`);
      skip(disk);
      return;
    }
    try {
      const directory = path.join(disk.at, 'data');
      mkdirSync(directory);
      const ballast = path.join(disk.at, 'ballast');
      writeFileSync(ballast, Buffer.alloc(2 * 1024 * 1024));
      const journal = new SqliteJournal(directory);
      let failure: unknown = null;
      let kept = 0;
      while (!failure && kept < 10_000) {
        try {
          await journal.append([large(kept + 1), large(kept + 2)]);
          kept += 2;
        } catch (error) {
          failure = error;
        }
      }
      expect(failure).toBeInstanceOf(JournalFull);
      expect(kept).toBeGreaterThan(100);
      await expect(journal.append([large(1)])).rejects.toThrow(JournalFull);
      expect(journal.end).toBe(kept);
      rmSync(ballast);
      await journal.append([large(kept + 1)]);
      const copy = crashed(directory);
      journal.close();
      expect(rowsIn(copy)).toHaveLength(kept + 1);
      expect(rowsIn(directory)).toHaveLength(kept + 1);
    } finally {
      disk.unmount();
    }
  });
});

describe('a journal that is closed with its thread, not in order', () => {
  it('is read by the next start, with every record', async () => {
    const directory = temporary();
    const journal = new SqliteJournal(directory);
    const log = new KeptLog(directory);
    await journal.append([playEntry(playOf(1)), playEntry(playOf(2))]);
    // As when a thread is ended: its connection is closed, and nothing else is done.
    journal.db.close();
    log.release();
    expect(existsSync(path.join(directory, 'playproof.db-wal'))).toBe(true);
    expect(rowsIn(crashed(directory))).toHaveLength(2);
  });

  it('is refused when its file ends within a page, which SQLite would read as if the rest were zeros', async () => {
    const directory = temporary();
    const journal = new SqliteJournal(directory);
    await journal.append([playEntry(playOf(1))]);
    journal.close();
    const file = path.join(directory, 'playproof.db');
    truncateSync(file, statSync(file).size - 100);
    expect(() => new SqliteJournal(directory)).toThrow(/ends within a page.*docs\/operations\.md/s);
  });

  it('leaves no log behind where it was closed in order', async () => {
    const directory = temporary();
    const journal = new SqliteJournal(directory);
    const log = new KeptLog(directory);
    await journal.append([playEntry(playOf(1))]);
    journal.close();
    log.release();
    expect(existsSync(path.join(directory, 'playproof.db-wal'))).toBe(false);
    expect(rowsIn(directory)).toHaveLength(1);
  });
});
