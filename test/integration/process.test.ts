/** The process itself: one for each data directory, signals, its analytics process, files that were damaged between two runs. */
import { copyFileSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MARK_FILE, SqliteJournal } from '../../src/journal/sqlite-journal.ts';
import { call, send } from '../support/http.ts';
import { Load } from '../support/load.ts';
import { differences, readFeed, waitComplete } from '../support/oracle.ts';
import { importWorld, makeWorld, play, type World } from '../support/registry.ts';
import { isAlive, makeDataDir, removeDataDir, Service } from '../support/service.ts';

const KEEP_ALL = { PLAYPROOF_QUARANTINE_PER_DEVICE: '100000' };
const GONE_WITHIN_MS = 10_000;

let world: World;
let dataDir: string;
let running: Service[];

beforeAll(() => {
  world = makeWorld(2);
});

beforeEach(() => {
  dataDir = makeDataDir();
  running = [];
});

afterEach(async () => {
  await Promise.all(running.map((service) => service.kill()));
  removeDataDir(dataDir);
});

async function start(options: { env?: Record<string, string>; group?: boolean } = {}): Promise<Service> {
  const service = await Service.start({ dataDir, ...options, onSpawn: (born) => running.push(born) });
  return service;
}

/** Opens a connection and sends a beginning. */
function connect(service: Service, sent: string): { readonly socket: net.Socket; heard: string } {
  const socket = net.connect(Number(new URL(service.url).port), '127.0.0.1');
  const connection = { socket, heard: '' };
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes: Buffer) => {
    connection.heard += bytes.toString('latin1');
  });
  if (sent !== '') socket.write(sent);
  return connection;
}

async function gone(pid: number): Promise<boolean> {
  const until = performance.now() + GONE_WITHIN_MS;
  while (isAlive(pid) && performance.now() < until) await sleep(20);
  return !isAlive(pid);
}

/** The analytics process, once it is there and answers. */
async function analyticsOf(service: Service): Promise<number> {
  await waitComplete(service, 0);
  const [pid] = service.children();
  if (pid === undefined) throw new Error('there is no analytics process');
  return pid;
}

/** Takes five logs and is killed. @returns its database file */
async function killedWithLogs(): Promise<string> {
  const service = await start();
  await importWorld(service, world);
  for (let i = 0; i < 5; i += 1) expect((await send(service, play(world).body)).status).toBe(202);
  await service.kill();
  return path.join(service.data, 'playproof.db');
}

describe('starting', () => {
  test('a second process on the same data directory refuses with a sentence; the first goes on', async () => {
    const first = await start();
    await importWorld(first, world);
    const second = Service.spawn({ dataDir });
    expect(await second.exited).toEqual({ code: 1, signal: null });
    expect(second.output).toContain(`another Playproof (process ${first.pid}) uses the data directory`);
    expect((await send(first, play(world).body)).status).toBe(202);
  });

  test('wrong settings are told all at once', async () => {
    const service = Service.spawn({ dataDir, env: { PLAYPROOF_HTTP_PORT: 'x', PLAYPROOF_VERIFY_WORKERS: '0', PLAYPROOF_COLOUR: 'red' } });
    expect((await service.exited).code).toBe(1);
    for (const name of ['PLAYPROOF_HTTP_PORT', 'PLAYPROOF_VERIFY_WORKERS', 'PLAYPROOF_COLOUR']) expect(service.output).toContain(name);
  });

  test('a port that is taken is told, and the next start on the same directory goes on', async () => {
    const first = await start();
    const other = makeDataDir();
    try {
      const second = Service.spawn({ dataDir: other, env: { PLAYPROOF_HTTP_PORT: new URL(first.url).port } });
      expect((await second.exited).code).toBe(1);
      expect(second.output).toMatch(/EADDRINUSE|in use/);
      const third = await Service.start({ dataDir: other });
      expect(await third.stop()).toEqual({ code: 0, signal: null });
    } finally {
      removeDataDir(other);
    }
  });
});

