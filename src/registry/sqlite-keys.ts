/** The keys of devices in SQLite. A key is added and may be revoked; it is never deleted or exchanged. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { DeviceKey } from '../domain/facts.ts';
import type { ChangeLog } from './database.ts';
import { keyFromRow } from './facts.ts';
import { addedKey, compromisedKey, revokedKey } from './key-rules.ts';
import { noDevice, noKey, retired } from './refusals.ts';
import type { KeyFields, Put, Revocation } from './registry.ts';

/** Writing happens inside the caller's transaction. */
export class KeyTable {
  readonly #changes: ChangeLog;
  readonly #device: StatementSync;
  readonly #find: StatementSync;
  readonly #count: StatementSync;
  readonly #insert: StatementSync;
  readonly #revoke: StatementSync;

  constructor(db: DatabaseSync, changes: ChangeLog) {
    this.#changes = changes;
    this.#device = db.prepare('SELECT retired_at FROM devices WHERE id = ?');
    this.#find = db.prepare('SELECT * FROM keys WHERE device_id = ? AND key_id = ?');
    this.#count = db.prepare('SELECT count(*) AS n FROM keys WHERE device_id = ?');
    this.#insert = db.prepare(`
      INSERT INTO keys (device_id, place, key_id, algorithm, public_key, valid_from, registered_until, valid_until)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#revoke = db.prepare('UPDATE keys SET valid_until = ?, compromised_at = ? WHERE device_id = ? AND key_id = ?');
  }

  add(deviceId: string, key: KeyFields): Put<DeviceKey> {
    const device = this.#device.get(deviceId);
    if (!device) throw noDevice(deviceId);
    if (device.retired_at !== null) throw retired('device', deviceId);
    const before = this.#find.get(deviceId, key.keyId);
    const place = Number(this.#count.get(deviceId)?.n);
    const kept = before ? { ...keyFromRow(before), registeredUntil: before.registered_until as number | null } : null;
    const added = addedKey(kept, place, key);
    if (before && !added) return { created: false, entry: keyFromRow(before) };
    const { keyId, algorithm, publicKey, validFrom, validUntil } = key;
    this.#insert.run(deviceId, place, keyId, algorithm, publicKey, validFrom, validUntil, validUntil);
    this.#changes.note('device', deviceId);
    return { created: true, entry: { ...key, compromisedAt: null } };
  }

  revoke(deviceId: string, keyId: string, revocation: Revocation, now: number): DeviceKey {
    const key = this.#read(deviceId, keyId);
    return this.#update(deviceId, key, revokedKey(key, revocation, now));
  }

  /** Marks a key as compromised from `at` on and leaves its validity as it is. */
  compromise(deviceId: string, keyId: string, at: number): void {
    const key = this.#read(deviceId, keyId);
    this.#update(deviceId, key, compromisedKey(key, at));
  }

  #update(deviceId: string, before: DeviceKey, after: DeviceKey): DeviceKey {
    if (after === before) return before;
    this.#revoke.run(after.validUntil, after.compromisedAt, deviceId, after.keyId);
    this.#changes.note('device', deviceId);
    return after;
  }

  #read(deviceId: string, keyId: string): DeviceKey {
    if (!this.#device.get(deviceId)) throw noDevice(deviceId);
    const row = this.#find.get(deviceId, keyId);
    if (!row) throw noKey(keyId);
    return keyFromRow(row);
  }
}
