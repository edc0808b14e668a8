/** I1 and I3 by `playproof audit`: clean after a real run, and one planted fault of each kind is found and named. */
import { cpSync, rmSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEngine } from '../../src/analytics/embedded/engine.ts';
import { LOADED_NAMES } from '../../src/analytics/schema.ts';
import { PLAY_ROW_COLUMNS } from '../../src/domain/play-row.ts';
import { HASH_AT, RECORD_REFUSAL } from '../../src/journal/record.ts';
import { auditOf, found } from '../support/audit.ts';
import { call, send, sendBatch } from '../support/http.ts';
import { Load } from '../support/load.ts';
import { waitComplete } from '../support/oracle.ts';
import { importWorld, makeWorld, play, type World } from '../support/registry.ts';
import { ADMIN_TOKEN, makeDataDir, removeDataDir, Service } from '../support/service.ts';
import { type SignedLog, tamper } from '../support/signing.ts';
import { playproof } from '../unit/cli/run-cli.ts';

const dataDir = makeDataDir();
const copies: string[] = [];
let world: World;
/** In the order of the feed. */
let logs: { readonly logId: string; readonly seq: number }[];
let end: number;

beforeAll(async () => {
  world = makeWorld(4);
  let service = await Service.start({ dataDir });
  await importWorld(service, world);
  const made = Array.from({ length: 60 }, (_, i) => makePlay(i));
  const body = `[${made.map((log) => log.body).join(',')}]`;
  expect((await sendBatch(service, body)).json).toMatchObject({ accepted: 60 });
  expect((await send(service, play(world, { endedAt: Date.now() - 90_000_000 }).body)).json.code).toBe('too_old');
  expect((await send(service, tamper(play(world), { duration_actual: 3 }).body)).json.code).toBe('invalid_signature');
  await waitComplete(service);
  await service.stop();
  // A repeat after a restart is journalled, lost at settling, and leaves a gap between the first plays and the last.
  service = await Service.start({ dataDir });
  expect((await sendBatch(service, body)).status).toBe(202);
  expect((await sendBatch(service, `[${[60, 61, 62].map((i) => makePlay(i).body).join(',')}]`)).json).toMatchObject({ accepted: 3 });
  await waitComplete(service);
  expect(await auditOf(dataDir, 'all', service)).toMatchObject({
    clean: true,
    counts: { plays: 63, owners: 63, analytics_rows: 63, proven: 63, quarantine: 2, waiting: 0 },
    findings: [],
  });
  const live = await playproof(['audit', '--url', service.url, '--token', ADMIN_TOKEN], { env: settings(dataDir) });
  expect([live.code, live.stdout]).toEqual([0, expect.stringContaining('beside the running service')]);
  await service.stop();
  logs = inDatabase(dataDir, (db) => db.prepare('SELECT lower(hex(log_id)) AS hex, seq FROM journal ORDER BY seq').all()).map((row) => ({
    logId: String(row.hex).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    seq: row.seq as number,
  }));
  end = inDatabase(dataDir, (db) => db.prepare("SELECT seq FROM positions WHERE name = 'end'").get())?.seq as number;
  expect(end).toBeGreaterThan(100);
}, 240_000);

afterAll(() => {
  for (const directory of [dataDir, ...copies]) removeDataDir(directory);
});

function makePlay(i: number): SignedLog {
  const fields = i % 3 === 0 ? { duration_actual: 9, location: world.stores[i % 2]?.location } : {};
  return play(world, { device: i % 2 === 0 ? 0 : 3, campaign: (i % 2) as 0 | 1, endedAt: Date.now() - 60_000 * i - 5_000 }, fields);
}

function settings(directory: string): Record<string, string> {
  return { PLAYPROOF_DATA_DIR: path.join(directory, 'data') };
}

function inDatabase<T>(directory: string, work: (db: DatabaseSync) => T, file = 'playproof.db'): T {
  const db = new DatabaseSync(path.join(directory, 'data', file));
  try {
    return work(db);
  } finally {
    db.close();
  }
}

/** A copy of the clean installation in which something was done. */
function planted(sql?: string, ...values: (string | number | Uint8Array)[]): string {
  const directory = makeDataDir();
  copies.push(directory);
  cpSync(dataDir, directory, { recursive: true });
  if (sql !== undefined) inDatabase(directory, (db) => db.prepare(sql).run(...values));
  return directory;
}

