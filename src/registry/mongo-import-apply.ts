/**
 * What an import changes, entry by entry. The same code checks an import (and writes nothing), writes it, and finishes one that
 * was cut short: every entry says what it becomes from what is there, and becomes the same however often it is asked.
 */
import type { Db } from 'mongodb';
import { type MongoConnection, MongoUnavailable } from '../mongo/mongo-connection.ts';
import { Problem } from '../server/problem.ts';
import type { ImportPlan, Planned, PlannedDevice, PlannedKey } from './import.ts';
import { ImportFaults } from './import-faults.ts';
import { addedKey, compromisedKey } from './key-rules.ts';
import { NOTE_ALL, noteChanges, WRITE_MS } from './mongo-changes.ts';
import {
  type KeptDevice,
  type KeptTypes,
  putDevice,
  putHistory,
  type ReplacedKind,
  replaced,
  type StoreStates,
  storeStates,
  tableOf,
} from './mongo-documents.ts';
import { type Change, isSame, type Kept, type MongoTable, type State } from './mongo-table.ts';
import { noDevice, retired } from './refusals.ts';
import type { ImportCounts, Kind } from './registry.ts';

/** Entries that are read, decided and written together. */
const CHUNK = 500;
/** How often a chunk is decided again because others change the same entries. */
const ROUNDS = 10;

/** One entry, and what the import makes of it. Faults are noted, and then it stays as it is. */
interface Item<Entry> {
  readonly id: string;
  readonly decide: (before: Kept<Entry> | null, stores: StoreStates, faults: ImportFaults) => State<Entry> | null;
  /** Stores that it names. */
  readonly stores: readonly string[];
}

interface Step<K extends Kind = Kind> {
  readonly kind: K;
  readonly items: readonly Item<KeptTypes[K]>[];
}

export class ImportApplication {
  readonly #connection: MongoConnection;
  readonly #plan: ImportPlan;
  readonly #steps: readonly Step[];
  readonly #planned: ReadonlySet<string>;

  /** @param now When the import was made; the same when it is finished by somebody else later. */
  constructor(connection: MongoConnection, plan: ImportPlan, now: number) {
    this.#connection = connection;
    this.#plan = plan;
    this.#planned = new Set(plan.stores.map(({ id }) => id));
    // Others judge logs meanwhile. Devices come last: their logs are taken when everything that a verdict needs is there.
    this.#steps = [
      { kind: 'store', items: plan.stores.map((one) => replacing('store', one)) } satisfies Step<'store'> as unknown as Step,
      { kind: 'content', items: plan.contents.map((one) => replacing('content', one)) } satisfies Step<'content'> as unknown as Step,
      { kind: 'campaign', items: plan.campaigns.map((one) => replacing('campaign', one)) } satisfies Step<'campaign'> as unknown as Step,
      { kind: 'device', items: devicesOf(plan, now) } satisfies Step<'device'> as unknown as Step,
    ];
  }

  get counts(): ImportCounts {
    const { stores, devices, keys, campaigns, contents } = this.#plan;
    return {
      stores: stores.length,
      devices: devices.length,
      keys: keys.length,
      campaigns: campaigns.length,
      contents: contents.length,
    };
  }

  /** Writes nothing. @throws Problem that names every fault; MongoUnavailable */
  async check(): Promise<void> {
    const faults = new ImportFaults();
    await this.#each(async (table, items) => {
      await this.#decide(table, items, faults);
    });
    faults.throwIfAny();
  }

  /**
   * Writes what is not as it should be yet.
   * @returns the faults of entries that others changed since the check; everything else is written. @throws MongoUnavailable
   */
  async apply(): Promise<ImportFaults> {
    const faults = new ImportFaults();
    await this.#each(async (table, items, kind) => {
      for (let round = 0; ; round += 1) {
        if (round === ROUNDS) throw new MongoUnavailable('others keep changing the entries of this import');
        const found = new ImportFaults();
        const changes = await this.#decide(table, items, found);
        if (changes.length === 0) {
          faults.addAll(found);
          return;
        }
        await this.#ask(async (db) => {
          await noteChanges(
            db,
            changes.map(({ id }) => ({ kind, id })),
          );
          await table.writeMany(changes);
        });
      }
    });
    return faults;
  }

  /** Tells all views to read everything again. */
  async noteAll(): Promise<void> {
    await this.#ask((db) => noteChanges(db, [NOTE_ALL]));
  }

  async #each(work: (table: MongoTable<unknown>, items: readonly Item<unknown>[], kind: Kind) => Promise<void>): Promise<void> {
    for (const { kind, items } of this.#steps) {
      for (let from = 0; from < items.length; from += CHUNK) {
        // Which kind it is does not matter from here on: each item brings its own way to decide.
        const table = tableOf(this.#connection.db, kind) as unknown as MongoTable<unknown>;
        await work(table, items.slice(from, from + CHUNK) as unknown as readonly Item<unknown>[], kind);
      }
    }
  }

  async #decide(table: MongoTable<unknown>, items: readonly Item<unknown>[], faults: ImportFaults): Promise<Change<unknown>[]> {
    const named = new Set(items.flatMap(({ stores }) => stores));
    const [found, stores] = await this.#ask((db) =>
      Promise.all([table.findMany(items.map(({ id }) => id)), tableOf(db, 'store').findMany(named)]),
    );
    const states = new Map(storeStates(stores));
    // Those that come with the import are as good as registered, while it is only being checked.
    for (const id of named) if (!states.has(id) && this.#planned.has(id)) states.set(id, 'registered');
    const changes: Change<unknown>[] = [];
    for (const { id, decide } of items) {
      const before = found.get(id) ?? null;
      const after = decide(before, states, faults);
      if (after && !isSame(before, after)) changes.push({ id, before, after: { retired_at: after.retired_at, entry: after.entry } });
    }
    return changes;
  }

  #ask<T>(work: (db: Db) => Promise<T>): Promise<T> {
    return this.#connection.ask(WRITE_MS, work);
  }
}

