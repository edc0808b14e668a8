/**
 * Moving up: an embedded installation copied to the real engines, killed again and again on the way. Afterwards everything is there
 * as it was: the feed as Java's consumer of committed records reads it, evidence, quarantine, registry, tokens, reports.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Document, MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openMongoArchive } from '../../src/archive/mongo-archive.ts';
import { SqliteJournal } from '../../src/journal/sqlite-journal.ts';
import { openForReading, openForWriting as openRegistry } from '../../src/registry/database.ts';
import { FactReader } from '../../src/registry/facts.ts';
import { deviceFacts, tableOf } from '../../src/registry/mongo-documents.ts';
import { playOf, uuidOf } from '../support/feed-file.ts';
import { call, type Call, type Reply } from '../support/http.ts';
import { playEntry, refusalEntry } from '../support/journal-entries.ts';
import { Load, randomFrom } from '../support/load.ts';
import { readPages, waitComplete as waitEmbedded } from '../support/oracle.ts';
import { refusalOf } from '../support/plays.ts';
import { importWorld, makeWorld, type World } from '../support/registry.ts';
import { makeDataDir, removeDataDir, Service } from '../support/service.ts';
import { makeKey } from '../support/signing.ts';
import { claimOf, hashOf } from '../contract/archive-writer.contract.ts';
import { LAUNCHER } from '../unit/cli/run-cli.ts';
import { Installation } from './support/installation.ts';
import { waitComplete } from './support/oracle.ts';
import { javaConsume } from './support/witness.ts';

type Fields = Record<string, unknown>;

const SEED = 20_260_922;
const random = randomFrom(SEED);
const SENT = 1_500;
const WAITING = 9_000;
const LONG_MS = 600_000;
const KILLS = 8;
/** Steps of settling the rest, and two of copying. */
const THROUGH_SETTLING = WAITING / 1_000 + 3;
const KEEP_ALL = { PLAYPROOF_QUARANTINE_PER_DEVICE: '100000' };

const directories: string[] = [];
function directory(): string {
  const made = makeDataDir();
  directories.push(made);
  return made;
}

/** Where no `.env` is. */
const elsewhere = directory();

let installation: Installation;
beforeAll(async () => {
  installation = await Installation.start();
}, LONG_MS);
afterAll(async () => {
  await installation?.dispose();
  for (const made of directories) removeDataDir(made);
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface CopyRun {
  readonly pid: number;
  readonly ended: Promise<Ended>;
}

function spawnCopy(from: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): CopyRun {
  return spawnPlayproof(['copy', '--from', from, ...args], env);
}

/** With the settings of the new installation. */
function spawnPlayproof(args: readonly string[], env: Readonly<Record<string, string>> = {}): CopyRun {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PLAYPROOF_')));
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    cwd: elsewhere,
    env: { ...inherited, ...installation.environment('copy', 'accept'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return { pid: child.pid as number, ended: once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr })) };
}

/** Some time after it began to write. */
async function killSoon(data: string, { pid, ended }: CopyRun): Promise<void> {
  const ms = random() * 1_000;
  const over = new AbortController();
  void ended.then(() => over.abort());
  while (!existsSync(path.join(data, 'moved.json')) && !over.signal.aborted) await sleep(5);
  await sleep(ms);
  if (!over.signal.aborted) process.kill(pid, 'SIGKILL');
}

function copy(from: string, ...args: string[]): Promise<Ended> {
  return spawnCopy(from, args).ended;
}

/** Everything in MongoDB but what is counted on at each use. */
async function everything(): Promise<Record<string, Document[]>> {
  const client = new MongoClient(installation.mongo.url);
  try {
    const db = client.db('playproof');
    const names = (await db.listCollections().toArray()).map(({ name }) => name).filter((name) => name !== 'counters');
    const dumped = await Promise.all(names.sort().map(async (name) => [name, await db.collection(name).find().sort({ _id: 1 }).toArray()]));
    return Object.fromEntries(dumped) as Record<string, Document[]>;
  } finally {
    await client.close();
  }
}

interface Published {
  readonly partition: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly key: string | null;
  readonly value: Fields;
}

/** The journal's records as Java's consumer sees them. It looks again, and longer, where it saw fewer than there should be. */
async function feedOf(journalId: string, least: number): Promise<Published[]> {
  for (const idleMs of [6_000, 20_000, 60_000]) {
    const records = await javaConsume('playback-logs', { bootstrap: installation.kafka.bootstrap, readCommitted: true, idleMs });
    const own = records.filter(({ headers }) => headers.get('journal_position')?.startsWith(journalId));
    if (own.length < least && idleMs < 60_000) continue;
    return own.map(({ partition, headers, key, value }) => ({ partition, headers, key, value: JSON.parse(value ?? 'null') as Fields }));
  }
  return [];
}

async function embeddedFeed(service: Service): Promise<Fields[]> {
  const lines: Fields[] = [];
  for (let after = ''; ; ) {
    const { text } = await call(service, `/api/v1/feed?limit=1000${after}`);
    if (text === '') return lines;
    lines.push(
      ...text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Fields),
    );
    after = `&after=${String(lines.at(-1)?.['position'])}`;
  }
}

