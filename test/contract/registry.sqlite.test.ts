import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FactIds, RegistryUnavailable } from '../../src/accept/registry-view.ts';
import { openForReading, openForWriting, REGISTRY_FILE } from '../../src/registry/database.ts';
import { SqliteRegistry } from '../../src/registry/sqlite-registry.ts';
import { SqliteRegistryView } from '../../src/registry/sqlite-view.ts';
import { deviceFacts, keyOf, registryContract, type RegistryHarness, STORE } from './registry.contract.ts';
import { registryHistoryContract } from './registry-history.contract.ts';

async function open(): Promise<RegistryHarness> {
  const directory = mkdtempSync(path.join(tmpdir(), 'playproof-registry-'));
  const file = path.join(directory, REGISTRY_FILE);
  let now = 0;
  const registry = new SqliteRegistry(file, () => now);
  const view = new SqliteRegistryView(file);
  return {
    registry,
    view,
    setNow: (instant) => {
      now = instant;
    },
    dispose: async () => {
      view.close();
      registry.close();
      rmSync(directory, { recursive: true });
    },
  };
}

function idsOf(...devices: string[]): FactIds {
  return { devices: new Set(devices), campaigns: new Set(), contents: new Set() };
}

registryContract('SQLite', open);
registryHistoryContract('SQLite', open);