function replacing<K extends ReplacedKind>(kind: K, { place, id, value }: Planned<KeptTypes[K]>): Item<KeptTypes[K]> {
  return {
    id,
    stores: [],
    decide: (before, _stores, faults) => {
      try {
        return replaced(kind, id, before, value);
      } catch (error) {
        noteProblem(faults, place, error);
        return null;
      }
    },
  };
}

interface DeviceParts {
  device: Planned<PlannedDevice> | null;
  readonly keys: Planned<PlannedKey>[];
}

/** A device and all its keys become one item: they are one document. */
function devicesOf(plan: ImportPlan, now: number): Item<KeptDevice>[] {
  const parts = new Map<string, DeviceParts>();
  const partsOf = (id: string): DeviceParts => {
    const known = parts.get(id) ?? { device: null, keys: [] };
    parts.set(id, known);
    return known;
  };
  for (const device of plan.devices) partsOf(device.id).device = device;
  for (const key of plan.keys) partsOf(key.id).keys.push(key);
  return Array.from(parts, ([id, { device, keys }]) => ({
    id,
    stores: device ? storesOf(device.value) : [],
    decide: (before, stores, faults) => decideDevice(id, { device, keys }, before, { stores, faults, now }),
  }));
}

function decideDevice(
  id: string,
  { device, keys }: DeviceParts,
  before: Kept<KeptDevice> | null,
  { stores, faults, now }: { readonly stores: StoreStates; readonly faults: ImportFaults; readonly now: number },
): State<KeptDevice> | null {
  let state: State<KeptDevice> | null = before;
  let whole = true;
  const attempt = (planned: Planned<unknown>, work: () => State<KeptDevice>): void => {
    try {
      state = work();
    } catch (error) {
      noteProblem(faults, planned.place, error);
      whole = false;
    }
  };
  if (device) {
    const { value } = device;
    attempt(device, () => ('put' in value ? putDevice(id, before, value.put, stores, now) : putHistory(id, before, value.history, stores)));
  }
  for (const key of keys) {
    // Its keys are no fault of their own where the device is one.
    if (!state && device) continue;
    attempt(key, () => withKey(id, state, key.value));
  }
  return whole ? state : null;
}

function withKey(id: string, state: State<KeptDevice> | null, { key, compromisedAt }: PlannedKey): State<KeptDevice> {
  if (!state) throw noDevice(id);
  if (state.retired_at !== null) throw retired('device', id);
  const { keys } = state.entry;
  const found = keys.find(({ keyId }) => keyId === key.keyId) ?? null;
  const added = addedKey(found, keys.length, key);
  const all = added ? [...keys, added] : keys;
  if (compromisedAt === null) return { ...state, entry: { ...state.entry, keys: all } };
  const marked = all.map((one) => (one.keyId === key.keyId ? compromisedKey(one, compromisedAt) : one));
  return { ...state, entry: { ...state.entry, keys: marked } };
}

function storesOf(device: PlannedDevice): string[] {
  return 'put' in device ? [device.put.storeId] : device.history.map(({ storeId }) => storeId);
}

function noteProblem(faults: ImportFaults, place: Planned<unknown>['place'], error: unknown): void {
  if (!(error instanceof Problem)) throw error;
  faults.addProblem(place, error);
}
