import { hash } from 'node:crypto';
import type { Refusal } from '../domain/refusal.ts';

/** A record that cannot be read is set aside whole: nobody can tell whose it was. @param position As evidence shows it. */
export function poisonOf(bytes: Uint8Array, position: string, now: number): Refusal {
  return {
    code: 'malformed',
    detail: `The journal record at ${position} is damaged; it was set aside as it is and was not billed.`,
    fields: null,
    proven: false,
    logId: null,
    deviceId: null,
    storeId: null,
    supplierId: null,
    advertiserId: null,
    receivedAt: now,
    contentHash: hash('sha256', bytes, 'hex'),
    body: bytes,
    signature: new Uint8Array(),
  };
}