describe('SIGTERM', () => {
  test('under load ends in order: everything acknowledged is settled, and a restart has it all', async () => {
    const service = await start({ env: KEEP_ALL });
    await importWorld(service, world);
    const load = new Load(world, 77);
    const { url } = service;
    load.start(4, () => (service.ended ? null : url));
    await sleep(1_500);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    await load.stop();
    const db = new DatabaseSync(path.join(service.data, 'playproof.db'));
    const positions = db.prepare('SELECT name, seq FROM positions').all() as { name: string; seq: number }[];
    db.close();
    const [end, settled] = ['end', 'settle'].map((name) => positions.find((position) => position.name === name)?.seq);
    expect(end).toBeGreaterThan(0);
    expect(settled).toBe(end);

    const again = await start({ env: KEEP_ALL });
    await load.drain(again.url);
    expect(await differences(again, load.ledger)).toEqual([]);
  });

  test('does not wait for a long poll or for a body that does not come', async () => {
    const service = await start({ env: { PLAYPROOF_SHUTDOWN_SECONDS: '8' } });
    const polling = call(service, '/api/v1/feed?wait=30');
    const head = 'POST /api/v1/playback-logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
    const slow = ['', head.slice(0, 30), `${head}Content-Length: 100\r\n\r\n{"log`].map((sent) => connect(service, sent));
    await sleep(200);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    expect((await polling).status).toBe(200);
    expect(slow[2]?.heard).toMatch(/^HTTP\/1\.1 503 [^]*"code":"unavailable"/);
    for (const { socket } of slow) socket.destroy();
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('%s to the whole group ends in order, and nothing of the group stays', async (signal) => {
    const service = await start({ group: true });
    await importWorld(service, world);
    const analytics = await analyticsOf(service);
    expect((await send(service, play(world).body)).status).toBe(202);
    service.signalGroup(signal);
    expect(await service.exited).toEqual({ code: 0, signal: null });
    expect(await gone(analytics)).toBe(true);
    expect(service.output).not.toContain('the analytics process ended');
  });
});

describe('the analytics process', () => {
  test('ends when its parent is killed', async () => {
    const service = await start();
    const analytics = await analyticsOf(service);
    await service.kill();
    expect(await gone(analytics)).toBe(true);
  });

  test('stays in the process group of its parent', async () => {
    const service = await start({ group: true });
    const analytics = await analyticsOf(service);
    service.signalGroup('SIGKILL');
    await service.exited;
    expect(await gone(analytics)).toBe(true);
  });

  test('killed alone: accepting goes on, and reports come back complete', async () => {
    const service = await start({ env: KEEP_ALL });
    await importWorld(service, world);
    const load = new Load(world, 5);
    load.start(2, () => service.url);
    for (let i = 0; i < 2; i += 1) {
      process.kill(await analyticsOf(service), 'SIGKILL');
      expect((await send(service, 'no log')).status).toBe(400);
      await sleep(300);
    }
    await load.stop();
    await load.drain(service.url);
    expect(await differences(service, load.ledger)).toEqual([]);
    expect((await call(service, '/health/ready')).status).toBe(200);
  });
});

/** Engines that are not there: a journal that is refused is refused before they are asked. */
const EDGE = {
  PLAYPROOF_PROFILE: 'edge',
  PLAYPROOF_KAFKA_BROKERS: '127.0.0.1:1',
  PLAYPROOF_MONGODB_URL: 'mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100',
  PLAYPROOF_CLICKHOUSE_URL: 'http://127.0.0.1:1',
};

describe('files that were damaged while it was down', () => {
  test.each([
    ['a write-ahead log that is gone', (file: string) => rmSync(`${file}-wal`)],
    ['a write-ahead log that was cut', (file: string) => truncateSync(`${file}-wal`, Math.floor(statSync(`${file}-wal`).size / 2))],
    ['a database that is gone', (file: string) => rmSync(file)],
  ])('%s: refuses to start, with a sentence', async (_, damage) => {
    damage(await killedWithLogs());
    const service = Service.spawn({ dataDir });
    expect(await service.exited).toEqual({ code: 1, signal: null });
    expect(service.output).toMatch(/playproof: .*docs\/operations\.md/);
  });

  test('a start that refuses changes nothing, on an edge box too, and once the right file is back it goes on', async () => {
    const file = await killedWithLogs();
    const markFile = path.join(path.dirname(file), MARK_FILE);
    const mark = readFileSync(markFile);
    const log = readFileSync(`${file}-wal`);
    const other = makeDataDir();
    const journal = new SqliteJournal(other);
    copyFileSync(path.join(other, MARK_FILE), markFile);
    journal.close();
    removeDataDir(other);
    for (const env of [{}, EDGE]) {
      const service = Service.spawn({ dataDir, env });
      running.push(service);
      expect((await service.exited).code).toBe(1);
      expect(service.output).toMatch(/playproof: cannot start: .* two installations were mixed/);
      expect(readFileSync(`${file}-wal`).equals(log)).toBe(true);
    }
    writeFileSync(markFile, mark);
    const again = await start();
    await waitComplete(again);
    expect((await readFeed(again)).copies).toHaveLength(5);
  });
});
