import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { REGISTRY_FILE } from '../../../src/registry/database.ts';
import { guessImportFormat } from '../../../src/registry/import.ts';
import type { ImportFormat } from '../../../src/registry/registry.ts';
import { importIntoFile } from '../../../src/registry/sqlite-import.ts';
import { SqliteRegistry } from '../../../src/registry/sqlite-registry.ts';
import { encodeDevice } from '../../../src/registry/wire.ts';
import { Problem } from '../../../src/server/problem.ts';

interface Item {
  [name: string]: unknown;
}
interface Document {
  stores: Item[];
  devices: (Item & { keys: Item[] })[];
  campaigns: Item[];
  contents: Item[];
}

const VECTORS = readFileSync(new URL('../../vectors/playback-logs.json', import.meta.url), 'utf8');
const vectors = (): Document => (JSON.parse(VECTORS) as { registry: Document }).registry;
const NOW = Date.UTC(2026, 10, 20);
const UNKNOWN = '11111111-2222-4333-8444-555555555555';

let directory: string;
let file: string;
let registry: SqliteRegistry;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'playproof-import-'));
  file = path.join(directory, REGISTRY_FILE);
  registry = new SqliteRegistry(file, () => NOW);
});
afterEach(() => {
  registry.close();
  rmSync(directory, { recursive: true });
});

function bytesOf(document: unknown): Uint8Array<ArrayBuffer> {
  const text = Array.isArray(document)
    ? document.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n')
    : JSON.stringify(document);
  return new Uint8Array(Buffer.from(text));
}

function load(document: unknown, format: ImportFormat = Array.isArray(document) ? 'ndjson' : 'json'): unknown {
  return importIntoFile(file, bytesOf(document), format, NOW);
}

/** What the registry holds, as it is answered. */
async function state(): Promise<unknown> {
  const [stores, devices, campaigns, contents] = await Promise.all([
    registry.list('store', null, 1_000),
    registry.list('device', null, 1_000),
    registry.list('campaign', null, 1_000),
    registry.list('content', null, 1_000),
  ]);
  return { stores, devices, campaigns, contents };
}