const at = (n: number): { readonly logId: string; readonly seq: number } => logs[n] as (typeof logs)[number];

/** Changes bytes of a stored record. */
function change(directory: string, table: 'journal' | 'quarantine', number: number, how: (record: Buffer) => void): void {
  inDatabase(directory, (db) => {
    const row = db.prepare(`SELECT rowid, record FROM ${table} WHERE rowid = ?`).get(number) as { record: Uint8Array };
    const bytes = Buffer.from(row.record);
    how(bytes);
    db.prepare(`UPDATE ${table} SET record = ? WHERE rowid = ?`).run(bytes, number);
  });
}

/** Makes the checksum fit again, as somebody would who knows the form. */
function forge(directory: string, seq: number, how: (record: Buffer) => void): void {
  change(directory, 'journal', seq, (record) => {
    how(record);
    record.writeUInt32LE(crc32(record.subarray(4)), 0);
  });
}

function flip(record: Buffer, place: number): void {
  record[place] = (record[place] as number) ^ 1;
}

test('I1, I3: a stopped installation that is whole is clean, and the service starts after it as before', async () => {
  const { code, stdout } = await playproof(['audit', '--json', '--signatures', 'all'], { env: settings(dataDir) });
  expect(JSON.parse(stdout)).toMatchObject({
    mode: 'offline',
    clean: true,
    positions: { end, settle: end },
    counts: { plays: 63, owners: 63, analytics_rows: 63, proven: 63, quarantine: 2, waiting: 0 },
    found: {},
    findings: [],
  });
  expect(code).toBe(0);
  const service = await Service.start({ dataDir });
  expect((await service.stop()).code).toBe(0);
  expect(await auditOf(dataDir, 10)).toMatchObject({ clean: true });
});

test('a sample is about as large as it was asked for; none is none', async () => {
  const { counts } = await auditOf(dataDir, 10);
  expect(counts.proven).toBeGreaterThan(0);
  expect(counts.proven).toBeLessThanOrEqual(10);
  expect((await auditOf(dataDir, 'none')).counts.proven).toBe(0);
});

describe('a planted fault in the journal or archive is found', () => {
  const cases: readonly (readonly [what: string, plant: () => string, expected: () => string[]])[] = [
    [
      'an owner is missing',
      () => planted('DELETE FROM owners WHERE seq = ?', at(5).seq),
      () => [`owner_missing ${at(5).logId} ${at(5).seq}`],
    ],
    [
      'a record is gone',
      () => planted('DELETE FROM journal WHERE seq = ?', at(7).seq),
      () => [`analytics_extra ${at(7).logId} ${at(7).seq}`, `record_missing ${at(7).logId} ${at(7).seq}`],
    ],
    [
      'a record and its owner are gone',
      () => {
        const directory = planted('DELETE FROM journal WHERE seq = ?', at(7).seq);
        inDatabase(directory, (db) => db.prepare('DELETE FROM owners WHERE seq = ?').run(at(7).seq));
        return directory;
      },
      () => [`analytics_extra ${at(7).logId} ${at(7).seq}`],
    ],
    [
      'a byte of a record is flipped',
      () => {
        const directory = planted();
        change(directory, 'journal', at(9).seq, (record) => flip(record, 200));
        return directory;
      },
      () => [`record_damaged ${at(9).logId} ${at(9).seq}`],
    ],
    [
      'an owner points at another log',
      () => planted('UPDATE owners SET seq = ? WHERE seq = ?', at(12).seq, at(11).seq),
      () => [`owner_differs ${at(11).logId} ${at(12).seq}`, `record_doubled ${at(11).logId} ${at(11).seq}`],
    ],
    [
      'a log_id stands in the feed twice',
      () =>
        planted(
          'INSERT INTO journal (seq, kind, log_id, record) SELECT ?, kind, log_id, record FROM journal WHERE seq = ?',
          at(62).seq - 3,
          at(13).seq,
        ),
      () => [`record_doubled ${at(13).logId} ${at(62).seq - 3}`],
    ],
    [
      'a refusal stands among the settled records',
      () =>
        planted(
          'INSERT INTO journal (seq, kind, log_id, record) SELECT ?, ?, log_id, record FROM quarantine WHERE id = 1',
          at(62).seq - 3,
          RECORD_REFUSAL,
        ),
      () => [`refusal_in_feed ${at(62).seq - 3}`],
    ],
    [
      'the read position was moved back',
      () => planted("UPDATE positions SET seq = ? WHERE name = 'settle'", at(61).seq),
      () => [`position_wrong ${at(62).logId} ${at(62).seq}`, `position_wrong ${at(62).seq}`],
    ],
    [
      'the read position lies outside the journal',
      () => planted("UPDATE positions SET seq = seq + 5 WHERE name = 'settle'"),
      () => [`position_wrong ${end + 5}`],
    ],
    [
      'acknowledged records that wait are gone',
      () => planted("UPDATE positions SET seq = seq + 2 WHERE name = 'end'"),
      () => [`journal_gap ${end + 1}`],
    ],
    [
      'the journal ends before the mark',
      () => {
        const directory = planted('DELETE FROM journal WHERE seq = ?', at(62).seq);
        inDatabase(directory, (db) => {
          db.prepare('DELETE FROM owners WHERE seq = ?').run(at(62).seq);
          db.prepare('UPDATE positions SET seq = ?').run(at(61).seq);
        });
        return directory;
      },
      () => [`analytics_extra ${at(62).logId} ${at(62).seq}`, `position_wrong ${at(61).seq}`, `position_wrong ${at(62).seq}`],
    ],
    [
      'a refusal in quarantine is damaged',
      () => {
        const directory = planted();
        change(directory, 'quarantine', 1, (record) => flip(record, 100));
        return directory;
      },
      () => [expect.stringMatching(/^quarantine_damaged \S{36} 1$/) as string],
    ],
  ];

  test.each(cases)('%s', async (_what, plant, expected) => {
    const result = await auditOf(plant());
    expect(found(result)).toEqual(expected().sort());
    expect(result.clean).toBe(false);
  });
});

