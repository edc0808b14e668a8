import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { DeviceKey, SignatureAlgorithm } from '../../../src/domain/facts.ts';
import { inspectPublicKey, verifySignature } from '../../../src/domain/signature.ts';

const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
const message = Buffer.from('{"status":"COMPLETED"}');

function pem(key: KeyObject, type: 'spki' | 'pkcs1' = 'spki'): string {
  return key.export({ type, format: 'pem' });
}

function keyOf(algorithm: SignatureAlgorithm, publicKey = pem(pair.publicKey)): DeviceKey {
  return { keyId: 'k', algorithm, publicKey, validFrom: null, validUntil: null, compromisedAt: null };
}

function pss(saltLength: number, digest = 'sha256'): Buffer {
  return sign(digest, message, { key: pair.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength });
}

const privatePem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
const body = pem(pair.publicKey).split('\n').slice(1, -2).join('');

function wrapped(der: Uint8Array | string): string {
  const text = typeof der === 'string' ? der : Buffer.from(der).toString('base64');
  return `-----BEGIN PUBLIC KEY-----\n${text}\n-----END PUBLIC KEY-----\n`;
}

/** One DER value with a length of two bytes. */
function derOf(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, 0x82, content.length >> 8, content.length & 0xff]), content]);
}

describe('verifySignature', () => {
  it('takes PKCS #1 v1.5 for RS256 and PSS with a salt of 32 for PS256', () => {
    expect(verifySignature(keyOf('RS256'), message, sign('sha256', message, pair.privateKey))).toBe(true);
    expect(verifySignature(keyOf('PS256'), message, pss(32))).toBe(true);
  });

  it.each([
    ['the other padding on RS256', 'RS256', () => pss(32)],
    ['the other padding on PS256', 'PS256', () => sign('sha256', message, pair.privateKey)],
    ['no salt', 'PS256', () => pss(0)],
    ['a salt of 31', 'PS256', () => pss(31)],
    ['the longest salt', 'PS256', () => pss(222)],
    ['SHA-512', 'RS256', () => sign('sha512', message, pair.privateKey)],
    ['PSS with SHA-512', 'PS256', () => pss(32, 'sha512')],
    ['another message', 'RS256', () => sign('sha256', Buffer.from('{}'), pair.privateKey)],
    ['another key', 'RS256', () => sign('sha256', message, generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)],
  ] as const)('refuses %s', (_name, algorithm, signature) => {
    expect(verifySignature(keyOf(algorithm), message, signature())).toBe(false);
  });

  it.each([0, 1, 255, 257, 512])('refuses a signature of %d bytes without an exception', (length) => {
    for (const algorithm of ['RS256', 'PS256'] as const)
      expect(verifySignature(keyOf(algorithm), message, Buffer.alloc(length, 1))).toBe(false);
  });

  it('refuses a signature that is a number as large as the modulus, or larger', () => {
    for (const algorithm of ['RS256', 'PS256'] as const)
      expect(verifySignature(keyOf(algorithm), message, Buffer.alloc(256, 0xff))).toBe(false);
  });

  it('says which key cannot be read, for that is no fault of the device', () => {
    expect(() => verifySignature(keyOf('RS256', 'x'), message, Buffer.alloc(256))).toThrow(/registered key "k"/);
  });
});

describe('inspectPublicKey', () => {
  it('takes RSA keys of 2048 to 4096 bits as SPKI PEM, whatever its line ends', () => {
    expect(inspectPublicKey(pem(pair.publicKey))).toEqual({ ok: true });
    expect(inspectPublicKey(pem(pair.publicKey).replaceAll('\n', '\r\n'))).toEqual({ ok: true });
    expect(inspectPublicKey(pem(pair.publicKey).trimEnd())).toEqual({ ok: true });
    expect(inspectPublicKey(pem(generateKeyPairSync('rsa', { modulusLength: 4096 }).publicKey))).toEqual({ ok: true });
  });

  it.each([
    ['nothing', () => '', /SPKI PEM/],
    ['1024 bits', () => pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey), /1024 bits/],
    [
      'an exponent of 3',
      () => pem(generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).publicKey),
      /exponent of the key is 3/,
    ],
    ['a private key', () => privatePem, /private key/],
    ['a private key behind it', () => pem(pair.publicKey) + privatePem, /private key/],
    ['PKCS #1', () => pem(pair.publicKey, 'pkcs1'), /SPKI PEM/],
    ['a curve', () => pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey), /type ec/],
    ['rsa-pss', () => pem(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey), /rsa-pss/],
    ['text before it', () => `hello\n${pem(pair.publicKey)}`, /nothing else/],
    ['text after it', () => `${pem(pair.publicKey)}hello`, /nothing else/],
    ['two keys', () => pem(pair.publicKey).repeat(2), /nothing else/],
    ['a header line', () => pem(pair.publicKey).replace('\n', '\nProc-Type: 4\n'), /nothing else/],
    ['no base64', () => wrapped('AAA'), /SPKI PEM/],
    ['no key', () => wrapped(Buffer.from('hello')), /SubjectPublicKeyInfo/],
    ['bytes after the key', () => wrapped(Buffer.concat([Buffer.from(body, 'base64'), Buffer.from([0])])), /SubjectPublicKeyInfo|DER/],
    ['a long text', () => pem(pair.publicKey) + ' '.repeat(5_000), /characters/],
  ])('refuses %s', (_name, text, detail) => {
    const result = inspectPublicKey(text());
    expect(result.ok ? 'taken' : result.detail).toMatch(detail);
  });

  it('refuses 8192 bits', () => {
    // A modulus of that size need not be a product of two primes to be refused, so none is searched for.
    const modulus = Buffer.concat([Buffer.from([0x00]), Buffer.alloc(1024, 0xff)]);
    const rsa = derOf(0x30, derOf(0x02, modulus), Buffer.from([0x02, 0x03, 0x01, 0x00, 0x01]));
    const bits = derOf(0x03, Buffer.from([0]), rsa);
    const algorithm = Buffer.from('300d06092a864886f70d0101010500', 'hex');
    const result = inspectPublicKey(wrapped(derOf(0x30, algorithm, bits)));
    expect(result.ok ? 'taken' : result.detail).toMatch(/8192 bits/);
  });
});
