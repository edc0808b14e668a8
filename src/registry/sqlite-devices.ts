/** Devices in SQLite: where each stands, since when, and where it stood before. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { ChangeLog } from './database.ts';
import { keyFromRow } from './facts.ts';
import { changeOf, demandRoom, newOfHistory } from './history.ts';
import { retired, unknownStore } from './refusals.ts';
import type { AssignmentEntry, DeviceEntry, DeviceFields, Put } from './registry.ts';
import type { EntryTable } from './sqlite-entries.ts';

export class DeviceTable implements EntryTable<'device'> {
  readonly #changes: ChangeLog;
  readonly #find: StatementSync;
  readonly #page: StatementSync;
  readonly #insert: StatementSync;
  readonly #retire: StatementSync;
  readonly #store: StatementSync;
  readonly #assignments: StatementSync;
  readonly #assign: StatementSync;
  readonly #keys: StatementSync;

  constructor(db: DatabaseSync, changes: ChangeLog) {
    this.#changes = changes;
    this.#find = db.prepare('SELECT retired_at FROM devices WHERE id = ?');
    this.#page = db.prepare('SELECT id FROM devices WHERE id > ? AND retired_at IS NULL ORDER BY id LIMIT ?');
    this.#insert = db.prepare('INSERT INTO devices (id) VALUES (?)');
    this.#retire = db.prepare('UPDATE devices SET retired_at = ? WHERE id = ?');
    this.#store = db.prepare('SELECT retired_at FROM stores WHERE id = ?');
    this.#assignments = db.prepare('SELECT store_id, active, since FROM assignments WHERE device_id = ? ORDER BY place');
    this.#assign = db.prepare('INSERT INTO assignments (device_id, place, store_id, active, since) VALUES (?, ?, ?, ?, ?)');
    this.#keys = db.prepare('SELECT * FROM keys WHERE device_id = ? ORDER BY place');
  }

  put(id: string, fields: DeviceFields, now: number): Put<DeviceEntry> {
    const created = !this.#registered(id);
    const { storeId, active } = fields;
    this.#demandStore(storeId, '/store_id');
    if (created) {
      this.#insert.run(id);
      this.#append(id, 0, [{ storeId, active, since: null }]);
    } else {
      const history = this.#history(id);
      const change = changeOf(history, fields, now);
      if (change) this.#append(id, history.length, [change]);
    }
    return { created, entry: this.#read(id) };
  }

  /**
   * Registers the device with a whole history, or adds to its history what is new in this one. An older state of it is no change.
   * @throws Problem unknown_store, id_retired; invalid_field where the two histories contradict each other.
   */
  putHistory(id: string, given: readonly AssignmentEntry[]): void {
    const isNew = !this.#registered(id);
    const known = isNew ? [] : this.#history(id);
    const added = newOfHistory(known, given);
    if (added.length === 0) return;
    // A screen may have stood in a store that is gone; it cannot be standing there now.
    for (const [place, { storeId }] of given.entries()) {
      if (place >= known.length) this.#demandStore(storeId, `/assignments/${place}/store_id`, place < given.length - 1);
    }
    if (isNew) this.#insert.run(id);
    this.#append(id, known.length, added);
  }

  get(id: string): DeviceEntry | null {
    const row = this.#find.get(id);
    return row && row.retired_at === null ? this.#read(id) : null;
  }

  list(after: string | null, limit: number): DeviceEntry[] {
    return this.#page.all(after ?? '', limit).map((row) => this.#read(row.id as string));
  }

  retire(id: string, now: number): boolean {
    const row = this.#find.get(id);
    if (!row) return false;
    if (row.retired_at === null) {
      this.#retire.run(now, id);
      this.#changes.note('device', id);
    }
    return true;
  }

  /** @throws Problem id_retired */
  #registered(id: string): boolean {
    const row = this.#find.get(id);
    if (row && row.retired_at !== null) throw retired('device', id);
    return row !== undefined;
  }

  #demandStore(storeId: string, field: string, retiredToo = false): void {
    const row = this.#store.get(storeId);
    if (row && (retiredToo || row.retired_at === null)) return;
    throw unknownStore(storeId, row !== undefined, field);
  }

  #append(id: string, from: number, added: readonly AssignmentEntry[]): void {
    demandRoom(from + added.length);
    for (const [place, { storeId, active, since }] of added.entries()) this.#assign.run(id, from + place, storeId, active ? 1 : 0, since);
    this.#changes.note('device', id);
  }

  #read(id: string): DeviceEntry {
    return { deviceId: id, assignments: this.#history(id), keys: this.#keys.all(id).map(keyFromRow) };
  }

  #history(id: string): AssignmentEntry[] {
    return this.#assignments.all(id).map((row) => ({
      storeId: row.store_id as string,
      active: row.active === 1,
      since: row.since as number | null,
    }));
  }
}
