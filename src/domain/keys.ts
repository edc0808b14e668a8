/** Rule 3: which of a device's keys may have signed a log, and whether one of them did. */
import type { DeviceFacts, DeviceKey } from './facts.ts';
import type { DecodedLog } from './playback-log.ts';
import { verifySignature } from './signature.ts';
import { formatInstant } from './timestamp.ts';

export type KeyVerdict =
  | { readonly ok: true; readonly key: DeviceKey }
  | { readonly ok: false; readonly code: 'unknown_key' | 'key_not_valid' | 'invalid_signature'; readonly detail: string };

/** Without key_id every key that was valid when the play ended is tried, the newest first. */
export function findSigningKey(device: DeviceFacts, log: DecodedLog, receivedAt: number): KeyVerdict {
  const named = log.keyId === null ? device.keys : device.keys.filter((key) => key.keyId === log.keyId);
  if (named.length === 0) {
    const detail = log.keyId === null ? 'The device has no key' : 'The device has no key with this key_id';
    return { ok: false, code: 'unknown_key', detail: `${detail}; register the public key, or sign with a registered one.` };
  }
  const valid = named.filter((key) => isValid(key, log.endedAt, receivedAt));
  if (valid.length === 0) return { ok: false, code: 'key_not_valid', detail: notValid(log, named, receivedAt) };
  // Reversed first, so that of keys that begin together the one registered last is tried first.
  const candidates = valid.toReversed().sort((a, b) => (validFrom(a) === validFrom(b) ? 0 : validFrom(b) - validFrom(a)));
  const key = candidates.find((candidate) => verifySignature(candidate, log.canonical, log.signature));
  if (key) return { ok: true, key };
  const tried = valid.length === 1 ? `the ${valid[0]?.algorithm} key` : `any of the ${valid.length} keys`;
  return {
    ok: false,
    code: 'invalid_signature',
    detail: `The signature does not verify with ${tried} valid at ended_at; sign the RFC 8785 form of the log without signature, with that key and its algorithm.`,
  };
}

/** A thief can date a play back as far as he likes, so nothing that arrives after the theft counts, whatever it says. */
function isValid(key: DeviceKey, endedAt: number, receivedAt: number): boolean {
  if (key.compromisedAt !== null && receivedAt >= key.compromisedAt) return false;
  return (key.validFrom === null || key.validFrom <= endedAt) && (key.validUntil === null || endedAt < key.validUntil);
}

function validFrom(key: DeviceKey): number {
  return key.validFrom ?? Number.NEGATIVE_INFINITY;
}

function notValid(log: DecodedLog, keys: readonly DeviceKey[], receivedAt: number): string {
  const compromised = keys.every((key) => key.compromisedAt !== null && receivedAt >= key.compromisedAt);
  if (compromised) return 'The key was revoked as compromised, and nothing signed with it is taken any more; register a new key.';
  const which = log.keyId === null ? 'No key of the device' : 'The key';
  return `${which} was ${log.keyId === null ? '' : 'not '}valid when the play ended at ${formatInstant(log.endedAt)}; sign with a key that was.`;
}