describe('the registry file', () => {
  let directory: string;
  let file: string;
  let registry: SqliteRegistry;

  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'playproof-registry-'));
    file = path.join(directory, REGISTRY_FILE);
    registry = new SqliteRegistry(file);
  });
  afterEach(() => {
    registry.close();
    rmSync(directory, { recursive: true });
  });

  async function aDevice(): Promise<{ deviceId: string; storeId: string }> {
    const [deviceId, storeId] = [randomUUID(), randomUUID()];
    await registry.put('store', storeId, STORE);
    await registry.put('device', deviceId, { storeId, active: true, since: null });
    await registry.addKey(deviceId, keyOf('k1'));
    return { deviceId, storeId };
  }

  test('is in WAL mode and synced at each commit', () => {
    const db = openForWriting(file);
    expect(db.prepare('PRAGMA journal_mode').get()?.journal_mode).toBe('wal');
    expect(db.prepare('PRAGMA synchronous').get()?.synchronous).toBe(2);
    db.close();
  });

  test('stays what it was when it is opened again', async () => {
    const { deviceId } = await aDevice();
    const before = await registry.get('device', deviceId);
    registry.close();
    registry = new SqliteRegistry(file);
    expect(await registry.get('device', deviceId)).toEqual(before);
  });

  test('two connections that write see each other at once', async () => {
    const other = new SqliteRegistry(file);
    const { deviceId, storeId } = await aDevice();
    expect((await other.put('device', deviceId, { storeId, active: false, since: null })).entry.assignments).toHaveLength(2);
    expect((await registry.get('device', deviceId))?.assignments).toHaveLength(2);
    other.close();
  });

  test('a write waits for another writer and then happens; a read does not wait', async () => {
    const { storeId } = await aDevice();
    const other = openForWriting(file);
    other.exec('BEGIN IMMEDIATE');
    let done = false;
    const write = registry.put('store', storeId, { ...STORE, name: 'later' }).then(() => {
      done = true;
    });
    expect((await registry.get('store', storeId))?.name).toBe(STORE.name);
    await new Promise((resolve) => {
      setTimeout(resolve, 60);
    });
    expect(done).toBe(false);
    other.exec('COMMIT');
    await write;
    expect((await registry.get('store', storeId))?.name).toBe('later');
    other.close();
  });

  test('a failed change leaves nothing behind', async () => {
    const deviceId = randomUUID();
    await expect(registry.put('device', deviceId, { storeId: randomUUID(), active: true, since: null })).rejects.toThrow();
    expect(await registry.get('device', deviceId)).toBeNull();
    const db = new DatabaseSync(file);
    expect(db.prepare('SELECT count(*) AS n FROM devices').get()?.n).toBe(0);
    db.close();
  });

  test('tables of a newer version are not touched', () => {
    const db = new DatabaseSync(file);
    db.exec('PRAGMA user_version = 99');
    db.close();
    expect(() => openForWriting(file)).toThrow(/newer version/);
    expect(() => openForReading(file)).toThrow(/version 99/);
  });

  describe('as a judge sees it', () => {
    let view: SqliteRegistryView;
    beforeEach(() => {
      view = new SqliteRegistryView(file, { devices: 3, campaigns: 2, contents: 2 });
    });
    afterEach(() => view.close());

    test('what did not change stays the same object', async () => {
      const [first, second] = [await aDevice(), await aDevice()];
      const [before, other] = [await deviceFacts(view, first.deviceId), await deviceFacts(view, second.deviceId)];
      expect(before).not.toBeNull();
      await registry.put('device', second.deviceId, { storeId: second.storeId, active: false, since: null });
      await registry.put('campaign', randomUUID(), { advertiserId: randomUUID(), name: null });
      expect(await deviceFacts(view, first.deviceId)).toBe(before);
      expect(await deviceFacts(view, second.deviceId)).not.toBe(other);
      expect((await deviceFacts(view, second.deviceId))?.assignments).toHaveLength(2);
      // Saying the same again is no change.
      const after = await deviceFacts(view, second.deviceId);
      await registry.put('store', second.storeId, STORE);
      expect(await deviceFacts(view, second.deviceId)).toBe(after);
    });

    test('what was not registered is found as soon as it is', async () => {
      const [deviceId, storeId] = [randomUUID(), randomUUID()];
      expect(await deviceFacts(view, deviceId)).toBeNull();
      await registry.put('store', storeId, STORE);
      await registry.put('device', deviceId, { storeId, active: true, since: null });
      expect((await deviceFacts(view, deviceId))?.keys).toEqual([]);
      await registry.addKey(deviceId, keyOf('k1'));
      expect((await deviceFacts(view, deviceId))?.keys).toHaveLength(1);
    });

    test('holds a bounded number, and always all that was asked for', async () => {
      const devices: string[] = [];
      for (let n = 0; n < 8; n += 1) devices.push((await aDevice()).deviceId);
      view.prepare(idsOf(...devices));
      expect(devices.map((id) => view.facts.device(id)?.deviceId)).toEqual(devices);
      const last = devices[0] as string;
      view.prepare(idsOf(last, (await aDevice()).deviceId));
      expect(view.facts.device(last)?.deviceId).toBe(last);
      expect(devices.filter((id) => view.facts.device(id) !== null).length).toBeLessThanOrEqual(3);
    });

    test('changes that were trimmed before it saw them are not missed', async () => {
      const { deviceId, storeId } = await aDevice();
      expect((await deviceFacts(view, deviceId))?.assignments).toHaveLength(1);
      await registry.put('device', deviceId, { storeId, active: false, since: null });
      const db = openForWriting(file);
      db.exec(`
        BEGIN IMMEDIATE;
        INSERT INTO changes (kind, id) VALUES ('campaign', 'x'), ('campaign', 'x');
        DELETE FROM changes WHERE revision < (SELECT max(revision) FROM changes);
        COMMIT`);
      db.close();
      expect((await deviceFacts(view, deviceId))?.assignments).toHaveLength(2);
    });

    test('a registry that cannot be read is unavailable, not empty', async () => {
      const { deviceId } = await aDevice();
      view.prepare(idsOf(deviceId));
      const db = openForWriting(file);
      db.exec("ALTER TABLE changes RENAME TO gone; INSERT INTO gone (kind, id) VALUES ('device', 'x')");
      expect(() => view.prepare(idsOf(deviceId))).toThrow(RegistryUnavailable);
      db.exec('ALTER TABLE gone RENAME TO changes');
      db.close();
      view.prepare(idsOf(deviceId));
      expect(view.facts.device(deviceId)?.deviceId).toBe(deviceId);
      expect(() => new SqliteRegistryView(path.join(directory, 'none.db'))).toThrow(RegistryUnavailable);
    });
  });
});