const PATIENCE_MS = 60_000;
const READY_MS = 240_000;

/** Repeats a question that fails: an engine beside busy neighbours may say for a moment that it is away. */
async function eventually<T>(ask: () => Promise<T>): Promise<T> {
  for (const until = performance.now() + PATIENCE_MS; ; ) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() > until) throw error;
      await sleep(200);
    }
  }
}

/** The answer, once it is not that an engine is away. */
function answered(service: Service, address: string, options: Call = {}): Promise<Reply> {
  return eventually(async () => {
    const reply = await call(service, address, options);
    if (reply.status === 503) throw new Error(`${address} is answered 503: ${reply.text}`);
    return reply;
  });
}

/** Histories of every kind, retired entries, keys that were revoked and compromised, tokens. */
async function liveALittle(service: Service, world: World): Promise<void> {
  const put = async (address: string, body: unknown): Promise<void> => {
    const { status, text } = await call(service, `/api/v1/${address}`, { method: 'PUT', body });
    expect(status, text).toBeLessThan(300);
  };
  const post = async (address: string, body: unknown): Promise<void> => {
    const { status, text } = await call(service, `/api/v1/${address}`, { body });
    expect(status, text).toBeLessThan(300);
  };
  const [first, second] = world.devices.map(({ deviceId }) => deviceId);
  const [south, north] = world.stores;
  await put(`devices/${first}`, { store_id: north.storeId, since: '2026-01-01T00:00:00Z' });
  await put(`devices/${first}`, { store_id: south.storeId, since: '2026-02-01T00:00:00Z' });
  await put(`devices/${second}`, { store_id: north.storeId, active: false, since: '2099-01-01T00:00:00Z' });
  for (const [keyId, from, until] of [
    ['old', '2020-01-01T00:00:00Z', '2021-01-01T00:00:00Z'],
    ['new', '2090-01-01T00:00:00Z', undefined],
  ] as const) {
    const { algorithm, publicKey } = makeKey(keyId);
    await post(`devices/${first}/keys`, { key_id: keyId, algorithm, public_key: publicKey, valid_from: from, valid_until: until });
  }
  await post(`devices/${first}/keys/old/revoke`, { at: '2020-06-01T00:00:00Z' });
  await post(`devices/${first}/keys/new/revoke`, { compromised: true });
  const gone = { store: uuidOf(8, 1), device: uuidOf(8, 2), campaign: uuidOf(8, 3), content: uuidOf(8, 4) };
  await put(`stores/${gone.store}`, {
    name: 'Closed',
    supplier_id: uuidOf(8, 5),
    location: { lat: 1.5, lng: 2.5 },
    time_zone: 'Asia/Tokyo',
  });
  await put(`devices/${gone.device}`, { store_id: gone.store });
  await put(`campaigns/${gone.campaign}`, { advertiser_id: uuidOf(8, 6), name: 'Over' });
  await put(`contents/${gone.content}`, { duration: 7.125, name: 'Spot' });
  for (const [kind, id] of Object.entries(gone)) {
    expect((await call(service, `/api/v1/${kind}s/${id}`, { method: 'DELETE' })).status).toBe(204);
  }
  await service.command('token', 'create', '--role', 'supplier', '--supplier', world.stores[0].supplierId, '--label', 'south');
}

