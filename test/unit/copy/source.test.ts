import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assertOwn } from '../../../src/copy/kafka-copy-log.ts';
import { CopyImpossible, SourceDamaged } from '../../../src/copy/ports.ts';
import { Progress } from '../../../src/copy/progress.ts';
import { settleRest, sourceFiles } from '../../../src/copy/sqlite-prepare.ts';
import { SqliteSource } from '../../../src/copy/sqlite-source.ts';
import { SqliteJournal } from '../../../src/journal/sqlite-journal.ts';
import { openForWriting as openJournal } from '../../../src/journal/sqlite-schema.ts';
import { openForWriting as openRegistry } from '../../../src/registry/database.ts';
import { PositionLost } from '../../../src/settle/settlement.ts';
import { playOf, uuidOf } from '../../support/feed-file.ts';
import { damaged, playEntry, refusalEntry } from '../../support/journal-entries.ts';
import { refusalOf } from '../../support/plays.ts';

const QUIET = { write: () => {} };

let dir: string;
const sources: SqliteSource[] = [];
beforeEach(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'playproof-source-'));
  openRegistry(path.join(dir, 'registry.db')).close();
  const journal = new SqliteJournal(dir);
  // A repeat, another content under an id, a refusal twice: they leave the journal, and leave gaps.
  const other = playEntry(playOf(2, { contentHash: 'f'.repeat(64) }));
  const refusal = refusalEntry(refusalOf(9));
  await journal.append([playEntry(playOf(1)), playEntry(playOf(1)), refusal, playEntry(playOf(2)), other, refusal, playEntry(playOf(3))]);
  journal.close();
});
afterEach(() => {
  for (const source of sources.splice(0)) source.close();
  rmSync(dir, { recursive: true, force: true });
});

function change(sql: string): void {
  const db = openJournal(path.join(dir, 'playproof.db'));
  db.exec(sql);
  db.close();
}

async function settled(): Promise<SqliteSource> {
  const progress = new Progress(QUIET);
  await settleRest(dir, 100, progress);
  progress.end();
  return opened();
}

function opened(): SqliteSource {
  const { journal, registry } = sourceFiles(dir);
  const source = new SqliteSource(journal, registry);
  sources.push(source);
  return source;
}

describe('an embedded installation as a copy reads it', () => {
  it('is settled first; its plays come in order, with gaps, and quarantine with its counts', async () => {
    expect(opened().counts()).toMatchObject({ plays: 0, waiting: 7 });
    const source = await settled();
    source.assertWhole();
    expect(source.counts()).toMatchObject({ plays: 3, waiting: 0, quarantine: 2, tokens: 0 });
    expect(source.plays(1, 10).map(({ seq }) => seq)).toEqual([1, 4, 7]);
    expect(source.plays(2, 1).map(({ seq }) => seq)).toEqual([4]);
    expect(source.playsFrom(5)).toBe(1);
    const rows = source.quarantine(0, 10).map(({ count, refusal }) => `${refusal.logId} ${refusal.code} ${count}`);
    expect(rows.sort()).toEqual([`${uuidOf(1, 2)} log_id_conflict 1`, `${uuidOf(1, 9)} too_old 2`]);
    expect(source.quarantine(2, 10)).toEqual([]);
  });

  it.each([
    ['a play that does not own its log', 'UPDATE owners SET seq = 7 WHERE seq = 4', /record 4 of the feed does not own its log/],
    ['a play without an owner', 'DELETE FROM owners WHERE seq = 4', /record 4 of the feed does not own its log/],
    [
      'a row under the id of another',
      'UPDATE journal SET log_id = zeroblob(16) WHERE seq = 4',
      /record 4 of the feed does not own its log/,
    ],
  ])('%s is refused', async (_what, sql, told) => {
    (await settled()).close();
    sources.pop();
    change(sql);
    expect(() => opened().plays(1, 10)).toThrow(SourceDamaged);
    expect(() => opened().plays(1, 10)).toThrow(told);
  });

  it('a play that is missing is noticed by the count', async () => {
    (await settled()).close();
    sources.pop();
    change('DELETE FROM journal WHERE seq = 4');
    expect(() => opened().assertWhole()).toThrow(/the feed has 2 plays and the archive 3.*audit/);
  });

  it('an item of quarantine that cannot be read is refused by its number', async () => {
    (await settled()).close();
    sources.pop();
    change("UPDATE quarantine SET record = x'00' WHERE id = 2");
    expect(() => opened().quarantine(0, 10)).toThrow(/item 2 of quarantine is damaged/);
  });

  it('a damaged record that waits goes to quarantine, as the service would do', async () => {
    const journal = new SqliteJournal(dir);
    await journal.append([damaged(playEntry(playOf(4)))]);
    journal.close();
    const source = await settled();
    source.assertWhole();
    expect(source.counts()).toMatchObject({ plays: 3, quarantine: 3 });
  });
});

describe('what is not copied', () => {
  it('a directory without an installation, with half of one, of an edge box', () => {
    expect(() => sourceFiles(path.join(dir, 'none'))).toThrow(/there is no .*playproof\.db to copy/);
    change("INSERT INTO positions SELECT 'edge', journal_id, 1 FROM positions LIMIT 1");
    expect(() => sourceFiles(dir)).toThrow(CopyImpossible);
    expect(() => sourceFiles(dir)).toThrow(/belongs to the profile edge/);
    rmSync(path.join(dir, 'registry.db'));
    expect(() => sourceFiles(dir)).toThrow(/registry\.db is gone/);
  });

  it('a directory that is older than what was copied, or went on by itself', async () => {
    const source = await settled();
    assertOwn({ next: 1, lastRecord: null }, source);
    expect(() => assertOwn({ next: 9, lastRecord: 'a'.repeat(64) }, source)).toThrow(
      /was copied up to 8, .* ends at 7: it is an older copy/,
    );
    for (const next of [5, 4]) {
      expect(() => assertOwn({ next, lastRecord: 'a'.repeat(64) }, source)).toThrow(PositionLost);
      expect(() => assertOwn({ next, lastRecord: 'a'.repeat(64) }, source)).toThrow(/another record or none/);
    }
  });
});
