/** The registry on SQLite: `registry.db` of the data directory. */
import { setTimeout as delay } from 'node:timers/promises';
import type { DatabaseSync } from 'node:sqlite';
import type { DeviceKey } from '../domain/facts.ts';
import { inSnapshot, inTransaction, openForWriting, SQLITE_BUSY, sqliteCode } from './database.ts';
import { busy, importing } from './refusals.ts';
import type { EntryTypes, ImportCounts, ImportFormat, KeyFields, Kind, Put, Registry, Revocation } from './registry.ts';
import { importInWorker } from './sqlite-import.ts';
import { asProblem, RegistryTables } from './sqlite-tables.ts';

/** How long one attempt at the write lock may block the thread, how long to wait in between, and for how long altogether. */
const LOCK_WAIT_MS = 5;
const RETRY_MS = 20;
const WRITE_WAIT_MS = 15_000;

export class SqliteRegistry implements Registry {
  readonly #file: string;
  readonly #now: () => number;
  readonly #db: DatabaseSync;
  readonly #tables: RegistryTables;
  #importing = false;

  /** Makes the file where there is none. @throws Error when it cannot be opened. */
  constructor(file: string, now: () => number = Date.now) {
    this.#file = file;
    this.#now = now;
    this.#db = openForWriting(file, LOCK_WAIT_MS);
    this.#tables = new RegistryTables(this.#db);
  }

  put<K extends Kind>(kind: K, id: string, fields: EntryTypes[K]['fields']): Promise<Put<EntryTypes[K]['entry']>> {
    return this.#write(() => this.#tables.entries[kind].put(id, fields, this.#now()));
  }

  async get<K extends Kind>(kind: K, id: string): Promise<EntryTypes[K]['entry'] | null> {
    return inSnapshot(this.#db, () => this.#tables.entries[kind].get(id));
  }

  async list<K extends Kind>(kind: K, after: string | null, limit: number): Promise<EntryTypes[K]['entry'][]> {
    return inSnapshot(this.#db, () => this.#tables.entries[kind].list(after, limit));
  }

  retire(kind: Kind, id: string): Promise<boolean> {
    return this.#write(() => this.#tables.entries[kind].retire(id, this.#now()));
  }

  addKey(deviceId: string, key: KeyFields): Promise<Put<DeviceKey>> {
    return this.#write(() => this.#tables.keys.add(deviceId, key));
  }

  revokeKey(deviceId: string, keyId: string, revocation: Revocation): Promise<DeviceKey> {
    return this.#write(() => this.#tables.keys.revoke(deviceId, keyId, revocation, this.#now()));
  }

  /** One at a time, in a thread of its own; what else is to be written waits until it is done. */
  async importDocument(body: Uint8Array<ArrayBuffer>, format: ImportFormat): Promise<ImportCounts> {
    if (this.#importing) throw importing();
    this.#importing = true;
    try {
      return await importInWorker(this.#file, body, format, this.#now());
    } finally {
      this.#importing = false;
    }
  }

  close(): void {
    this.#db.close();
  }

  /** Waits for the write lock without blocking the thread: an import may hold it for a second or two. */
  async #write<T>(work: () => T): Promise<T> {
    const deadline = performance.now() + WRITE_WAIT_MS;
    for (;;) {
      try {
        return inTransaction(this.#db, work);
      } catch (error) {
        if (sqliteCode(error) !== SQLITE_BUSY) throw asProblem(error);
        if (performance.now() > deadline) throw busy();
      }
      await delay(RETRY_MS);
    }
  }
}
