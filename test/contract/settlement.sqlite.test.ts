import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqliteSettledLogs } from '../../src/archive/sqlite-archive.ts';
import { writeUuid } from '../../src/domain/uuid.ts';
import { recordHash, recordLogId } from '../../src/journal/record.ts';
import { SqliteJournal } from '../../src/journal/sqlite-journal.ts';
import { SqliteSettlement } from '../../src/settle/sqlite-settlement.ts';
import { playOf, uuidOf } from '../support/feed-file.ts';
import { playBytes, refusalOf } from '../support/plays.ts';
import { entryOf, type SettlementHarness, settleAll, settlementContract, type TestRecord } from './settlement.contract.ts';

const KEEP = 4;

class SqliteHarness implements SettlementHarness {
  readonly quarantinePerDevice = KEEP;
  readonly told: string[] = [];
  readonly directory: string;
  journal: SqliteJournal;
  #settlement: SqliteSettlement | null = null;

  constructor(directory: string) {
    this.directory = directory;
    this.journal = new SqliteJournal(directory);
  }

  static async open(): Promise<SqliteHarness> {
    return new SqliteHarness(await mkdtemp(path.join(os.tmpdir(), 'playproof-settle-')));
  }

  async append(records: readonly TestRecord[]): Promise<void> {
    // A process settles with one settlement from its start on: so that `damaged` is found by the next one, it is made now.
    this.settlement();
    await this.journal.append(records.map(entryOf));
  }

  settlement(): SqliteSettlement {
    this.#settlement ??= new SqliteSettlement(this.journal.db, {
      journalId: this.journal.journalId,
      end: () => this.journal.end,
      quarantinePerDevice: KEEP,
      onPoison: (position) => this.told.push(position),
      now: () => 0,
    });
    return this.#settlement;
  }

  async reopen(): Promise<void> {
    this.journal.close();
    this.#settlement = null;
    this.journal = new SqliteJournal(this.directory);
  }

  async feed(): Promise<string[]> {
    return this.#entries(
      "SELECT record FROM journal WHERE kind = 1 AND seq <= (SELECT seq FROM positions WHERE name = 'settle') ORDER BY seq",
    );
  }

  async archive(): Promise<string[]> {
    return this.#entries('SELECT record FROM owners JOIN journal USING (seq) ORDER BY owners.log_id');
  }

  #entries(sql: string): string[] {
    return this.journal.db
      .prepare(sql)
      .all()
      .map(({ record }) => `${recordLogId(record as Uint8Array)} ${recordHash(record as Uint8Array)}`);
  }

  async quarantine() {
    return this.journal.db
      .prepare('SELECT log_id, content_hash, code, count FROM quarantine ORDER BY id')
      .all()
      .map((row) => {
        const logId = Buffer.from(row['log_id'] as Uint8Array);
        const hex = logId.toString('hex');
        return {
          logId: /^0*$/.test(hex) ? null : hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
          hash: Buffer.from(row['content_hash'] as Uint8Array).toString('hex'),
          code: row['code'] as string,
          count: row['count'] as number,
        };
      });
  }

  async spoilPosition(how: 'absent' | 'other journal' | 'behind the end'): Promise<void> {
    const change = {
      absent: 'DELETE FROM positions',
      'other journal': "UPDATE positions SET journal_id = 'another'",
      'behind the end': 'UPDATE positions SET seq = 1000',
    }[how];
    this.journal.db.exec(`${change} WHERE name = 'settle'`);
  }

  async dispose(): Promise<void> {
    this.journal.close();
    await rm(this.directory, { recursive: true });
  }
}

settlementContract('SQLite', () => SqliteHarness.open());

function id(n: number): Uint8Array {
  const bytes = new Uint8Array(16);
  writeUuid(bytes, 0, uuidOf(1, n));
  return bytes;
}