describe('what somebody forged, checksum included, is found', () => {
  test('the signed bytes, the hash, the verdict, the signature', async () => {
    const directory = planted();
    forge(directory, at(20).seq, (record) =>
      record.write('9', record.indexOf('"duration_actual":', record.length - 256 - record.readUInt32LE(12)) + 18),
    );
    forge(directory, at(23).seq, (record) => flip(record, HASH_AT));
    // The last fixed bytes of the row: status, reported_status, billable, content_known, clock_checked.
    forge(directory, at(30).seq, (record) => {
      const status = 80 + 7 * 16 + 32 + 4 * 8 + 10;
      expect([...record.subarray(status, status + 3)]).toEqual([1, 0, 0]);
      record[status] = 0;
      record[status + 2] = 1;
    });
    forge(directory, at(40).seq, (record) => flip(record, record.length - 9));
    const result = await auditOf(directory);
    expect(found(result)).toEqual(
      [
        `signature_invalid ${at(20).logId} ${at(20).seq}`,
        `record_damaged ${at(23).logId} ${at(23).seq}`,
        `verdict_differs ${at(30).logId} ${at(30).seq}`,
        `verdict_differs ${at(30).logId} ${at(30).seq}`,
        `analytics_differs ${at(30).logId} ${at(30).seq}`,
        `signature_invalid ${at(40).logId} ${at(40).seq}`,
      ].sort(),
    );
    expect(result.counts.proven).toBe(59);
  });

  test('a key that the registry does not have', async () => {
    const directory = planted();
    const { deviceId } = world.devices[3] as World['devices'][number];
    inDatabase(directory, (db) => db.prepare('DELETE FROM keys WHERE device_id = ?').run(deviceId), 'registry.db');
    const { found: kinds } = await auditOf(directory);
    expect(kinds).toEqual({ signature_invalid: 31 });
  });
});

