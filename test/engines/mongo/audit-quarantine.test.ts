/** The audit reads all of a quarantine that takes several pages, whatever the codes in it are called. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openMongoArchive } from '../../../src/archive/mongo-archive.ts';
import { checkKept } from '../../../src/audit/engines/check-kept.ts';
import { MongoCopies } from '../../../src/audit/engines/mongo-copies.ts';
import { Findings } from '../../../src/audit/findings.ts';
import { Progress } from '../../../src/audit/progress.ts';
import { LOG_CODES } from '../../../src/domain/codes.ts';
import { refusalOf } from '../../support/plays.ts';
import { databaseUrl, type Server, startServer, withDatabase } from './support.ts';

const REFUSALS = 1_300;

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

test('each refusal is looked at once, and a damaged one is found wherever it stands', async () => {
  const url = databaseUrl(server);
  const archive = await openMongoArchive(url);
  const copies = new MongoCopies(url);
  try {
    const kept = Array.from({ length: REFUSALS }, (_, n) => ({
      refusal: refusalOf(n, { code: LOG_CODES[n % LOG_CODES.length] ?? 'too_old' }),
      position: `j/0/${n}`,
    }));
    await archive.quarantine(kept);
    await withDatabase(url, async (db) => {
      for (const seq of [1, REFUSALS / 2, REFUSALS]) {
        const changed = await db.collection('quarantine').updateOne({ seq }, { $set: { code: 'another' } });
        expect(changed.modifiedCount).toBe(1);
      }
    });
    const findings = new Findings();
    expect(await checkKept(copies, findings, new Progress({ write: () => {} }))).toBe(REFUSALS);
    expect(findings.listed.map(({ kind, position }) => [kind, position])).toEqual([
      ['quarantine_damaged', 1],
      ['quarantine_damaged', REFUSALS / 2],
      ['quarantine_damaged', REFUSALS],
    ]);
  } finally {
    await copies.close();
    await archive.close();
  }
});
