import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Directory, matches, wordsOf } from '../../../src/console/directory.ts';
import { previewImport } from '../../../src/console/import-preview.ts';
import { REGISTRY_FILE } from '../../../src/registry/database.ts';
import type { Registry } from '../../../src/registry/registry.ts';
import { SqliteRegistry } from '../../../src/registry/sqlite-registry.ts';

let directory: string;
let registry: SqliteRegistry;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'playproof-directory-'));
  registry = new SqliteRegistry(path.join(directory, REGISTRY_FILE));
});
afterEach(() => {
  registry.close();
  rmSync(directory, { recursive: true });
});

const PEM = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' });
const STORE = {
  supplierId: randomUUID(),
  name: 'Chợ Mới Mart Đà Nẵng 1',
  location: { lat: 16, lng: 108 },
  region: 'Đà Nẵng',
  timeZone: null,
};

describe('the directory', () => {
  it('lists more than a page, by name, and a device under the name of its store', async () => {
    const store = randomUUID();
    await registry.put('store', store, STORE);
    const device = randomUUID();
    await registry.put('device', device, { storeId: store, active: false, since: null });
    for (let i = 0; i < 510; i += 1)
      await registry.put('campaign', randomUUID(), { advertiserId: randomUUID(), name: `Campaign ${String(509 - i).padStart(3, '0')}` });
    const listing = new Directory(registry);
    const { items, truncated } = await listing.list('campaign');
    expect([items.length, items[0]?.name, items.at(-1)?.name, truncated]).toEqual([510, 'Campaign 000', 'Campaign 509', false]);
    expect((await listing.list('device')).items).toEqual([
      { kind: 'device', id: device, name: STORE.name, store_id: store, active: false, keys: 0 },
    ]);
  });

  it('sees at once what is written through it', async () => {
    const listing = new Directory(registry);
    const watched: Registry = listing.watched(registry);
    expect((await listing.list('store')).items).toEqual([]);
    const id = randomUUID();
    await watched.put('store', id, STORE);
    expect((await listing.list('store')).items.map((item) => item.id)).toEqual([id]);
    await watched.retire('store', id);
    expect((await listing.list('store')).items).toEqual([]);
  });

  it('asks again after the registry could not answer', async () => {
    let fail = true;
    const listing = new Directory({
      ...new Directory(registry).watched(registry),
      list: async (kind, after, limit) => {
        if (fail) throw new Error('away');
        return registry.list(kind, after, limit);
      },
    });
    await expect(listing.list('store')).rejects.toThrow('away');
    fail = false;
    await expect(listing.list('store')).resolves.toMatchObject({ items: [] });
  });

  it('finds words in any order, without regard to case and accents', () => {
    const item = { kind: 'store', id: randomUUID(), name: STORE.name, region: STORE.region } as const;
    for (const text of ['da nang', 'NẴNG đà', 'cho moi', '', item.id.slice(4, 12)])
      expect([text, matches(item, wordsOf(text))]).toEqual([text, true]);
    for (const text of ['hue', 'da nang 2', '%', '.*']) expect([text, matches(item, wordsOf(text))]).toEqual([text, false]);
  });
});

const bytes = (value: unknown): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(JSON.stringify(value)));

describe('the preview of an import', () => {
  const store = { store_id: randomUUID(), name: 'A', supplier_id: randomUUID(), location: { lat: 1, lng: 2 } };
  const device = { device_id: randomUUID(), store_id: store.store_id, keys: [{ key_id: 'k', algorithm: 'RS256', public_key: PEM }] };
  const document = { stores: [store], devices: [device], contents: [{ content_id: randomUUID(), duration: 15, name: 'C' }] };
  const summary = async (value: unknown) =>
    (await previewImport(registry, bytes(value), 'json')).counts
      .filter((one) => one.new + one.changed + one.same > 0)
      .map((one) => [one.kind, one.new, one.changed, one.same]);

  it('tells what is new, changed or as it is, and changes nothing', async () => {
    expect(await summary(document)).toEqual([
      ['store', 1, 0, 0],
      ['device', 1, 0, 0],
      ['key', 1, 0, 0],
      ['content', 1, 0, 0],
    ]);
    expect(await registry.list('store', null, 10)).toEqual([]);
    await registry.importDocument(bytes(document), 'json');
    expect(await summary(document)).toEqual([
      ['store', 0, 0, 1],
      ['device', 0, 0, 1],
      ['key', 0, 0, 1],
      ['content', 0, 0, 1],
    ]);
    const changed = { ...document, stores: [{ ...store, name: 'B' }], devices: [{ ...device, active: false }] };
    expect(await summary(changed)).toEqual([
      ['store', 0, 1, 0],
      ['device', 0, 1, 0],
      ['key', 0, 0, 1],
      ['content', 0, 0, 1],
    ]);
    const { items } = await previewImport(registry, bytes(changed), 'json');
    expect(items.map(({ kind, change, name }) => [kind, change, name])).toEqual([
      ['store', 'changed', 'B'],
      ['device', 'changed', null],
    ]);
  });

  it('refuses what the import refuses, with every fault in its place', async () => {
    await expect(previewImport(registry, bytes({ stores: [{ ...store, name: '' }], campaigns: [{}] }), 'json')).rejects.toMatchObject({
      code: 'invalid_field',
    });
    await expect(previewImport(registry, bytes({ devices: [{ ...device, store_id: randomUUID() }] }), 'json')).rejects.toMatchObject({
      code: 'unknown_store',
      extra: { fields: ['/devices/0/store_id'] },
    });
    const line = { type: 'key', device_id: randomUUID(), key_id: 'k', algorithm: 'RS256', public_key: PEM };
    await expect(previewImport(registry, bytes(line), 'ndjson')).rejects.toMatchObject({ code: 'not_found' });
  });
});
