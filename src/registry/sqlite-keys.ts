/** The keys of devices in SQLite. A key is added and may be revoked; it is never deleted or exchanged. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { DeviceKey } from '../domain/facts.ts';
import { formatInstant } from '../domain/timestamp.ts';
import { Problem } from '../server/problem.ts';
import type { ChangeLog } from './database.ts';
import { keyFromRow } from './facts.ts';
import { type KeyFields, MAX_KEYS_PER_DEVICE, type Put, type Revocation } from './registry.ts';
import { type Row, retired } from './sqlite-entries.ts';

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
    if (before) {
      if (sameKey(before, key)) return { created: false, entry: keyFromRow(before) };
      throw new Problem(
        'key_conflict',
        `The device has another key under the key_id "${key.keyId}"; register this one under a new key_id.`,
      );
    }
    const place = Number(this.#count.get(deviceId)?.n);
    if (place >= MAX_KEYS_PER_DEVICE) {
      throw new Problem('invalid_field', `A device has at most ${MAX_KEYS_PER_DEVICE} keys; register it under a new id.`, {
        fields: ['/key_id'],
      });
    }
    const { keyId, algorithm, publicKey, validFrom, validUntil } = key;
    this.#insert.run(deviceId, place, keyId, algorithm, publicKey, validFrom, validUntil, validUntil);
    this.#changes.note('device', deviceId);
    return { created: true, entry: { ...key, compromisedAt: null } };
  }

  revoke(deviceId: string, keyId: string, { at, compromised }: Revocation, now: number): DeviceKey {
    const key = this.#read(deviceId, keyId);
    const end = key.validUntil;
    if (at !== null && end !== null && at > end && !compromised) {
      throw new Problem('invalid_field', `The key is valid until ${formatInstant(end)} and that is never extended; give an earlier "at".`, {
        fields: ['/at'],
      });
    }
    const instant = at ?? now;
    const validUntil = Math.max(end === null ? instant : Math.min(end, instant), key.validFrom ?? Number.NEGATIVE_INFINITY);
    return this.#update(deviceId, key, validUntil, compromised ? instant : null);
  }

  /** Marks a key as compromised from `at` on and leaves its validity as it is. */
  compromise(deviceId: string, keyId: string, at: number): void {
    const key = this.#read(deviceId, keyId);
    this.#update(deviceId, key, key.validUntil, at);
  }

  #update(deviceId: string, key: DeviceKey, validUntil: number | null, compromisedAt: number | null): DeviceKey {
    const earliest = key.compromisedAt === null ? compromisedAt : Math.min(key.compromisedAt, compromisedAt ?? key.compromisedAt);
    if (validUntil === key.validUntil && earliest === key.compromisedAt) return key;
    this.#revoke.run(validUntil, earliest, deviceId, key.keyId);
    this.#changes.note('device', deviceId);
    return { ...key, validUntil, compromisedAt: earliest };
  }

  #read(deviceId: string, keyId: string): DeviceKey {
    if (!this.#device.get(deviceId)) throw noDevice(deviceId);
    const row = this.#find.get(deviceId, keyId);
    if (!row) throw new Problem('not_found', `The device has no key "${keyId}"; its keys are listed with it.`);
    return keyFromRow(row);
  }
}

/** The end of validity may be said as it was registered, or as it is since the key was revoked. */
function sameKey(row: Row, key: KeyFields): boolean {
  return (
    row.algorithm === key.algorithm &&
    pemBody(row.public_key as string) === pemBody(key.publicKey) &&
    row.valid_from === key.validFrom &&
    (row.registered_until === key.validUntil || row.valid_until === key.validUntil)
  );
}

/** Line breaks in a PEM mean nothing. */
function pemBody(pem: string): string {
  return pem.replaceAll(/\s/g, '');
}

function noDevice(deviceId: string): Problem {
  return new Problem('not_found', `The device ${deviceId} is not registered; register it first.`);
}
