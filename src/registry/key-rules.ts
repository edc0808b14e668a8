/** What may happen to a key: it is added and may be revoked, never deleted or exchanged. Pure; every backend uses it. */
import type { DeviceKey } from '../domain/facts.ts';
import { formatInstant } from '../domain/timestamp.ts';
import { Problem } from '../server/problem.ts';
import { type KeyFields, MAX_KEYS_PER_DEVICE, type Revocation } from './registry.ts';

/** A key as it is kept. */
export interface KeptKey extends DeviceKey {
  /** The end of validity as registered, to recognise a repetition; `validUntil` is what counts. */
  readonly registeredUntil: number | null;
}

/**
 * The key to be added; null: it is there already, as `before`.
 * @param before The device's key under the same key_id.
 * @param count How many keys the device has.
 * @throws Problem key_conflict, invalid_field
 */
export function addedKey(before: KeptKey | null, count: number, key: KeyFields): KeptKey | null {
  if (before) {
    if (sameKey(before, key)) return null;
    throw new Problem('key_conflict', `The device has another key under the key_id "${key.keyId}"; register this one under a new key_id.`);
  }
  if (count >= MAX_KEYS_PER_DEVICE) {
    throw new Problem('invalid_field', `A device has at most ${MAX_KEYS_PER_DEVICE} keys; register it under a new id.`, {
      fields: ['/key_id'],
    });
  }
  return { ...key, registeredUntil: key.validUntil, compromisedAt: null };
}

/** The key after the revocation; the same object where it changes nothing. @throws Problem invalid_field */
export function revokedKey<Key extends DeviceKey>(key: Key, { at, compromised }: Revocation, now: number): Key {
  const end = key.validUntil;
  if (at !== null && end !== null && at > end && !compromised) {
    throw new Problem('invalid_field', `The key is valid until ${formatInstant(end)} and that is never extended; give an earlier "at".`, {
      fields: ['/at'],
    });
  }
  const instant = at ?? now;
  const validUntil = Math.max(end === null ? instant : Math.min(end, instant), key.validFrom ?? Number.NEGATIVE_INFINITY);
  return ended(key, validUntil, compromised ? instant : null);
}

/** The key as compromised from `at` on, its validity as it is. */
export function compromisedKey<Key extends DeviceKey>(key: Key, at: number): Key {
  return ended(key, key.validUntil, at);
}

function ended<Key extends DeviceKey>(key: Key, validUntil: number | null, compromisedAt: number | null): Key {
  const earliest = key.compromisedAt === null ? compromisedAt : Math.min(key.compromisedAt, compromisedAt ?? key.compromisedAt);
  if (validUntil === key.validUntil && earliest === key.compromisedAt) return key;
  return { ...key, validUntil, compromisedAt: earliest };
}

/** The end of validity may be said as it was registered, or as it is since the key was revoked. */
function sameKey(kept: KeptKey, key: KeyFields): boolean {
  return (
    kept.algorithm === key.algorithm &&
    pemBody(kept.publicKey) === pemBody(key.publicKey) &&
    kept.validFrom === key.validFrom &&
    (kept.registeredUntil === key.validUntil || kept.validUntil === key.validUntil)
  );
}

/** Line breaks in a PEM mean nothing. */
function pemBody(pem: string): string {
  return pem.replaceAll(/\s/g, '');
}
