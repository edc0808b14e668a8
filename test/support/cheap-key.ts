/** Keys for long loads. */
import { createHash } from 'node:crypto';
import { makeFastKey } from '../../bench/load/fast-rsa.ts';
import type { SigningKey } from './signing.ts';

/** Signs in microseconds and is verified like any RSA-2048 key. @param random A number in [0, 1) on each call. */
export function makeCheapKey(keyId: string, random: () => number): SigningKey {
  const key = makeFastKey(random);
  const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
  return { keyId, algorithm: 'RS256', publicKey: key.publicKey, sign: (bytes) => key.sign(digest(bytes)).toString('base64') };
}
