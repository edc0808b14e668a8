/** The registry on MongoDB as a verify worker sees it. */
import type { Db } from 'mongodb';
import { type FactIds, RegistryUnavailable, type RegistryView } from '../accept/registry-view.ts';
import type { CampaignFacts, ContentFacts, DeviceFacts, FactSource } from '../domain/facts.ts';
import { MongoConnection, type MongoOptions } from '../mongo/mongo-connection.ts';
import { type Note, readChanges, RESTLESS_MS } from './mongo-changes.ts';
import { campaignFacts, contentFacts, deviceFacts, tableOf } from './mongo-documents.ts';
import { type Loaded, MongoFactCache, type Stale } from './mongo-fact-cache.ts';

export interface ViewLimits {
  readonly devices: number;
  readonly campaigns: number;
  readonly contents: number;
}

export interface MongoViewOptions extends MongoOptions {
  readonly limits?: ViewLimits;
  /** Told after every look that succeeded: how long ago it began, milliseconds. */
  readonly onLook?: (ageMs: number) => void;
}

const LIMITS: ViewLimits = { devices: 200_000, campaigns: 50_000, contents: 50_000 };

/** How often the view looks for changes by itself: with the time of a look this bounds how late a change arrives. */
const LOOK_EVERY_MS = 500;
/** Logs wait for these answers. */
const LOOK_MS = 2_000;
const CONNECTIONS = 4;

/**
 * What was read before is served as long as the newest look for changes is younger than the age that is asked for; entries that
 * are not held are read. While MongoDB is away, facts are served up to that age, and then every call fails at once until a look in
 * the background has succeeded again: no queue of judges waits for it.
 *
 * What of a call's entries cannot be read is told by name then, since the others can still be judged by. An entry that was noted as
 * changed, and was not read since, is among those that cannot be read: that it is out of date is known.
 *
 * A change reaches every view within LOOK_EVERY_MS and the time of a look; where looks fail, nothing is judged by facts that are
 * older than the judges ask for (5 s, or what an operator allows). Entries that did not change stay the same objects.
 */
export class MongoRegistryView implements RegistryView {
  readonly facts: FactSource;
  readonly #connection: MongoConnection;
  readonly #timer: NodeJS.Timeout;
  readonly #onLook: (ageMs: number) => void;
  readonly #devices: MongoFactCache<DeviceFacts>;
  readonly #campaigns: MongoFactCache<CampaignFacts>;
  readonly #contents: MongoFactCache<ContentFacts>;
  #revision: number | null = null;
  /** When the newest look that succeeded began. */
  #lookedAt = Number.NEGATIVE_INFINITY;
  #failed: RegistryUnavailable | null = null;
  #look: Promise<void> | null = null;
  /** Raised whenever anything held was marked stale, for either reason. */
  readonly #marks: Record<Stale, number> = { outdated: 0, restless: 0 };
  /** Noted changes that may still be about to happen, until when. */
  readonly #restless = new Map<string, { readonly note: Note; until: number }>();