describe('settling on SQLite', () => {
  let harness: SqliteHarness;
  beforeEach(async () => {
    harness = await SqliteHarness.open();
  });
  afterEach(() => harness.dispose());

  const records = [1, 2, 1].map((n): TestRecord => ({ play: playOf(n) }));

  it('does nothing by halves: a step that fails at any of its statements is as if it had not been', async () => {
    await harness.append([...records, { play: playOf(1, { contentHash: 'e'.repeat(64) }) }, { refusal: refusalOf(9) }]);
    const { db } = harness.journal;
    // Each trigger fails one statement of a step, as a full disk or an I/O error would.
    for (const [table, event] of [
      ['owners', 'INSERT'],
      ['journal', 'DELETE'],
      ['quarantine', 'INSERT'],
      ['positions', 'UPDATE'],
    ] as const) {
      db.exec(`CREATE TEMP TRIGGER fault BEFORE ${event} ON ${table} BEGIN SELECT RAISE(FAIL, 'injected'); END`);
      await expect(harness.settlement().step(100), table).rejects.toThrow('injected');
      db.exec('DROP TRIGGER fault');
      expect(db.isTransaction).toBe(false);
      expect([await harness.feed(), await harness.archive(), await harness.quarantine()]).toEqual([[], [], []]);
    }
    expect(await settleAll(harness)).toEqual({ taken: 5, owners: 2, duplicates: 1, conflicts: 1, quarantined: 2 });
  });

  it('does not settle over rows that are gone: the file is damaged then, and that is said as SQLite says it', async () => {
    await harness.append(records);
    harness.journal.db.exec('DELETE FROM journal WHERE seq = 2');
    await expect(harness.settlement().step(100)).rejects.toMatchObject({ errcode: 11, message: expect.stringContaining('missing') });
    expect(await harness.feed()).toEqual([]);
  });

  it('does not settle a repeat whose owner is gone', async () => {
    await harness.append(records.slice(0, 1));
    await settleAll(harness);
    await harness.append(records.slice(0, 1));
    harness.journal.db.exec('DELETE FROM journal WHERE seq = 1');
    await expect(harness.settlement().step(100)).rejects.toMatchObject({ errcode: 11 });
  });

  it('sets rows aside that are of no kind, too short, or under the log_id of another', async () => {
    await harness.append(records.slice(0, 2));
    const { db } = harness.journal;
    const insert = db.prepare('INSERT INTO journal (seq, kind, log_id, record) VALUES (?, ?, ?, ?)');
    insert.run(3, 7, id(77), playBytes(playOf(3)));
    insert.run(4, 1, id(77), new Uint8Array(3));
    insert.run(5, 1, id(77), playBytes(playOf(5)));
    insert.run(6, 2, id(77), playBytes(playOf(6)));
    db.exec("UPDATE positions SET seq = 6 WHERE name = 'end'");
    await harness.reopen();
    expect(await settleAll(harness)).toEqual({ taken: 6, owners: 2, duplicates: 0, conflicts: 0, quarantined: 4 });
    expect(harness.told).toHaveLength(4);
    expect(await harness.feed()).toHaveLength(2);
    expect((await harness.quarantine()).map(({ code }) => code)).toEqual(Array(4).fill('malformed'));
  });

  it('tells accept what was settled, and does not say "never seen" of what it cannot know', async () => {
    const started = playOf(0).receivedAt;
    const archive = new SqliteSettledLogs(harness.journal.db, () => started + 1_000_000);
    await harness.append([{ play: playOf(1, { status: 'PARTIAL', billable: false }) }]);
    await expect(archive.find(id(1))).rejects.toThrow('wait to be settled');
    await expect(archive.find(id(2))).rejects.toThrow('wait to be settled');
    await settleAll(harness);
    expect(await archive.find(id(1))).toEqual({
      contentHash: Buffer.from(playOf(1).contentHash, 'hex'),
      flags: 1,
      receivedAt: playOf(1).receivedAt,
    });
    expect(await archive.find(id(2))).toBeNull();
    // Received since: the window of seen logs knows it.
    await harness.append([{ play: playOf(3, { receivedAt: started + 1_000_000 }) }]);
    expect(await archive.find(id(2))).toBeNull();
  });
});
