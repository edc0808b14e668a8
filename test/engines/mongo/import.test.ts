import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MongoConnection } from '../../../src/mongo/mongo-connection.ts';
import { readImport } from '../../../src/registry/import.ts';
import { ImportApplication } from '../../../src/registry/mongo-import-apply.ts';
import { ImportJournal } from '../../../src/registry/mongo-import-journal.ts';
import { importIntoMongo } from '../../../src/registry/mongo-import.ts';
import { MongoRegistry } from '../../../src/registry/mongo-registry.ts';
import { MongoRegistryView } from '../../../src/registry/mongo-view.ts';
import type { Registry } from '../../../src/registry/registry.ts';
import { importIntoFile } from '../../../src/registry/sqlite-import.ts';
import { SqliteRegistry } from '../../../src/registry/sqlite-registry.ts';
import { PEM, STORE } from '../../contract/registry.contract.ts';
import { databaseUrl, type Server, startServer, until, withDatabase } from './support.ts';

interface Item {
  [name: string]: unknown;
}

const VECTORS = readFileSync(new URL('../../vectors/playback-logs.json', import.meta.url), 'utf8');
const vectors = (): Record<string, Item[]> => (JSON.parse(VECTORS) as { registry: Record<string, Item[]> }).registry;
const NOW = Date.UTC(2026, 10, 20);

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

let url: string;
let registry: MongoRegistry;
const told: string[] = [];
beforeEach(() => {
  url = databaseUrl(server);
  told.length = 0;
  registry = new MongoRegistry(url, { now: () => NOW, log: (message) => told.push(message) });
});
afterEach(() => registry.close());

function bytesOf(document: unknown): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(JSON.stringify(document)));
}

async function stateOf(of: Registry): Promise<unknown> {
  const kinds = ['store', 'device', 'campaign', 'content'] as const;
  return Promise.all(kinds.map((kind) => of.list(kind, null, 10_000)));
}

/** `count` devices in one store, with a key each. */
function fleet(count: number): { stores: Item[]; devices: Item[]; campaigns: Item[]; contents: Item[] } {
  const [store, supplier] = [randomUUID(), randomUUID()];
  return {
    stores: [{ store_id: store, supplier_id: supplier, name: 'x', location: { lat: 1, lng: 2 } }],
    devices: Array.from({ length: count }, () => ({
      device_id: randomUUID(),
      store_id: store,
      keys: [{ key_id: 'k1', algorithm: 'RS256', public_key: PEM }],
    })),
    campaigns: [{ campaign_id: randomUUID(), advertiser_id: randomUUID() }],
    contents: [{ content_id: randomUUID(), duration: 2.4 }],
  };
}

describe('imports into MongoDB', () => {
  test('give what the embedded registry gives, and the same again changes nothing', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'playproof-import-'));
    const file = path.join(directory, 'registry.db');
    const embedded = new SqliteRegistry(file, () => NOW);
    const counts = importIntoFile(file, bytesOf(vectors()), 'json', NOW);
    for (let time = 0; time < 2; time += 1) {
      expect(await registry.importDocument(bytesOf(vectors()), 'json')).toEqual(counts);
      expect(await stateOf(registry)).toEqual(await stateOf(embedded));
    }
    embedded.close();
    rmSync(directory, { recursive: true });
  });

  test('of thousands of entries, in any order of the lines', async () => {
    const document = fleet(1_300);
    const lines = [
      ...document.devices.map((one) => ({ type: 'device', ...one })),
      ...document.contents.map((one) => ({ type: 'content', ...one })),
      ...document.campaigns.map((one) => ({ type: 'campaign', ...one })),
      ...document.stores.map((one) => ({ type: 'store', ...one })),
    ];
    const body = new Uint8Array(Buffer.from(lines.map((line) => JSON.stringify(line)).join('\n')));
    expect(await registry.importDocument(body, 'ndjson')).toEqual({ stores: 1, devices: 1_300, keys: 1_300, campaigns: 1, contents: 1 });
    expect(await registry.list('device', null, 10_000)).toHaveLength(1_300);
    await withDatabase(url, async (db) => {
      expect(await db.collection('imports').countDocuments()).toBe(0);
      expect(await db.collection('import_parts').countDocuments()).toBe(0);
    });
  });

  test('are refused as a whole, with every fault at its place and nothing written', async () => {
    const document = fleet(3);
    const retired = randomUUID();
    await registry.put('campaign', retired, { advertiserId: STORE.supplierId, name: null });
    await registry.retire('campaign', retired);
    document.campaigns.push({ campaign_id: retired, advertiser_id: STORE.supplierId });
    (document.devices[1] as Item)['store_id'] = randomUUID();
    const before = await stateOf(registry);
    const attempt = registry.importDocument(bytesOf(document), 'json');
    await expect(attempt).rejects.toMatchObject({ code: 'id_retired' });
    await expect(attempt).rejects.toThrow(/Nothing was imported: .*\/campaigns\/1 id_retired.*\/devices\/1\/store_id unknown_store/);
    expect(await stateOf(registry)).toEqual(before);
    // And the way is free.
    expect(await registry.importDocument(bytesOf(fleet(1)), 'json')).toMatchObject({ devices: 1 });
  });

  test('two nodes import one after the other, never together', async () => {
    const documents = Array.from({ length: 4 }, () => fleet(60));
    const answers = await Promise.allSettled(documents.map((document) => importIntoMongo(url, bytesOf(document), 'json', NOW)));
    for (const answer of answers) if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'overloaded' });
    const done = answers.filter(({ status }) => status === 'fulfilled').length;
    expect(done).toBeGreaterThan(0);
    expect(await registry.list('device', null, 1_000)).toHaveLength(60 * done);
  });

  test('entries that somebody else changes meanwhile are kept as both wrote them', async () => {
    const document = fleet(400);
    await registry.importDocument(bytesOf(document), 'json');
    const devices = document.devices.map((one) => String(one['device_id']));
    const more = { devices: devices.map((id) => ({ device_id: id, store_id: document.devices[0]?.['store_id'], keys: [keyItem('k2')] })) };
    const importing = importIntoMongo(url, bytesOf(more), 'json', NOW);
    for (const id of devices.slice(0, 40)) await registry.revokeKey(id, 'k1', { at: 5_000, compromised: true });
    await importing;
    for (const id of devices.slice(0, 40)) {
      expect((await registry.get('device', id))?.keys).toMatchObject([{ keyId: 'k1', compromisedAt: 5_000 }, { keyId: 'k2' }]);
    }
  });

  test('reach the judges', async () => {
    const document = fleet(700);
    const view = new MongoRegistryView(url);
    const device = String(document.devices[699]?.['device_id']);
    const ids = { devices: new Set([device]), campaigns: new Set<string>(), contents: new Set<string>() };
    await view.prepare(ids, 0);
    expect(view.facts.device(device)).toBeNull();
    await registry.importDocument(bytesOf(document), 'json');
    await until(async () => {
      await view.prepare(ids, 5_000);
      expect(view.facts.device(device)?.keys).toHaveLength(1);
    });
    view.close();
  });
});

