/**
 * What is registered, by name: a list in memory, made from the registry's own pages, for searching and for showing names instead
 * of ids. It serves any registry behind the port, and is at most `MAX_AGE_MS` behind it, not at all behind writes through
 * `watched`.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EntryTypes, Kind, Registry, RegistryEntries } from '../registry/registry.ts';

const MAX_AGE_MS = 2_000;
const PAGE = 500;
/** Of each kind; a registry with more is shown in part, and says so. */
const MAX_ENTRIES = 200_000;

export interface Listed {
  readonly kind: Kind;
  readonly id: string;
  /** For a device the name of its store; null where nothing was named. */
  readonly name: string | null;
  readonly store_id?: string;
  readonly supplier_id?: string;
  readonly advertiser_id?: string;
  readonly region?: string | null;
  readonly time_zone?: string | null;
  readonly location?: { readonly lat: number; readonly lng: number };
  readonly duration?: number;
  readonly active?: boolean;
  readonly keys?: number;
}

export interface KindList {
  /** By name, then by id. */
  readonly items: readonly Listed[];
  readonly byId: ReadonlyMap<string, Listed>;
  /** Not all of them: there are more than are held. */
  readonly truncated: boolean;
}

export class Directory {
  readonly #registry: RegistryEntries;
  readonly #lists = new Map<Kind, { readonly madeAt: number; readonly list: Promise<KindList> }>();

  constructor(registry: RegistryEntries) {
    this.#registry = registry;
  }

  /** @throws Problem as the registry throws it */
  async list(kind: Kind): Promise<KindList> {
    const known = this.#lists.get(kind);
    if (known && performance.now() - known.madeAt < MAX_AGE_MS) return known.list;
    const list = this.#read(kind);
    this.#lists.set(kind, { madeAt: performance.now(), list });
    // What failed is not kept: the next one asks again.
    list.catch(() => this.#lists.delete(kind));
    return list;
  }

  /** The registry, whose writes this directory sees at once. */
  watched(registry: Registry): Registry {
    const seen = async <T>(done: Promise<T>): Promise<T> => {
      try {
        return await done;
      } finally {
        this.#lists.clear();
      }
    };
    return {
      get: (kind, id) => registry.get(kind, id),
      list: (kind, after, limit) => registry.list(kind, after, limit),
      put: (kind, id, fields) => seen(registry.put(kind, id, fields)),
      retire: (kind, id) => seen(registry.retire(kind, id)),
      addKey: (deviceId, key) => seen(registry.addKey(deviceId, key)),
      revokeKey: (deviceId, keyId, revocation) => seen(registry.revokeKey(deviceId, keyId, revocation)),
      importDocument: (body, format) => seen(registry.importDocument(body, format)),
    };
  }

  async #read(kind: Kind): Promise<KindList> {
    const stores = kind === 'device' ? (await this.list('store')).byId : new Map<string, Listed>();
    const items: Listed[] = [];
    let after: string | null = null;
    let truncated = false;
    for (;;) {
      const page: EntryTypes[Kind]['entry'][] = await this.#registry.list(kind, after, PAGE);
      for (const entry of page) items.push(listed(kind, entry, stores));
      after = items.at(-1)?.id ?? null;
      truncated = items.length >= MAX_ENTRIES;
      if (page.length < PAGE || truncated) break;
      // A long list must not hold up whoever else this thread answers.
      await nextTurn();
    }
    items.sort((a, b) => (a.name ?? '').localeCompare(b.name ?? '') || (a.id < b.id ? -1 : 1));
    return { items, byId: new Map(items.map((item) => [item.id, item])), truncated };
  }
}

function listed(kind: Kind, entry: EntryTypes[Kind]['entry'], stores: ReadonlyMap<string, Listed>): Listed {
  if ('deviceId' in entry) {
    const now = entry.assignments.at(-1);
    return {
      kind,
      id: entry.deviceId,
      name: stores.get(now?.storeId ?? '')?.name ?? null,
      ...(now && { store_id: now.storeId, active: now.active }),
      keys: entry.keys.length,
    };
  }
  if ('campaignId' in entry) return { kind, id: entry.campaignId, name: entry.name, advertiser_id: entry.advertiserId };
  if ('contentId' in entry) return { kind, id: entry.contentId, name: entry.name, duration: entry.durationMs / 1000 };
  const { storeId, name, supplierId, location, region, timeZone } = entry;
  return { kind, id: storeId, name, supplier_id: supplierId, location, region, time_zone: timeZone };
}

/** A shorter part of an id says nothing: nearly every id has it somewhere. */
const MIN_ID_PART = 4;

/** Words in any order, each anywhere in the name, the region or an id; without regard to case and marks. */
export function matches(item: Listed, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  const text = fold(`${item.name ?? ''} ${item.region ?? ''}`);
  const ids = `${item.id} ${item.supplier_id ?? ''} ${item.advertiser_id ?? ''}`;
  return words.every((word) => text.includes(word) || (word.length >= MIN_ID_PART && ids.includes(word)));
}

export function wordsOf(text: string): string[] {
  return fold(text)
    .split(/\s+/)
    .filter((word) => word !== '');
}

function fold(text: string): string {
  return text.normalize('NFD').replaceAll(/\p{M}/gu, '').replaceAll('đ', 'd').replaceAll('Đ', 'd').toLowerCase();
}