/** What was acknowledged and not settled: plays, a repeat, another content, refusals. */
async function leaveARest(dataDir: string): Promise<void> {
  const journal = new SqliteJournal(dataDir);
  for (let from = 0; from < WAITING; from += 1_000) {
    await journal.append(Array.from({ length: 1_000 }, (_, i) => playEntry(playOf(from + i))));
  }
  await journal.append([
    playEntry(playOf(5)),
    playEntry(playOf(6, { contentHash: hashOf(9) })),
    refusalEntry(refusalOf(WAITING + 1)),
    refusalEntry(refusalOf(WAITING + 1)),
    refusalEntry(refusalOf(WAITING + 2, { proven: false, logId: null })),
  ]);
  journal.close();
}

// Each builds on the one before it.
describe('moving up', { timeout: LONG_MS }, () => {
  let dataDir: string;
  let embedded: Service;
  let distributed: Service;
  let journalId: string;
  let supplierToken: string;
  let world: World;
  let lines: Fields[];
  let startedAgain: number;

  beforeAll(async () => {
    dataDir = directory();
    world = makeWorld(4);
    const service = Service.spawn({ dataDir, env: KEEP_ALL });
    await service.ready(READY_MS);
    await importWorld(service, world);
    await liveALittle(service, world);
    supplierToken = await service.command('token', 'create', '--role', 'supplier', '--supplier', world.stores[1].supplierId);
    const load = new Load(world, SEED);
    load.start(3, () => service.url);
    while ((load.ledger.summary()['acknowledged'] ?? 0) < SENT) await sleep(20);
    await load.stop();
    expect(await copy(service.data)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/another Playproof \(process \d+\) uses/) as string,
    });
    const looked = await copy(service.data, '--dry-run');
    expect(looked.stdout).toMatch(/TO DO {2}stop the service/);
    expect(looked.code).toBe(1);
    await service.stop();
    await leaveARest(service.data);
  }, LONG_MS);

  afterAll(async () => {
    await embedded?.kill();
  });

  test('a dry run says what would be done, and changes nothing', async () => {
    const data = path.join(dataDir, 'data');
    const dry = await copy(data, '--dry-run', '--json');
    expect(dry.code, dry.stderr).toBe(0);
    expect(JSON.parse(dry.stdout)).toMatchObject({ running: false, mark: null, playsBefore: 0, source: { waiting: WAITING + 5 } });
    expect(await everything()).toEqual({});
    expect(existsSync(path.join(data, 'moved.json'))).toBe(false);
  });

  test('I1: copied with kill -9 on the way, again and again, it is all there once', async () => {
    const data = path.join(dataDir, 'data');
    const hits: string[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      const at = ['inside-settle', 'before-settle-commit', 'after-settle'][Math.floor(random() * 3)] as string;
      // The third one is through with settling the rest, and dies while it copies.
      const pass = kill === 2 ? THROUGH_SETTLING : 1 + Math.floor(random() * 2);
      const timed = kill >= KILLS - 2;
      const run = spawnCopy(data, [], timed ? {} : { PLAYPROOF_FAILPOINT: `${at}:${pass}` });
      if (timed) void killSoon(data, run);
      const { code, stderr } = await run.ended;
      hits.push(timed ? 'timed' : `${at}:${pass}`);
      // How far a run came within some time is the machine's affair; a failpoint is always met.
      if (!timed) expect(code, `${hits.join(' ')}\n${stderr}`).toBe(null);
    }
    const last = await copy(data, '--json');
    expect(last.code, `seed ${SEED}, ${hits.join(' ')}\n${last.stderr}`).toBe(0);
    const done = JSON.parse(last.stdout) as { journalId: string; plays: { total: number; before: number; published: number } };
    ({ journalId } = done);
    expect(done.plays.before).toBeGreaterThan(0);
    expect(done.plays.before + done.plays.published).toBe(done.plays.total);

    const refused = Service.spawn({ dataDir });
    expect((await refused.exited).code).toBe(1);
    expect(refused.output).toMatch(/was moved to other engines on .*--undo/);
    const undone = await copy(data, '--undo');
    expect(undone).toMatchObject({ code: 0, stdout: expect.stringContaining('can be started again') as string });
    embedded = Service.spawn({ dataDir, env: KEEP_ALL });
    distributed = installation.spawn('one', 'accept,settle,analytics,query');
    for (const service of [embedded, distributed]) await service.ready(READY_MS);
    startedAgain = Date.now();
    lines = await embeddedFeed(embedded);
    expect(lines.length).toBe(done.plays.total);
    expect(lines.length).toBeGreaterThan(SENT / 2 + WAITING);

    const records = await feedOf(journalId, lines.length);
    const bySeq = new Map(lines.map((line) => [line['position'], line]));
    expect(records.length).toBe(lines.length);
    for (const { value, headers, key } of records) {
      const seq = headers.get('journal_position')?.split('/')[2];
      const { position: _position, ...line } = bySeq.get(seq) as Fields;
      bySeq.delete(seq);
      expect(value).toEqual(line);
      expect(key).toBe(value['device_id']);
      expect(Object.fromEntries(headers)).toEqual({
        ce_specversion: '1.0',
        ce_id: value['log_id'],
        ce_source: '/playproof',
        ce_type: 'io.playproof.play.v1',
        ce_time: value['received_at'],
        'content-type': 'application/json',
        journal_position: `${journalId}/0/${seq}`,
      });
    }
    expect(bySeq.size).toBe(0);
    // Each device in the order of the source, on one partition.
    for (const [device, own] of Map.groupBy(records, ({ key }) => key)) {
      expect(new Set(own.map(({ partition }) => partition)).size, `partitions of ${device}`).toBe(1);
      const there = own.map(({ headers }) => Number(headers.get('journal_position')?.split('/')[2]));
      expect(there).toEqual(there.toSorted((a, b) => a - b));
    }
  });

  test('I3: the audit of the new installation is clean', async () => {
    await waitComplete(distributed, startedAgain);
    // Signatures are left out: most of these plays were not signed by anybody.
    const { code, stdout, stderr } = await spawnPlayproof(['audit', '--signatures', 'none', '--json']).ended;
    expect(code, `${stdout}\n${stderr}`).toBe(0);
  });

  test('evidence and quarantine are as they were', async () => {
    // Those of the world's own screens: evidence names their registered keys.
    const sent = lines.filter((line) => world.devices.some(({ deviceId }) => deviceId === line['device_id']));
    expect(sent.length).toBeGreaterThan(SENT / 2);
    for (const line of sent.filter((_, i) => i % 29 === 0)) {
      const address = `/api/v1/playback-logs/${String(line['log_id'])}`;
      const one = await call(embedded, address);
      const other = await answered(distributed, address);
      expect([one.status, other.status]).toEqual([200, 200]);
      const { positions: mine, ...here } = one.json as { positions: Fields };
      const { positions: theirs, ...there } = other.json as { positions: Fields };
      expect(there).toEqual(here);
      expect(theirs['journal']).toBe(mine['journal']);
    }
    const [here, there] = await Promise.all(
      [embedded, distributed].map((service) => eventually(() => readPages(service, '/api/v1/quarantine'))),
    );
    const shown = (items: readonly Fields[] = []) => items.map(({ quarantine_id: _id, ...item }) => item);
    expect(here?.length).toBeGreaterThan(50);
    expect(here?.some(({ count }) => Number(count) > 1)).toBe(true);
    expect(shown(there)).toEqual(shown(here));
  });

  test('registry and tokens are as they were, with histories and what is retired', async () => {
    for (const kind of ['stores', 'devices', 'campaigns', 'contents']) {
      const [here, there] = await Promise.all(
        [embedded, distributed].map((service) => eventually(() => readPages(service, `/api/v1/${kind}`))),
      );
      expect(here?.length).toBeGreaterThan(0);
      expect(there).toEqual(here);
    }
    const db = openForReading(path.join(dataDir, 'data', 'registry.db'));
    const client = new MongoClient(installation.mongo.url);
    try {
      const facts = new FactReader(db);
      const target = client.db('playproof');
      for (const { id } of db.prepare('SELECT id FROM devices').all() as unknown as { id: string }[]) {
        const device = await tableOf(target, 'device').find(id);
        const stores = await tableOf(target, 'store').findMany(device?.entry.assignments.map(({ storeId }) => storeId) ?? []);
        expect(device && deviceFacts(device, stores)).toEqual(facts.device(id));
      }
      for (const [table, kind] of [
        ['stores', 'store'],
        ['devices', 'device'],
        ['campaigns', 'campaign'],
        ['contents', 'content'],
      ] as const) {
        const rows = db.prepare(`SELECT id, retired_at FROM ${table}`).all() as unknown as { id: string; retired_at: number | null }[];
        expect(rows.some(({ retired_at }) => retired_at !== null)).toBe(true);
        const kept = await tableOf(target, kind).findMany(rows.map(({ id }) => id));
        expect(rows.map(({ id, retired_at }) => [id, retired_at])).toEqual(rows.map(({ id }) => [id, kept.get(id)?.retired_at]));
      }
    } finally {
      db.close();
      await client.close();
    }
    const [here, there] = await Promise.all(
      [embedded, distributed].map((service) => answered(service, '/api/v1/quarantine?limit=5', { token: supplierToken })),
    );
    expect(here?.status).toBe(200);
    expect(there?.status).toBe(200);
    // The same again, as it was registered before it was revoked.
    const device = (await call(embedded, `/api/v1/devices/${world.devices[0]?.deviceId}`)).json as { keys: Fields[] };
    const { compromised_at: _at, ...key } = device.keys.find(({ key_id }) => key_id === 'old') as Fields;
    const asRegistered = { ...key, valid_until: '2021-01-01T00:00:00Z' };
    for (const service of [embedded, distributed]) {
      const { status } = await answered(service, `/api/v1/devices/${world.devices[0]?.deviceId}/keys`, { body: asRegistered });
      expect(status).toBe(200);
    }
  });

  test.each(['campaign_id,day', 'advertiser_id,supplier_id,region', 'store_id,status', 'device_id,hour'])(
    'the report by %s is as it was',
    async (by) => {
      await Promise.all([waitEmbedded(embedded, startedAgain), waitComplete(distributed, startedAgain)]);
      const address = `/api/v1/reports/plays?by=${by}&time_zone=Asia/Ho_Chi_Minh`;
      const [one, other] = await Promise.all([embedded, distributed].map((service) => answered(service, address)));
      expect(one?.json.rows.length).toBeGreaterThan(0);
      expect(other?.json.rows).toEqual(one?.json.rows);
    },
  );

  test('a second copy changes nothing; what was accepted after --undo comes on top', async () => {
    const load = new Load(world, SEED + 1);
    await load.sendGood(embedded.url, 30);
    const added = load.ledger.summary()['acknowledged'] ?? 0;
    await waitEmbedded(embedded);
    lines = await embeddedFeed(embedded);
    await embedded.stop();
    const data = path.join(dataDir, 'data');
    const more = JSON.parse((await copy(data, '--json')).stdout) as Fields;
    expect(more['plays']).toMatchObject({ published: added, before: lines.length - added, duplicates: 0, conflicts: 0 });
    const before = await everything();
    const again = await copy(data, '--json');
    expect(again.code, again.stderr).toBe(0);
    expect(JSON.parse(again.stdout)).toMatchObject({ settledFirst: 0, plays: { published: 0, before: lines.length } });
    expect(await everything()).toEqual(before);
    expect((await feedOf(journalId, lines.length)).map(({ value }) => String(value['log_id'])).sort()).toEqual(
      lines.map((line) => String(line['log_id'])).sort(),
    );
  });
});

