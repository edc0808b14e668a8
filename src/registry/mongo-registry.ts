/**
 * The registry on MongoDB, written by several nodes at once. There are no transactions: each change is one document, written only
 * where its version is still the one that it is based on, and otherwise decided again.
 */
import type { Db } from 'mongodb';
import type { DeviceKey } from '../domain/facts.ts';
import { ANSWER_MS, MongoConnection, type MongoOptions, MongoUnavailable } from '../mongo/mongo-connection.ts';
import { MongoSchema } from '../mongo/mongo-schema.ts';
import { Problem } from '../server/problem.ts';
import { addedKey, type KeptKey, revokedKey } from './key-rules.ts';
import { layOutChanges, noteChanges, WRITE_MS } from './mongo-changes.ts';
import { ENTRY_OF, type KeptDevice, keyOf, type KeptTypes, putDevice, replaced, storeStates, tableOf } from './mongo-documents.ts';
import { ImportKeeper } from './mongo-import.ts';
import { isSame, type Kept, type State } from './mongo-table.ts';
import { busy, noDevice, noKey, retired } from './refusals.ts';
import type { DeviceFields, EntryTypes, ImportCounts, ImportFormat, KeyFields, Kind, Put, Registry, Revocation } from './registry.ts';

/** How often a change is decided again because somebody else was faster. */
const ATTEMPTS = 20;

export class MongoRegistry implements Registry {
  readonly #connection: MongoConnection;
  readonly #schema: MongoSchema;
  readonly #imports: ImportKeeper;
  readonly #now: () => number;

  /**
   * Opens without waiting for MongoDB; calls fail with `unavailable` until it is there.
   * @param url PLAYPROOF_MONGODB_URL. @throws Error with a sentence when it is no connection string.
   */
  constructor(url: string, options: MongoOptions & { readonly now?: () => number } = {}) {
    const { now = Date.now, ...rest } = options;
    this.#connection = new MongoConnection(url, rest);
    this.#schema = new MongoSchema(this.#connection, [], layOutChanges);
    this.#imports = new ImportKeeper(url, this.#connection, options.log ?? (() => {}));
    this.#now = now;
  }

  /** Lays the database out where that was not done yet. @throws Problem unavailable; Error when a newer version did. */
  async ready(): Promise<void> {
    await this.#ask(WRITE_MS, () => this.#schema.ready());
  }

  async put<K extends Kind>(kind: K, id: string, fields: EntryTypes[K]['fields']): Promise<Put<EntryTypes[K]['entry']>> {
    const now = this.#now();
    const { before, after } = await this.#change(kind, id, async (found) => {
      if (kind !== 'device') return replaced(kind, id, found as never, fields as never) as State<KeptTypes[K]>;
      const device = fields as DeviceFields;
      const stores = storeStates(await tableOf(this.#connection.db, 'store').findMany([device.storeId]));
      return putDevice(id, found as Kept<KeptDevice> | null, device, stores, now) as State<KeptTypes[K]>;
    });
    return { created: before === null, entry: ENTRY_OF[kind](id, (after as State<KeptTypes[K]>).entry) };
  }

  async get<K extends Kind>(kind: K, id: string): Promise<EntryTypes[K]['entry'] | null> {
    const found = await this.#ask(ANSWER_MS, (db) => tableOf(db, kind).find(id));
    return found && found.retired_at === null ? ENTRY_OF[kind](id, found.entry) : null;
  }

  async list<K extends Kind>(kind: K, after: string | null, limit: number): Promise<EntryTypes[K]['entry'][]> {
    const page = await this.#ask(ANSWER_MS, (db) => tableOf(db, kind).page(after, limit));
    return page.map(({ _id, entry }) => ENTRY_OF[kind](_id, entry));
  }

  async retire(kind: Kind, id: string): Promise<boolean> {
    const now = this.#now();
    const { before } = await this.#change(kind, id, (found) => found && { retired_at: found.retired_at ?? now, entry: found.entry });
    return before !== null;
  }

