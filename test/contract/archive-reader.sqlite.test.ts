import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqliteReader } from '../../src/archive/sqlite-reader.ts';
import type { Play } from '../../src/domain/play.ts';
import type { Refusal } from '../../src/domain/refusal.ts';
import { DATABASE_FILE, SqliteJournal } from '../../src/journal/sqlite-journal.ts';
import { ArchiveReader } from '../../src/query/archive-reader.ts';
import { DamagedRecord } from '../../src/query/archive-port.ts';
import { SCOPE_ALL } from '../../src/server/access.ts';
import { SqliteSettlement } from '../../src/settle/sqlite-settlement.ts';
import { playOf, uuidOf } from '../support/feed-file.ts';
import { playEntry, refusalEntry } from '../support/journal-entries.ts';
import { refusalOf } from '../support/plays.ts';
import { archiveReaderContract, linesOf, type ReaderHarness } from './archive-reader.contract.ts';

class SqliteReaderHarness implements ReaderHarness {
  readonly directory: string;
  readonly journal: SqliteJournal;
  readonly reader: SqliteReader;
  readonly #settlement: SqliteSettlement;

  constructor(directory: string) {
    this.directory = directory;
    this.journal = new SqliteJournal(directory);
    this.reader = new SqliteReader(path.join(directory, DATABASE_FILE));
    this.#settlement = new SqliteSettlement(this.journal.db, {
      journalId: this.journal.journalId,
      end: () => this.journal.end,
      quarantinePerDevice: 100,
      onPoison: () => {},
      now: () => 0,
    });
  }

  static async open(): Promise<SqliteReaderHarness> {
    return new SqliteReaderHarness(await mkdtemp(path.join(os.tmpdir(), 'playproof-reader-')));
  }

  acknowledge(records: readonly ({ play: Play } | { refusal: Refusal })[]): Promise<void> {
    return this.journal.append(records.map((record) => ('play' in record ? playEntry(record.play) : refusalEntry(record.refusal))));
  }

  async settle(): Promise<void> {
    while ((await this.#settlement.step(1_000)).taken > 0);
  }

  async dispose(): Promise<void> {
    this.reader.close();
    this.journal.close();
    await rm(this.directory, { recursive: true });
  }
}

archiveReaderContract('SQLite', () => SqliteReaderHarness.open());

describe('reading on SQLite', () => {
  let harness: SqliteReaderHarness;
  beforeEach(async () => {
    harness = await SqliteReaderHarness.open();
    await harness.acknowledge([...[1, 2, 3].map((n) => ({ play: playOf(n) })), { refusal: refusalOf(4) }]);
    await harness.settle();
  });
  afterEach(() => harness.dispose());

  const quarantine = { scope: SCOPE_ALL, code: null, deviceId: null, limit: 10, before: null };

  it('names the damaged record instead of leaving it out', async () => {
    const { db } = harness.journal;
    db.exec("UPDATE journal SET record = CAST(substr(record, 1, 300) || x'5a' || substr(record, 302) AS BLOB) WHERE seq = 2");
    db.exec("UPDATE quarantine SET record = x'00'");
    await expect(harness.reader.play(uuidOf(1, 2), SCOPE_ALL)).rejects.toThrow(DamagedRecord);
    await expect(harness.reader.feed(0, 10, SCOPE_ALL)).rejects.toThrow(/record 2 of the journal is damaged.*backup/);
    await expect(harness.reader.quarantine(quarantine)).rejects.toThrow(/item 1 of quarantine is damaged/);
    expect((await linesOf(harness.reader, 2, 10)).lines).toHaveLength(1);
    expect(await harness.reader.play(uuidOf(1, 1), SCOPE_ALL)).toMatchObject({ play: { logId: uuidOf(1, 1) } });
  });

  it('does not search a long tail for one log: it may be among them', async () => {
    harness.journal.db.exec("UPDATE positions SET seq = seq + 100000 WHERE name = 'end'");
    expect(await harness.reader.play(uuidOf(1, 99), SCOPE_ALL)).toBe('unsettled');
    expect(await harness.reader.play(uuidOf(1, 1), SCOPE_ALL)).toMatchObject({ play: { logId: uuidOf(1, 1) } });
  });

  it('answers through its thread, and tells a damaged record from an archive that is away', async () => {
    const faults: string[] = [];
    const reader = new ArchiveReader(
      path.join(harness.directory, DATABASE_FILE),
      (error) => faults.push(error.message),
      (fault) => faults.push(fault),
    );
    try {
      expect((await linesOf(reader, 0, 10)).lines.map(({ log_id }) => log_id)).toEqual([1, 2, 3].map((n) => uuidOf(1, n)));
      expect(await reader.quarantine(quarantine)).toHaveLength(1);
      harness.journal.db.exec("UPDATE journal SET record = x'00' WHERE seq = 1");
      await expect(reader.feed(0, 10, SCOPE_ALL)).rejects.toMatchObject({ name: 'Problem', code: 'internal' });
      expect(faults).toEqual([expect.stringContaining('record 1 of the journal is damaged')]);
      harness.journal.db.exec('ALTER TABLE quarantine RENAME TO gone');
      await expect(reader.quarantine(quarantine)).rejects.toMatchObject({ name: 'Problem', code: 'unavailable' });
      expect(faults).toHaveLength(2);
    } finally {
      await reader.close();
    }
  });
});
