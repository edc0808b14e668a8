/** RSA signatures of devices: verifying them, and which public keys may be registered. */
import { constants, createPublicKey, type KeyObject, verify, type VerifyKeyObjectInput } from 'node:crypto';
import { decodeCanonicalBase64 } from './base64.ts';
import type { DeviceKey } from './facts.ts';

const MIN_BITS = 2048;
const MAX_BITS = 4096;
const EXPONENT = 65_537n;
/** As long as the digest, fixed by the contract: `auto` would take any salt. */
const PSS_SALT_BYTES = 32;
/** A key of 4096 bits takes about 800 characters. */
const MAX_PEM_CHARACTERS = 4_096;

interface Verifier {
  readonly input: VerifyKeyObjectInput;
  readonly signatureBytes: number;
}

/** Reading a PEM costs more than a verification, so each key is read once for as long as its facts are held. */
const verifiers = new WeakMap<DeviceKey, Verifier>();

/**
 * Verifies synchronously: this runs in threads of its own, where waiting for a pool would only cost.
 * RS256: PKCS #1 v1.5 with SHA-256. PS256: PSS with SHA-256, MGF1 with SHA-256, salt of 32 bytes. The algorithm is the key's, never the
 * message's.
 *
 * @throws Error when the key is one that `inspectPublicKey` refuses to read: the registry is damaged then, and no device is at fault.
 */
export function verifySignature(key: DeviceKey, canonical: Uint8Array, signature: Uint8Array): boolean {
  let verifier = verifiers.get(key);
  if (verifier === undefined) {
    verifier = makeVerifier(key);
    verifiers.set(key, verifier);
  }
  return signature.byteLength === verifier.signatureBytes && verify('sha256', canonical, verifier.input, signature);
}

function makeVerifier(key: DeviceKey): Verifier {
  const read = readPublicKey(key.publicKey);
  if (!read.ok) throw new Error(`the registered key "${key.keyId}" cannot be used: ${read.detail}`);
  const padding = { RS256: constants.RSA_PKCS1_PADDING, PS256: constants.RSA_PKCS1_PSS_PADDING }[key.algorithm];
  return {
    input: { key: read.key, padding, ...(key.algorithm === 'PS256' && { saltLength: PSS_SALT_BYTES }) },
    signatureBytes: Math.ceil(read.bits / 8),
  };
}

/** Whether a key may be registered; `detail` is a sentence that says what to change. */
export function inspectPublicKey(pem: string): { ok: true } | { ok: false; detail: string } {
  const read = readPublicKey(pem);
  return read.ok ? { ok: true } : read;
}

type ReadKey = { ok: true; key: KeyObject; bits: number } | { ok: false; detail: string };

function readPublicKey(pem: string): ReadKey {
  if (pem.length > MAX_PEM_CHARACTERS) {
    return { ok: false, detail: `The key has ${pem.length} characters and ${MAX_PEM_CHARACTERS} are taken; send one public key.` };
  }
  if (pem.includes('PRIVATE KEY')) {
    return { ok: false, detail: 'This is a private key; it must never leave its device. Make a new pair and send the public key.' };
  }
  // Only what stands between the lines is decoded: Node would skip text around them, and take a certificate or PKCS #1 as well.
  const match = /^-----BEGIN PUBLIC KEY-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END PUBLIC KEY-----\s*$/.exec(pem);
  const der = match && decodeCanonicalBase64((match[1] as string).replaceAll(/[\r\n]/g, ''));
  if (!der) {
    return { ok: false, detail: 'The key must be SPKI PEM, from -----BEGIN PUBLIC KEY----- to -----END PUBLIC KEY----- and nothing else.' };
  }
  let key: KeyObject;
  try {
    key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  } catch {
    return { ok: false, detail: 'The key is no SubjectPublicKeyInfo that can be read; export it again as SPKI PEM.' };
  }
  if (key.asymmetricKeyType === 'rsa-pss') {
    return {
      ok: false,
      detail: 'The key is of type rsa-pss, which brings digest and salt of its own; export it as a plain RSA key and register it as PS256.',
    };
  }
  const { modulusLength: bits = 0, publicExponent } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType !== 'rsa') return { ok: false, detail: `The key is of type ${key.asymmetricKeyType}; register an RSA key.` };
  if (bits < MIN_BITS || bits > MAX_BITS) {
    return { ok: false, detail: `The key has ${bits} bits; register an RSA key of ${MIN_BITS} to ${MAX_BITS} bits.` };
  }
  if (publicExponent !== EXPONENT) return { ok: false, detail: `The exponent of the key is ${publicExponent}; it must be ${EXPONENT}.` };
  // Bytes after the key, or a second way to write it down, would make two texts of one key.
  if (!key.export({ type: 'spki', format: 'der' }).equals(der)) {
    return { ok: false, detail: 'The key is not written in DER, or something follows it; export it again as SPKI PEM.' };
  }
  return { ok: true, key, bits };
}