function refusal(document: unknown, format?: ImportFormat): Problem {
  try {
    load(document, format);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error('the import was taken');
}

function linesOf({ stores, devices, campaigns, contents }: Document): Item[] {
  return [
    ...contents.map((item) => ({ type: 'content', ...item })),
    ...devices.flatMap(({ keys, ...device }) => [
      ...keys.map((key) => ({ type: 'key', device_id: device.device_id, ...key })),
      { type: 'device', ...device },
    ]),
    ...campaigns.map((item) => ({ type: 'campaign', ...item })),
    ...stores.map((item) => ({ type: 'store', ...item })),
  ];
}

const COUNTS = { stores: 4, devices: 11, keys: 12, campaigns: 2, contents: 1 };

describe('an import', () => {
  test('takes the registry of the vectors, and again without effect', async () => {
    expect(load(vectors())).toEqual(COUNTS);
    const before = await state();
    const moved = vectors().devices.find(({ assignments }) => assignments !== undefined)?.device_id as string;
    expect((await registry.get('device', moved))?.assignments).toHaveLength(2);
    expect(load(vectors())).toEqual(COUNTS);
    expect(await state()).toEqual(before);
  });

  test('means the same as NDJSON, in any order of the lines', async () => {
    load(vectors());
    const expected = await state();
    const lines = linesOf(vectors());
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(lines, { minLength: lines.length }), async (shuffled) => {
        const other = mkdtempSync(path.join(tmpdir(), 'playproof-import-'));
        const shuffledInto = path.join(other, REGISTRY_FILE);
        expect(importIntoFile(shuffledInto, bytesOf(shuffled), 'ndjson', NOW)).toEqual(COUNTS);
        const same = new SqliteRegistry(shuffledInto);
        const devices = await same.list('device', null, 1_000);
        same.close();
        rmSync(other, { recursive: true });
        const byKey = (list: typeof devices) =>
          list.map((device) => ({ ...device, keys: device.keys.toSorted((a, b) => (a.keyId < b.keyId ? -1 : 1)) }));
        expect(byKey(devices)).toEqual(byKey((expected as { devices: typeof devices }).devices));
      }),
      { numRuns: 10 },
    );
  });

  test('takes a device as it was answered, also after its key was revoked before it began', async () => {
    load(vectors());
    const id = vectors().devices[0]?.device_id as string;
    await registry.revokeKey(id, 'k1', { at: 0, compromised: true });
    const device = await registry.get('device', id);
    if (!device) throw new Error('the device is gone');
    expect(load({ devices: [encodeDevice(device)] })).toMatchObject({ devices: 1, keys: 1 });
    expect(await registry.get('device', id)).toEqual(device);
    const copy = { ...vectors(), devices: [encodeDevice(device)] };
    const elsewhere = mkdtempSync(path.join(tmpdir(), 'playproof-import-'));
    importIntoFile(path.join(elsewhere, REGISTRY_FILE), bytesOf(copy), 'json', NOW);
    const second = new SqliteRegistry(path.join(elsewhere, REGISTRY_FILE));
    expect(await second.get('device', id)).toEqual(device);
    second.close();
    rmSync(elsewhere, { recursive: true });
  });

  test('adds to a history, leaves it where it says less, and refuses what contradicts it', async () => {
    load(vectors());
    const store = vectors().stores[0]?.store_id as string;
    const device_id = vectors().devices[0]?.device_id as string;
    const first = { store_id: store, active: true };
    const second = { store_id: store, active: false, since: '2026-11-01T00:00:00Z' };
    load({ devices: [{ device_id, assignments: [first, second] }] });
    const after = await registry.get('device', device_id);
    expect(after?.assignments).toEqual([
      { storeId: store, active: true, since: null },
      { storeId: store, active: false, since: Date.UTC(2026, 10, 1) },
    ]);
    load({ devices: [{ device_id, assignments: [first] }] });
    expect(await registry.get('device', device_id)).toEqual(after);
    const problem = refusal({ devices: [{ device_id, assignments: [first, { ...second, active: true }] }] });
    expect(problem).toMatchObject({ code: 'invalid_field', extra: { fields: ['/devices/0/assignments/1'] } });
    expect(await registry.get('device', device_id)).toEqual(after);
  });

  test('is all or nothing, and names every fault with its place', async () => {
    const document = vectors();
    document.devices[1] = { ...(document.devices[1] as Document['devices'][0]), store_id: UNKNOWN };
    document.devices[2] = { ...(document.devices[2] as Document['devices'][0]), store_id: UNKNOWN };
    const problem = refusal(document);
    expect(problem.code).toBe('unknown_store');
    expect(problem.detail).toContain('/devices/1/store_id');
    expect(problem.extra.fields).toEqual(expect.arrayContaining(['/devices/1/store_id', '/devices/2/store_id']));
    expect(await state()).toEqual({ stores: [], devices: [], campaigns: [], contents: [] });
  });

  test('names the lines of NDJSON', () => {
    const [content] = linesOf(vectors());
    const problem = refusal([content, '', '{"type":"device","type":"store"}', { type: 'store' }, { type: 'shop' }, '[1]', '{']);
    expect(problem.code).toBe('malformed');
    expect(problem.extra.members).toEqual({ line: 3 });
    for (const line of ['line 3 ', 'line 4 /location', 'line 5 /type', 'line 6 /type', 'line 7 ']) expect(problem.detail).toContain(line);
    expect(problem.detail).not.toContain('line 1 ');
    expect(problem.detail).not.toContain('line 2 ');
  });

  test.each<[string, (document: Document) => void, string[]]>([
    ['unknown lists', (d) => Object.assign(d, { shops: [] }), ['/shops']],
    ['a list that is none', (d) => Object.assign(d, { stores: {} }), ['/stores']],
    ['unknown members', (d) => Object.assign(d.stores[1] as Item, { 'a/b': 1 }), ['/stores/1/a~1b']],
    ['missing members', (d) => delete (d.campaigns[1] as Item).advertiser_id, ['/campaigns/1/advertiser_id']],
    ['a time zone that is none', (d) => Object.assign(d.stores[0] as Item, { time_zone: 'Asia/Nowhere' }), ['/stores/0/time_zone']],
    ['an offset for a time zone', (d) => Object.assign(d.stores[0] as Item, { time_zone: '+07:00' }), ['/stores/0/time_zone']],
    ['four decimals', (d) => Object.assign(d.contents[0] as Item, { duration: 1.0001 }), ['/contents/0/duration']],
    ['no duration', (d) => Object.assign(d.contents[0] as Item, { duration: 0 }), ['/contents/0/duration']],
    ['control characters', (d) => Object.assign(d.stores[0] as Item, { name: 'a\u0000b' }), ['/stores/0/name']],
    ['a long name', (d) => Object.assign(d.stores[0] as Item, { name: '😀'.repeat(201) }), ['/stores/0/name']],
    [
      'a date that is none',
      (d) => Object.assign(d.devices[0]?.keys[0] as Item, { valid_from: '2026-02-30T00:00:00Z' }),
      ['/devices/0/keys/0/valid_from'],
    ],
    ['a key that is none', (d) => Object.assign(d.devices[0]?.keys[0] as Item, { public_key: 'x' }), ['/devices/0/keys/0/public_key']],
    [
      'a validity that ends before it begins',
      (d) => Object.assign(d.devices[0]?.keys[0] as Item, { valid_until: '2020-01-01T00:00:00Z' }),
      ['/devices/0/keys/0/valid_until'],
    ],
    ['a device that stands nowhere', (d) => delete (d.devices[0] as Item).store_id, ['/devices/0/store_id']],
    [
      'a device in two places',
      (d) => Object.assign(d.devices[0] as Item, { assignments: [{ store_id: d.stores[1]?.store_id }] }),
      ['/devices/0/store_id'],
    ],
    [
      'a history that goes back',
      (d) => {
        const store_id = d.stores[0]?.store_id;
        const since = '2026-01-01T00:00:00Z';
        d.devices[0] = {
          device_id: UNKNOWN,
          keys: [],
          assignments: [{ store_id }, { store_id, since }, { store_id, since }, { store_id }],
        };
      },
      ['/devices/0/assignments/2/since', '/devices/0/assignments/3/since'],
    ],
    ['one id for two things', (d) => d.stores.push({ ...d.stores[0], name: 'other' }), ['/stores/4/store_id']],
  ])('refuses %s', async (_what, change, fields) => {
    const document = vectors();
    change(document);
    expect(refusal(document)).toMatchObject({ code: 'invalid_field', extra: { fields } });
    expect(await registry.list('campaign', null, 10)).toEqual([]);
  });

  test('the same thing twice in one document is said once', () => {
    const document = vectors();
    document.stores.push(structuredClone(document.stores[0] as Item));
    expect(load(document)).toEqual(COUNTS);
  });

  test('refuses another key under the same key_id, and ids that were retired', async () => {
    load(vectors());
    const document = vectors();
    const device = document.devices[0] as Document['devices'][0];
    device.keys = [{ ...device.keys[0], algorithm: 'PS256' }];
    expect(refusal(document)).toMatchObject({ code: 'key_conflict', extra: { fields: ['/devices/0/keys/0'] } });
    await registry.retire('campaign', document.campaigns[0]?.campaign_id as string);
    expect(refusal({ campaigns: document.campaigns })).toMatchObject({ code: 'id_retired', extra: { fields: ['/campaigns/0'] } });
  });

  test('keys of devices that are not registered are refused', () => {
    const key = vectors().devices[0]?.keys[0];
    expect(refusal([{ type: 'key', device_id: UNKNOWN, ...key }])).toMatchObject({ code: 'not_found', extra: { members: { line: 1 } } });
  });

  test('names a bounded number of faults', () => {
    const problem = refusal({ stores: Array.from({ length: 5_000 }, () => ({})) });
    expect(problem.extra.fields?.length).toBeLessThanOrEqual(100);
    expect(problem.detail).toMatch(/and 19900 more\.$/);
  });

  test.each(['[]', 'null', '"x"'])('refuses %s as a document', (text) => {
    expect(() => importIntoFile(file, Buffer.from(text), 'json', NOW)).toThrow(Problem);
  });

  test('never fails otherwise than by a refusal, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        fc.constantFrom('json', 'ndjson'),
        (bytes, format) => {
          try {
            importIntoFile(file, bytes, format, NOW);
          } catch (error) {
            expect(error).toBeInstanceOf(Problem);
          }
        },
      ),
    );
  });

  test('on a thread of its own gives the same counts and the same refusals', async () => {
    expect(await registry.importDocument(bytesOf(vectors()), 'json')).toEqual(COUNTS);
    await expect(registry.importDocument(bytesOf({ shops: [] }), 'json')).rejects.toMatchObject({
      code: 'invalid_field',
      extra: { fields: ['/shops'] },
    });
    const first = registry.importDocument(bytesOf(linesOf(vectors())), 'ndjson');
    await expect(registry.importDocument(bytesOf(vectors()), 'json')).rejects.toMatchObject({ code: 'overloaded' });
    expect(await first).toEqual(COUNTS);
  });
});

test('the format is seen from the first line', () => {
  expect(guessImportFormat(bytesOf(linesOf(vectors())))).toBe('ndjson');
  expect(guessImportFormat(bytesOf(vectors()))).toBe('json');
  expect(guessImportFormat(Buffer.from('{\n "stores": []\n}'))).toBe('json');
  expect(guessImportFormat(Buffer.from(''))).toBe('json');
});