/** As far as the stores, and then nobody is there any more. */
async function cutShort(document: object, leaseOver = true): Promise<void> {
  await registry.ready();
  const connection = new MongoConnection(url);
  const body = bytesOf(document);
  const journal = await ImportJournal.begin(connection, 'json', NOW, async () => {});
  await journal.keep(body);
  const { stores } = readImport(body, 'json');
  const part = { stores, devices: [], keys: [], campaigns: [], contents: [] };
  await new ImportApplication(connection, part, NOW).apply();
  journal.abandon();
  if (leaseOver) await connection.db.collection('imports').updateMany({}, { $set: { until: 0 } });
  await connection.close();
}

describe('an import that a crash cut short', () => {
  test('is finished before the next one', async () => {
    const document = fleet(5);
    await cutShort(document);
    expect(await registry.list('device', null, 100)).toEqual([]);
    await registry.importDocument(bytesOf(fleet(2)), 'json');
    expect(await registry.list('device', null, 100)).toHaveLength(7);
    expect(told).toEqual([expect.stringMatching(/cut short .* is finished/)]);
  });

  test('is in the way of others while somebody may still be at it', async () => {
    await cutShort(fleet(5), false);
    await expect(registry.importDocument(bytesOf(fleet(2)), 'json')).rejects.toMatchObject({ code: 'overloaded' });
    await expect(registry.importDocument(bytesOf(fleet(2)), 'json')).rejects.toMatchObject({ extra: { retryAfter: 5 } });
  });

  test('is finished but for what others changed meanwhile, and that is said', async () => {
    const document = fleet(5);
    await cutShort(document);
    const gone = String(document.campaigns[0]?.['campaign_id']);
    await registry.put('campaign', gone, { advertiserId: STORE.supplierId, name: null });
    await registry.retire('campaign', gone);
    await registry.importDocument(bytesOf(fleet(1)), 'json');
    expect(await registry.list('device', null, 100)).toHaveLength(6);
    expect(told).toEqual([expect.stringMatching(/is finished\. The import was written but .*\/campaigns\/0 id_retired/)]);
  });

  test('leaves nothing when it had only been checking', async () => {
    await registry.ready();
    const connection = new MongoConnection(url);
    const journal = await ImportJournal.begin(connection, 'json', NOW, async () => {});
    journal.abandon();
    await connection.db.collection('imports').updateMany({}, { $set: { until: 0 } });
    expect(await registry.importDocument(bytesOf(fleet(2)), 'json')).toMatchObject({ devices: 2 });
    expect(told).toEqual([]);
    await connection.close();
  });
});

function keyItem(keyId: string): Item {
  return { key_id: keyId, algorithm: 'RS256', public_key: PEM };
}