  async addKey(deviceId: string, key: KeyFields): Promise<Put<DeviceKey>> {
    const { before, after } = await this.#changeDevice(deviceId, (device) => {
      if (device.retired_at !== null) throw retired('device', deviceId);
      const { keys } = device.entry;
      const added = addedKey(keyNamed(keys, key.keyId), keys.length, key);
      return added ? { ...device, entry: { ...device.entry, keys: [...keys, added] } } : device;
    });
    const entry = keyNamed(after.entry.keys, key.keyId) as KeptKey;
    return { created: before.entry.keys.length < after.entry.keys.length, entry: keyOf(entry) };
  }

  async revokeKey(deviceId: string, keyId: string, revocation: Revocation): Promise<DeviceKey> {
    const now = this.#now();
    const { after } = await this.#changeDevice(deviceId, (device) => {
      const { keys } = device.entry;
      const key = keyNamed(keys, keyId);
      if (!key) throw noKey(keyId);
      const revoked = revokedKey(key, revocation, now);
      return { ...device, entry: { ...device.entry, keys: keys.map((one) => (one === key ? revoked : one)) } };
    });
    return keyOf(keyNamed(after.entry.keys, keyId) as KeptKey);
  }

  /** A key as it was registered, of a retired device too; null: there is none. */
  async publicKey(deviceId: string, keyId: string): Promise<string | null> {
    const device = await this.#ask(ANSWER_MS, (db) => tableOf(db, 'device').find(deviceId));
    return keyNamed(device?.entry.keys ?? [], keyId)?.publicKey ?? null;
  }

  /**
   * Checks everything first, and then writes it: see mongo-import.ts for what others may see of it meanwhile, and for what
   * becomes of an import that a crash cut short.
   */
  async importDocument(body: Uint8Array<ArrayBuffer>, format: ImportFormat): Promise<ImportCounts> {
    await this.ready();
    return this.#imports.run(body, format, this.#now());
  }

  async close(): Promise<void> {
    await this.#imports.close();
    await this.#connection.close();
  }

  async #changeDevice(
    id: string,
    decide: (device: Kept<KeptDevice>) => State<KeptDevice>,
  ): Promise<{ readonly before: Kept<KeptDevice>; readonly after: State<KeptDevice> }> {
    const { before, after } = await this.#change('device', id, (found) => {
      if (!found) throw noDevice(id);
      return decide(found);
    });
    return { before: before as Kept<KeptDevice>, after: after as State<KeptDevice> };
  }

  /**
   * Reads the entry, decides what it becomes, and writes that unless it is the same. The note comes before the write
   * (mongo-changes.ts).
   * @param decide Null: nothing is to be written.
   */
  async #change<K extends Kind>(
    kind: K,
    id: string,
    decide: (before: Kept<KeptTypes[K]> | null) => State<KeptTypes[K]> | null | Promise<State<KeptTypes[K]> | null>,
  ): Promise<{ readonly before: Kept<KeptTypes[K]> | null; readonly after: State<KeptTypes[K]> | null }> {
    await this.ready();
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const before = await this.#ask(ANSWER_MS, (db) => tableOf(db, kind).find(id));
      const after = await this.#ask(ANSWER_MS, async () => decide(before));
      if (after === null || isSame(before, after)) return { before, after };
      const { retired_at, entry } = after;
      // From the note to the answer it is one bound: views reckon with it.
      const written = await this.#ask(WRITE_MS, async (db) => {
        await noteChanges(db, [{ kind, id }]);
        return tableOf(db, kind).write({ id, before, after: { retired_at, entry } });
      });
      if (written) return { before, after };
    }
    throw busy();
  }

  async #ask<T>(ms: number, work: (db: Db) => Promise<T>): Promise<T> {
    try {
      return await this.#connection.ask(ms, work);
    } catch (error) {
      if (!(error instanceof MongoUnavailable)) throw error;
      throw new Problem('unavailable', 'The registry cannot be asked now; send again.', { retryAfter: 2 });
    }
  }
}

function keyNamed(keys: readonly KeptKey[], keyId: string): KeptKey | null {
  return keys.find((key) => key.keyId === keyId) ?? null;
}
