/**
 * What an import would change, without changing anything: every fault of the document, and what in it is new, changed or as it
 * is. The import itself judges again; between the two somebody else may have written.
 */
import { isDeepStrictEqual } from 'node:util';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Code } from '../domain/codes.ts';
import { ImportFaults } from '../registry/import-faults.ts';
import type { ImportPlan, Planned, PlannedDevice, PlannedKey } from '../registry/import.ts';
import type { DeviceEntry, EntryTypes, ImportFormat, Kind, RegistryEntries } from '../registry/registry.ts';
import { Problem } from '../server/problem.ts';
import type { Reading } from './preview-worker.ts';

export const PREVIEW_KINDS = ['store', 'device', 'key', 'campaign', 'content'] as const;
export const CHANGES = ['new', 'changed', 'same'] as const;
export type Change = (typeof CHANGES)[number];

export interface PreviewItem {
  readonly kind: (typeof PREVIEW_KINDS)[number];
  readonly id: string;
  readonly name: string | null;
  readonly change: Change;
}

export interface Preview {
  readonly counts: readonly { readonly kind: PreviewItem['kind']; readonly new: number; readonly changed: number; readonly same: number }[];
  /** New and changed ones, the first `MAX_ITEMS`. */
  readonly items: readonly PreviewItem[];
  readonly more: number;
}

const MAX_ITEMS = 200;
const AT_ONCE = 100;
const MAX_HEAP_MB = 1_024;

/** @throws Problem that names every fault, as the import would. */
export async function previewImport(registry: RegistryEntries, body: Uint8Array<ArrayBuffer>, format: ImportFormat): Promise<Preview> {
  return new Comparison(registry).run(await readInWorker(body, format));
}

/** Reading takes a while for a long document: on a thread of its own, so that this one goes on answering. */
function readInWorker(body: Uint8Array<ArrayBuffer>, format: ImportFormat): Promise<ImportPlan> {
  const worker = new Worker(new URL('./preview-worker.ts', import.meta.url), {
    workerData: { body, format },
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
  });
  return new Promise((resolve, reject) => {
    worker.once('message', (reading: Reading) => {
      if ('plan' in reading) resolve(reading.plan);
      else reject(new Problem(reading.refused.code as Code, reading.refused.detail, reading.refused.extra));
    });
    worker.once('error', (error: unknown) => {
      const tooLarge = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      reject(tooLarge ? new Problem('too_large', 'The document takes more memory than there is for it; send it in parts.') : error);
    });
    worker.once('exit', (code) => reject(new Error(`reading the import ended with exit code ${code} and without a word`)));
  });
}

class Comparison {
  readonly #registry: RegistryEntries;
  readonly #faults = new ImportFaults();
  readonly #counts = new Map(PREVIEW_KINDS.map((kind) => [kind, { new: 0, changed: 0, same: 0 }]));
  readonly #items: PreviewItem[] = [];
  readonly #devices = new Map<string, DeviceEntry | null>();
  #done = 0;

  constructor(registry: RegistryEntries) {
    this.#registry = registry;
  }

  async run(plan: ImportPlan): Promise<Preview> {
    await this.#fields('store', plan.stores);
    await this.#deviceList(plan);
    await this.#keys(plan);
    await this.#fields('campaign', plan.campaigns);
    await this.#fields('content', plan.contents);
    this.#faults.throwIfAny();
    return {
      counts: [...this.#counts].map(([kind, counts]) => ({ kind, ...counts })),
      items: this.#items.slice(0, MAX_ITEMS),
      more: Math.max(0, this.#items.length - MAX_ITEMS),
    };
  }

  async #fields<K extends Exclude<Kind, 'device'>>(kind: K, list: readonly Planned<EntryTypes[K]['fields']>[]): Promise<void> {
    for (const { id, value } of list) {
      const entry = await this.#registry.get(kind, id);
      const same = entry !== null && isDeepStrictEqual({ ...entry, [`${kind}Id`]: undefined }, { ...value, [`${kind}Id`]: undefined });
      await this.#note(kind, id, 'name' in value ? value.name : null, entry === null ? 'new' : same ? 'same' : 'changed');
    }
  }

  async #deviceList({ devices, stores }: ImportPlan): Promise<void> {
    const planned = new Set(stores.map(({ id }) => id));
    for (const { id, value, place } of devices) {
      for (const storeId of storesOf(value)) {
        if (planned.has(storeId) || (await this.#registry.get('store', storeId)) !== null) continue;
        this.#faults.add(place, {
          field: '/store_id',
          told: `unknown_store: The store ${storeId} is not registered`,
          code: 'unknown_store',
        });
      }
      const entry = await this.#device(id);
      await this.#note('device', id, null, entry === null ? 'new' : sameDevice(entry, value) ? 'same' : 'changed');
    }
  }

  async #keys({ keys, devices }: ImportPlan): Promise<void> {
    const planned = new Set(devices.map(({ id }) => id));
    for (const { id, value, place } of keys) {
      const device = await this.#device(id);
      if (device === null && !planned.has(id)) {
        this.#faults.add(place, { field: '/device_id', told: `not_found: There is no device ${id}`, code: 'not_found' });
        continue;
      }
      await this.#note('key', value.key.keyId, id, keyChange(device, value));
    }
  }

  async #device(id: string): Promise<DeviceEntry | null> {
    const known = this.#devices.get(id);
    if (known !== undefined) return known;
    const entry = await this.#registry.get('device', id);
    this.#devices.set(id, entry);
    return entry;
  }

  async #note(kind: PreviewItem['kind'], id: string, name: string | null, change: Change): Promise<void> {
    const counts = this.#counts.get(kind);
    if (counts) counts[change] += 1;
    if (change !== 'same') this.#items.push({ kind, id, name, change });
    this.#done += 1;
    if (this.#done % AT_ONCE === 0) await nextTurn();
  }
}

function storesOf(device: PlannedDevice): readonly string[] {
  return 'put' in device ? [device.put.storeId] : device.history.map(({ storeId }) => storeId);
}

function sameDevice({ assignments }: DeviceEntry, device: PlannedDevice): boolean {
  if ('history' in device) return device.history.every((one) => assignments.some((known) => isDeepStrictEqual(known, one)));
  const now = assignments.at(-1);
  return now?.storeId === device.put.storeId && now.active === device.put.active;
}

function keyChange(device: DeviceEntry | null, { key, compromisedAt }: PlannedKey): Change {
  const known = device?.keys.find(({ keyId }) => keyId === key.keyId);
  if (!known) return 'new';
  return compromisedAt === null || known.compromisedAt === compromisedAt ? 'same' : 'changed';
}