test('planted faults in analytics are found, and a copy that does not count is none', async () => {
  const directory = planted();
  const engine = await openEngine(path.join(directory, 'data', 'analytics'));
  const client = engine.connect();
  const insertFrom = (n: number, changes: string): string =>
    `INSERT INTO playproof.plays (${LOADED_NAMES}) SELECT * REPLACE (${changes}) FROM (SELECT * FROM playproof.plays WHERE feed_offset = ${at(n).seq})`;
  for (const query of [
    `ALTER TABLE playproof.plays DELETE WHERE log_id = '${at(2).logId}' SETTINGS mutations_sync = 2`,
    // So that every copy is still there when it is looked for.
    'SYSTEM STOP MERGES playproof.plays',
    // Another position for the same play: it counts once all the same.
    insertFrom(3, `toUInt64(${end + 1000}) AS feed_offset`),
    insertFrom(4, `toUInt64(${at(50).seq}) AS feed_offset`),
    // The same place loaded twice, as after a crash.
    insertFrom(5, `feed_offset AS feed_offset`),
    // Another verdict over the first.
    insertFrom(6, `CAST('ERROR', 'Enum8(\\'COMPLETED\\' = 0, \\'PARTIAL\\' = 1, \\'SKIPPED\\' = 2, \\'ERROR\\' = 3)') AS status`),
    insertFrom(7, `NOT billable AS billable`),
    // Another instant makes another play of it: it counts twice.
    insertFrom(8, `ended_at + 1 AS ended_at`),
    // A play that nobody sent.
    insertFrom(9, `toUUID('018f3f3e-8a2b-7c3d-9e4f-5a6b7c8d9e0f') AS log_id, toUInt64(${end + 7}) AS feed_offset`),
  ]) {
    await client.command({ query });
  }
  const stored = await client.query({ query: 'SELECT toUInt32(count()) AS n FROM playproof.plays', format: 'JSONEachRow' });
  // Each statement did what it says.
  expect(await stored.json()).toEqual([{ n: 63 - 1 + 7 }]);
  await client.close();
  engine.close();
  const result = await auditOf(directory, 'none');
  expect(found(result)).toEqual(
    [
      `analytics_missing ${at(2).logId} ${at(2).seq}`,
      `analytics_differs ${at(6).logId} ${at(6).seq}`,
      `analytics_differs ${at(7).logId} ${at(7).seq}`,
      `analytics_doubled ${at(8).logId} ${at(8).seq}`,
      `analytics_differs ${at(8).logId} ${at(8).seq}`,
      `analytics_extra 018f3f3e-8a2b-7c3d-9e4f-5a6b7c8d9e0f ${end + 7}`,
    ].sort(),
  );
  const { code, stdout } = await playproof(['audit'], { env: settings(directory) });
  expect(code).toBe(1);
  expect(stdout).toContain(`FAULT  analytics_missing, log ${at(2).logId}, position ${at(2).seq}: `);
  expect(stdout).toMatch(/NOT clean/);
});

test('every column of a play in analytics is compared', async () => {
  const directory = planted();
  // With another instant it is another play of another month, perhaps: planted above.
  const columns = PLAY_ROW_COLUMNS.filter(([name]) => name !== 'log_id' && name !== 'ended_at');
  const engine = await openEngine(path.join(directory, 'data', 'analytics'));
  const client = engine.connect();
  await client.command({ query: 'SYSTEM STOP MERGES playproof.plays' });
  for (const [n, [name, type]] of columns.entries()) {
    const changed = `CAST(${otherThan(name, type)}, '${type.replaceAll("'", "\\'")}') AS ${name}`;
    await client.command({
      query: `INSERT INTO playproof.plays (${LOADED_NAMES}) SELECT * REPLACE (${changed}) FROM (SELECT * FROM playproof.plays WHERE feed_offset = ${at(n).seq})`,
    });
  }
  await client.close();
  engine.close();
  const result = await auditOf(directory, 'none');
  expect(columns.length).toBe(19);
  expect(found(result)).toEqual(columns.map((_, n) => `analytics_differs ${at(n).logId} ${at(n).seq}`).sort());
});

/** Another value of the column's type, in SQL. */
function otherThan(name: string, type: string): string {
  if (type === 'UUID') return `generateUUIDv4()`;
  if (type === 'FixedString(32)') return `repeat('x', 32)`;
  if (type === 'Bool') return `NOT ${name}`;
  if (type === 'String') return `concat(${name}, 'x')`;
  if (type === 'Float64') return `if(isNaN(${name}), 1, ${name} + 1)`;
  if (type.startsWith('Enum8')) return `if(${name} = 'ERROR', 'SKIPPED', 'ERROR')`;
  return `${name} + 1`;
}

