/** The registry as a verify worker sees it: its own read-only connection, and what it read before. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type FactIds, RegistryUnavailable, type RegistryView } from '../accept/registry-view.ts';
import type { CampaignFacts, ContentFacts, DeviceFacts, FactSource } from '../domain/facts.ts';
import { inSnapshot, openForReading } from './database.ts';
import { FactReader } from './facts.ts';

export interface ViewLimits {
  readonly devices: number;
  readonly campaigns: number;
  readonly contents: number;
}

const LIMITS: ViewLimits = { devices: 200_000, campaigns: 50_000, contents: 50_000 };

/**
 * Every `prepare` first asks SQLite whether another connection committed anything (2 microseconds), so facts are always
 * fresh, whatever age is allowed. Changed entries are read again, all others stay the same objects: whoever caches something by
 * the identity of a key may do so. What is not registered is not remembered: it is asked for again each time.
 */
export class SqliteRegistryView implements RegistryView {
  readonly facts: FactSource;
  readonly #db: DatabaseSync;
  readonly #reader: FactReader;
  readonly #dataVersion: StatementSync;
  readonly #range: StatementSync;
  readonly #changes: StatementSync;
  readonly #devices: FactCache<DeviceFacts>;
  readonly #campaigns: FactCache<CampaignFacts>;
  readonly #contents: FactCache<ContentFacts>;
  #version = -1;
  #revision = 0;

  /** @throws RegistryUnavailable when it cannot be read; a writer must have opened it before. */
  constructor(file: string, limits: ViewLimits = LIMITS) {
    this.#db = attempt(() => openForReading(file));
    this.#reader = new FactReader(this.#db);
    this.#dataVersion = this.#db.prepare('PRAGMA data_version');
    this.#dataVersion.setReturnArrays(true);
    this.#range = this.#db.prepare('SELECT (SELECT min(revision) FROM changes) AS oldest, (SELECT max(revision) FROM changes) AS newest');
    this.#changes = this.#db.prepare('SELECT revision, kind, id FROM changes WHERE revision > ? ORDER BY revision');
    const devices = new FactCache(limits.devices, (id) => this.#reader.device(id));
    const campaigns = new FactCache(limits.campaigns, (id) => this.#reader.campaign(id));
    const contents = new FactCache(limits.contents, (id) => this.#reader.content(id));
    this.#devices = devices;
    this.#campaigns = campaigns;
    this.#contents = contents;
    this.facts = {
      device: (id) => devices.get(id),
      campaign: (id) => campaigns.get(id),
      content: (id) => contents.get(id),
    };
  }

  prepare(ids: FactIds): void {
    attempt(() => {
      this.#dropChanged();
      const devices = this.#devices.missing(ids.devices);
      const campaigns = this.#campaigns.missing(ids.campaigns);
      const contents = this.#contents.missing(ids.contents);
      if (devices.length + campaigns.length + contents.length === 0) return;
      inSnapshot(this.#db, () => {
        this.#devices.load(devices, ids.devices);
        this.#campaigns.load(campaigns, ids.campaigns);
        this.#contents.load(contents, ids.contents);
      });
    });
  }

  close(): void {
    this.#db.close();
  }

  #dropChanged(): void {
    const row = this.#dataVersion.get() as unknown as [number];
    if (row[0] === this.#version) return;
    const { oldest, newest } = this.#range.get() as { oldest: number | null; newest: number | null };
    // At first, and where changes were trimmed away that this view never saw, anything may have changed.
    if (this.#version === -1 || (oldest ?? 0) > this.#revision + 1) {
      this.#devices.clear();
      this.#campaigns.clear();
      this.#contents.clear();
      this.#revision = newest ?? 0;
    } else {
      this.#dropSince(this.#revision);
    }
    // Last, so that a failure above is made up for by the next call.
    this.#version = row[0];
  }

  #dropSince(seen: number): void {
    const stores = new Set<string>();
    let newest = seen;
    for (const { revision, kind, id } of this.#changes.iterate(seen)) {
      if (kind === 'store') stores.add(id as string);
      else if (kind === 'device') this.#devices.drop(id as string);
      else if (kind === 'campaign') this.#campaigns.drop(id as string);
      else this.#contents.drop(id as string);
      newest = revision as number;
    }
    if (stores.size > 0) this.#devices.dropWhere(({ assignments }) => assignments.some(({ store }) => stores.has(store.storeId)));
    this.#revision = newest;
  }
}

/** What was read of one kind, at most `limit` of it, the longest-held dropped first. */
class FactCache<F> {
  readonly #held = new Map<string, F>();
  readonly #limit: number;
  readonly #read: (id: string) => F | null;

  constructor(limit: number, read: (id: string) => F | null) {
    this.#limit = limit;
    this.#read = read;
  }

  get(id: string): F | null {
    return this.#held.get(id) ?? null;
  }

  missing(ids: ReadonlySet<string>): string[] {
    const missing: string[] = [];
    for (const id of ids) if (!this.#held.has(id)) missing.push(id);
    return missing;
  }

  /** Reads `missing`; makes room without dropping any of `wanted`, which may go over the limit while they are needed. */
  load(missing: readonly string[], wanted: ReadonlySet<string>): void {
    for (const id of missing) {
      const facts = this.#read(id);
      if (facts !== null) this.#held.set(id, facts);
    }
    let excess = this.#held.size - this.#limit;
    if (excess <= 0) return;
    for (const id of this.#held.keys()) {
      if (wanted.has(id)) continue;
      this.#held.delete(id);
      excess -= 1;
      if (excess <= 0) return;
    }
  }

  drop(id: string): void {
    this.#held.delete(id);
  }

  dropWhere(changed: (facts: F) => boolean): void {
    for (const [id, facts] of this.#held) if (changed(facts)) this.#held.delete(id);
  }

  clear(): void {
    this.#held.clear();
  }
}

function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new RegistryUnavailable('the registry cannot be read', { cause });
  }
}