/** A stopped installation with plays of its own and nothing else. */
async function plainSource(from: number, to: number): Promise<string> {
  const dataDir = path.join(directory(), 'data');
  mkdirSync(dataDir);
  openRegistry(path.join(dataDir, 'registry.db')).close();
  const journal = new SqliteJournal(dataDir);
  await journal.append(Array.from({ length: to - from }, (_, i) => playEntry(playOf(from + i))));
  journal.close();
  return dataDir;
}

describe('moving up into what holds something already', { timeout: LONG_MS }, () => {
  const A = 100_000;

  test('what is there from elsewhere is not published again; another content stays, and ours is told', async () => {
    const source = await plainSource(A, A + 50);
    const archive = await openMongoArchive(installation.mongo.url);
    await archive.claim([claimOf(A + 3, 'elsewhere/0/1'), claimOf(A + 4, 'elsewhere/0/2', hashOf(7))]);
    await archive.close();
    const { code, stdout, stderr } = await copy(source, '--json');
    expect(code, stderr).toBe(3);
    const { plays, journalId } = JSON.parse(stdout) as { plays: Fields; journalId: string };
    expect(plays).toEqual({ total: 50, before: 0, published: 48, duplicates: 1, conflicts: 1 });
    const there = (await feedOf(journalId, 48)).map(({ value }) => String(value['log_id']));
    expect(there.sort()).toEqual(Array.from({ length: 50 }, (_, i) => uuidOf(1, A + i)).filter((_, i) => i !== 3 && i !== 4));
    // Told again by a copy that has nothing left to do.
    expect((await copy(source)).stdout).toMatch(/CONFLICT {2}1 plays/);
    expect((await everything())['quarantine']).toContainEqual(expect.objectContaining({ code: 'log_id_conflict', count: 1 }));
  });

  test('I1: a copied data directory that is copied at the same time is fenced or finds it done; nothing is there twice', async () => {
    const source = await plainSource(2 * A, 2 * A + 4_000);
    const twin = path.join(directory(), 'data');
    cpSync(source, twin, { recursive: true });
    const ended = await Promise.all([copy(source, '--json'), copy(twin, '--json')]);
    for (const { code, stderr } of ended) if (code !== 0) expect(stderr).toMatch(/took over|goes on where it was/);
    for (const one of [source, twin]) expect((await copy(one)).code).toBe(0);
    const { journalId } = JSON.parse((await copy(twin, '--json')).stdout) as { journalId: string };
    const there = (await feedOf(journalId, 4_000)).map(({ value }) => String(value['log_id']));
    expect(there.sort()).toEqual(Array.from({ length: 4_000 }, (_, i) => uuidOf(1, 2 * A + i)));
  });

  test('an entry that stands otherwise is named, and stays', async () => {
    const source = await plainSource(3 * A, 3 * A + 1);
    const db = openRegistry(path.join(source, 'registry.db'));
    const add = db.prepare('INSERT INTO campaigns (id, advertiser_id, name) VALUES (?, ?, ?)');
    add.run(world0().campaign, uuidOf(9, 1), 'Another');
    add.run(uuidOf(9, 2), uuidOf(9, 1), 'New');
    db.close();
    const look = await copy(source, '--dry-run');
    expect(look.stdout).toContain(`CONFLICT  the campaign ${world0().campaign} (Another) is registered there with something else`);
    const done = await copy(source);
    expect(done.code).toBe(3);
    expect(done.stdout).toContain(`the campaign ${world0().campaign} (Another)`);
    const { campaigns } = await everything();
    expect(campaigns?.find(({ _id }) => _id === world0().campaign)).toMatchObject({ entry: { name: 'Over' } });
    expect(campaigns?.find(({ _id }) => _id === uuidOf(9, 2))).toMatchObject({ entry: { name: 'New' } });
  });

  /** The retired campaign of the first installation. */
  function world0() {
    return { campaign: uuidOf(8, 3) };
  }

  test('a damaged record stops the copy before it, with its position', async () => {
    const source = await plainSource(4 * A, 4 * A + 10);
    await copy(source);
    const journal = new SqliteJournal(source);
    await journal.append([playEntry(playOf(4 * A + 10)), playEntry(playOf(4 * A + 11))]);
    journal.db.exec(
      "INSERT INTO owners SELECT log_id, seq FROM journal WHERE seq > 10; UPDATE positions SET seq = 12 WHERE name = 'settle'",
    );
    const { record } = journal.db.prepare('SELECT record FROM journal WHERE seq = 11').get() as { record: Uint8Array };
    record[200] = (record[200] as number) ^ 1;
    journal.db.prepare('UPDATE journal SET record = ? WHERE seq = 11').run(record);
    journal.close();
    const { code, stderr } = await copy(source);
    expect(code).toBe(1);
    expect(stderr).toMatch(/record .*\/0\/11 of the feed is damaged .*restore/i);
  });

  test('another database behind a position that is known is refused', async () => {
    const source = await plainSource(5 * A, 5 * A + 10);
    expect((await copy(source)).code).toBe(0);
    const { ended } = spawnCopy(source, [], { PLAYPROOF_MONGODB_URL: installation.mongo.url.replace(/\/?(\?|$)/, '/emptied$1') });
    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/MongoDB does not hold its log/);
  });

  test.each([
    ['no engine there', { PLAYPROOF_KAFKA_BROKERS: '127.0.0.1:1' }, /127\.0\.0\.1:1/],
    ['topics that could lose records', { PLAYPROOF_KAFKA_ALLOW_WEAK: '0' }, /could lose what was acknowledged|replicas/],
    ['the profile embedded', { PLAYPROOF_PROFILE: 'embedded', PLAYPROOF_ROLES: '' }, /set PLAYPROOF_PROFILE to cluster or edge/],
  ])('%s: a sentence, exit 1, and the source as it was', async (_what, env, told) => {
    const source = await plainSource(6 * A, 6 * A + 1);
    const { code, stderr } = await spawnCopy(source, [], env).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(told);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(existsSync(path.join(source, 'moved.json'))).toBe(false);
  });
});