test('analytics that was never loaded is behind, not at fault', async () => {
  const directory = planted();
  rmSync(path.join(directory, 'data', 'analytics'), { recursive: true });
  expect(await auditOf(directory)).toMatchObject({ clean: true, positions: { settle: end, loaded: 0 }, counts: { analytics_rows: 0 } });
});

describe('beside a running service', () => {
  test('while logs come in, are settled and loaded, nothing is mistaken for a fault', async () => {
    const directory = planted();
    const service = await Service.start({ dataDir: directory, env: { PLAYPROOF_QUARANTINE_PER_DEVICE: '5' } });
    try {
      const load = new Load(world, 17);
      load.start(4, () => service.url);
      for (let i = 0; i < 4; i += 1) expect(await auditOf(directory, 'all', service)).toMatchObject({ clean: true, findings: [] });
      await load.stop();
      await load.drain(service.url);
      await waitComplete(service);
      const { clean, counts, positions } = await auditOf(directory, 'all', service);
      expect([clean, counts.waiting, positions?.settle]).toEqual([true, 0, positions?.end]);
      expect(counts.plays).toBeGreaterThan(100);
      expect(counts).toMatchObject({ owners: counts.plays, analytics_rows: counts.plays, proven: counts.plays });
    } finally {
      await service.stop();
    }
  });

  test('faults are found over HTTP as well; without access a sentence says what to give', async () => {
    const directory = planted('DELETE FROM owners WHERE seq = ?', at(5).seq);
    const service = await Service.start({ dataDir: directory });
    try {
      const [good, noToken, wrongToken, nobody] = await Promise.all([
        auditOf(directory, 'all', service),
        playproof(['audit'], { env: settings(directory) }),
        playproof(['audit', '--url', service.url, '--token', 'x'.repeat(40)], { env: settings(directory) }),
        playproof(['audit', '--url', 'http://127.0.0.1:1', '--token', ADMIN_TOKEN], { env: settings(directory) }),
      ]);
      expect(found(good)).toEqual([`owner_missing ${at(5).logId} ${at(5).seq}`]);
      expect([noToken.code, noToken.stdout, noToken.stderr]).toEqual([
        3,
        '',
        expect.stringMatching(/^playproof: .*--token or PLAYPROOF_ADMIN_TOKEN/),
      ]);
      expect([wrongToken.code, wrongToken.stdout, wrongToken.stderr]).toEqual([
        3,
        '',
        expect.stringMatching(/^playproof: .*does not take the token/),
      ]);
      expect([nobody.code, nobody.stdout, nobody.stderr]).toEqual([3, '', expect.stringMatching(/^playproof: .*nothing answers at/)]);
      const operator = await service.command('token', 'create', '--role', 'operator');
      expect((await call(service, '/api/v1/audit/rows', { token: operator })).status).toBe(403);
      expect((await call(service, '/api/v1/audit/rows?until=5')).status).toBe(400);
      expect((await call(service, `/api/v1/audit/rows?from=1&log_id=${at(0).logId}`)).status).toBe(400);
    } finally {
      await service.stop();
    }
  });
});

describe('the command', () => {
  test('a directory without an installation, a sample that is none: a sentence each', async () => {
    const empty = makeDataDir();
    copies.push(empty);
    expect(await playproof(['audit'], { env: settings(empty) })).toMatchObject({
      code: 3,
      stdout: '',
      stderr: expect.stringMatching(/^playproof: there is no .*playproof\.db to audit/) as string,
    });
    const misread = await playproof(['audit'], { env: { ...settings(dataDir), PLAYPROOF_HTTP_PORT: 'x' } });
    expect([misread.code, misread.stderr]).toEqual([3, expect.stringContaining('PLAYPROOF_HTTP_PORT')]);
    expect((await playproof(['audit', '--url', 'x'], { env: settings(empty) })).code).toBe(2);
    expect((await playproof(['audit', '--signatures', 'some'], { env: settings(empty) })).code).toBe(2);
  });

  test('pages that SQLite cannot read: a sentence', async () => {
    const directory = planted();
    const { truncateSync } = await import('node:fs');
    truncateSync(path.join(directory, 'data', 'playproof.db'), 20_000);
    const { code, stderr } = await playproof(['audit'], { env: settings(directory) });
    expect([code, stderr]).toEqual([3, expect.stringMatching(/playproof: SQLite itself cannot read/)]);
  });
});