  /** @throws Error with a sentence when `url` is no connection string. */
  constructor(url: string, options: MongoViewOptions = {}) {
    const { limits = LIMITS, onLook = () => {}, ...rest } = options;
    this.#onLook = onLook;
    this.#connection = new MongoConnection(url, { connections: CONNECTIONS, ...rest });
    const devices = new MongoFactCache<DeviceFacts>(limits.devices);
    const campaigns = new MongoFactCache<CampaignFacts>(limits.campaigns);
    const contents = new MongoFactCache<ContentFacts>(limits.contents);
    this.#devices = devices;
    this.#campaigns = campaigns;
    this.#contents = contents;
    this.facts = {
      device: (id) => devices.get(id),
      campaign: (id) => campaigns.get(id),
      content: (id) => contents.get(id),
    };
    this.#timer = setInterval(() => {
      // Its failure is kept, and told to whoever needs a look.
      if (!this.#look) void this.#startLook().catch(() => {});
    }, LOOK_EVERY_MS);
    this.#timer.unref();
  }

  prepare(ids: FactIds, maxAgeMs: number): void | Promise<void> {
    if (this.#isYounger(maxAgeMs) && this.#missing(ids) === null) return;
    return this.#prepare(ids, maxAgeMs);
  }

  close(): void {
    clearInterval(this.#timer);
    // Nothing waits for it: what is in flight ends with the connection.
    void this.#connection.close().catch(() => {});
  }

  async #prepare(ids: FactIds, maxAgeMs: number): Promise<void> {
    const asked = performance.now();
    while (!this.#isYounger(maxAgeMs)) {
      if (this.#failed) throw this.#failed;
      // One that is under way may have begun too early for this caller; then there is another.
      await (this.#look ?? this.#startLook());
      if (this.#lookedAt >= asked) break;
    }
    const missing = this.#missing(ids);
    if (!missing) return;
    try {
      // Looks fail: a load would keep the judge waiting for the same answer.
      if (this.#failed) throw this.#failed;
      await this.#load(missing, ids);
    } catch (cause) {
      if (!(cause instanceof RegistryUnavailable) || !this.#isYounger(maxAgeMs)) throw cause;
      const unread = this.#unusable(missing, performance.now() - maxAgeMs);
      if (unread.devices.size + unread.campaigns.size + unread.contents.size === 0) return;
      throw new RegistryUnavailable(cause.message, { cause, missing: unread });
    }
  }

  #unusable({ devices, campaigns, contents }: Missing, since: number): FactIds {
    return {
      devices: new Set(this.#devices.unusable(devices, since)),
      campaigns: new Set(this.#campaigns.unusable(campaigns, since)),
      contents: new Set(this.#contents.unusable(contents, since)),
    };
  }

  #isYounger(maxAgeMs: number): boolean {
    return performance.now() - this.#lookedAt < maxAgeMs;
  }

  #missing(ids: FactIds): Missing | null {
    const devices = this.#devices.missing(ids.devices);
    const campaigns = this.#campaigns.missing(ids.campaigns);
    const contents = this.#contents.missing(ids.contents);
    return devices.length + campaigns.length + contents.length === 0 ? null : { devices, campaigns, contents };
  }

  #startLook(): Promise<void> {
    const began = performance.now();
    const done = this.#ask((db) => readChanges(db, this.#revision)).then(
      ({ revision, notes }) => {
        this.#take(notes);
        this.#revision = revision;
        this.#lookedAt = began;
        this.#failed = null;
        this.#look = null;
        this.#onLook(performance.now() - began);
      },
      (error: RegistryUnavailable) => {
        this.#failed = error;
        this.#look = null;
        // A server that was stopped may still do what it was told before.
        for (const restless of this.#restless.values()) restless.until = performance.now() + RESTLESS_MS;
        throw error;
      },
    );
    this.#look = done;
    return done;
  }

  #take(notes: readonly Note[]): void {
    const now = performance.now();
    for (const [key, { note, until }] of this.#restless) {
      this.#mark(note, 'restless');
      if (until < now) this.#restless.delete(key);
    }
    for (const note of notes) {
      this.#restless.set(`${note.kind} ${note.id}`, { note, until: now + RESTLESS_MS });
      this.#mark(note, 'outdated');
    }
  }

  #mark({ kind, id }: Note, how: Stale): void {
    this.#marks[how] += 1;
    if (kind === 'device') this.#devices.markStale(id, how);
    else if (kind === 'campaign') this.#campaigns.markStale(id, how);
    else if (kind === 'content') this.#contents.markStale(id, how);
    else if (kind === 'store')
      this.#devices.markStaleWhere(({ assignments }) => assignments.some(({ store }) => store.storeId === id), how);
    else for (const cache of [this.#devices, this.#campaigns, this.#contents]) cache.markAllStale(how);
  }

  async #load({ devices, campaigns, contents }: Missing, wanted: FactIds): Promise<void> {
    const { outdated, restless } = this.#marks;
    const readAt = performance.now();
    const [loadedDevices, loadedCampaigns, loadedContents] = await this.#ask((db) =>
      Promise.all([loadDevices(db, devices), tableOf(db, 'campaign').findMany(campaigns), tableOf(db, 'content').findMany(contents)]),
    );
    const stale = outdated !== this.#marks.outdated ? 'outdated' : restless !== this.#marks.restless ? 'restless' : null;
    this.#devices.put(loadedDevices, readAt, stale, wanted.devices);
    this.#campaigns.put(loadedOf(campaigns, loadedCampaigns, campaignFacts), readAt, stale, wanted.campaigns);
    this.#contents.put(loadedOf(contents, loadedContents, contentFacts), readAt, stale, wanted.contents);
  }

  async #ask<T>(work: (db: Db) => Promise<T>): Promise<T> {
    try {
      return await this.#connection.ask(LOOK_MS, work);
    } catch (cause) {
      throw new RegistryUnavailable(`the registry cannot be read: ${(cause as Error).message}`, { cause });
    }
  }
}

interface Missing {
  readonly devices: readonly string[];
  readonly campaigns: readonly string[];
  readonly contents: readonly string[];
}

async function loadDevices(db: Db, ids: readonly string[]): Promise<Loaded<DeviceFacts>[]> {
  const devices = await tableOf(db, 'device').findMany(ids);
  const named = new Set([...devices.values()].flatMap(({ entry }) => entry.assignments.map(({ storeId }) => storeId)));
  const stores = await tableOf(db, 'store').findMany(named);
  return ids.map((id) => {
    const device = devices.get(id);
    if (!device) return { id, facts: null, stamp: '' };
    const versions = device.entry.assignments.map(({ storeId }) => stores.get(storeId)?.version);
    return { id, facts: deviceFacts(device, stores), stamp: [device.version, ...versions].join(' ') };
  });
}

function loadedOf<Kept extends { readonly version: number }, Facts>(
  ids: readonly string[],
  found: ReadonlyMap<string, Kept>,
  factsOf: (kept: Kept) => Facts | null,
): Loaded<Facts>[] {
  return ids.map((id) => {
    const kept = found.get(id);
    return { id, facts: kept ? factsOf(kept) : null, stamp: String(kept?.version ?? '') };
  });
}
