/** Devices in SQLite: where each stands, since when, and where it stood before. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { formatInstant } from '../domain/timestamp.ts';
import { Problem } from '../server/problem.ts';
import type { ChangeLog } from './database.ts';
import { keyFromRow } from './facts.ts';
import { type AssignmentEntry, type DeviceEntry, type DeviceFields, MAX_ASSIGNMENTS_PER_DEVICE, type Put } from './registry.ts';
import { type EntryTable, retired } from './sqlite-entries.ts';

/** Several changes may be made in one millisecond, or around a small step back of the clock; each gets an instant of its own. */
const JUST_MADE_MS = 1_000;

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

  /** A change without `since` is in force from `now` on: right after the last one, where that was made just now too. */
  put(id: string, fields: DeviceFields, now: number): Put<DeviceEntry> {
    const created = !this.#registered(id);
    const { storeId, active } = fields;
    this.#demandStore(storeId, '/store_id');
    if (created) {
      this.#insert.run(id);
      this.#append(id, 0, [{ storeId, active, since: null }]);
    } else {
      this.#change(id, fields, now);
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
    for (const [place, assignment] of given.entries()) {
      const before = known[place];
      if (!before || sameAssignment(before, assignment)) continue;
      throw new Problem('invalid_field', 'contradicts the history that is registered, which can be added to and not changed', {
        fields: [`/assignments/${place}`],
      });
    }
    const added = given.slice(known.length);
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

  #change(id: string, { storeId, active, since }: DeviceFields, now: number): void {
    const history = this.#history(id);
    const last = history.at(-1) as AssignmentEntry;
    const latest = last.since ?? Number.NEGATIVE_INFINITY;
    if (last.storeId === storeId && last.active === active) {
      // Saying again what holds is no change, unless it is said to have held earlier than it did.
      if (since !== null && since < latest) throw notTheNewest(latest);
      return;
    }
    const from = since ?? (latest < now + JUST_MADE_MS ? Math.max(now, latest + 1) : now);
    if (from <= latest) throw notTheNewest(latest);
    this.#append(id, history.length, [{ storeId, active, since: from }]);
  }

  #demandStore(storeId: string, field: string, retiredToo = false): void {
    const row = this.#store.get(storeId);
    if (row && (retiredToo || row.retired_at === null)) return;
    throw new Problem('unknown_store', `The store ${storeId} is ${row ? 'retired' : 'not registered'}; register the store first.`, {
      fields: [field],
    });
  }

  #append(id: string, from: number, added: readonly AssignmentEntry[]): void {
    if (from + added.length > MAX_ASSIGNMENTS_PER_DEVICE) {
      throw new Problem('invalid_field', `A device keeps at most ${MAX_ASSIGNMENTS_PER_DEVICE} assignments; register it under a new id.`, {
        fields: ['/store_id'],
      });
    }
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

function sameAssignment(a: AssignmentEntry, b: AssignmentEntry): boolean {
  return a.storeId === b.storeId && a.active === b.active && a.since === b.since;
}

function notTheNewest(latest: number): Problem {
  return new Problem(
    'invalid_field',
    `The latest change of this device is registered from ${formatInstant(latest)} on and history is not rewritten; give a "since" after that.`,
    { fields: ['/since'] },
  );
}
