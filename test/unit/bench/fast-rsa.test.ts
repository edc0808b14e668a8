import { createPublicKey, hash, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { makeFastKey } from '../../../bench/load/fast-rsa.ts';
import { seeded } from '../../../bench/load/random.ts';
import { inspectPublicKey } from '../../../src/domain/signature.ts';

describe('keys of the benchmark', () => {
  const random = seeded(7);

  it('are ordinary RSA-2048 keys for the registry', () => {
    const { publicKey } = makeFastKey(random);
    expect(inspectPublicKey(publicKey)).toEqual({ ok: true });
    expect(createPublicKey(publicKey).asymmetricKeyDetails).toEqual({ modulusLength: 2048, publicExponent: 65_537n });
  });

  it('sign what node:crypto verifies', () => {
    for (let i = 0; i < 10; i += 1) {
      const { publicKey, sign } = makeFastKey(random);
      const key = createPublicKey(publicKey);
      for (let j = 0; j < 50; j += 1) {
        const text = `log ${i} ${j}`;
        expect(verify('sha256', Buffer.from(text), key, Buffer.from(sign(hash('sha256', text, 'buffer')))), text).toBe(true);
      }
      expect(verify('sha256', Buffer.from('another'), key, Buffer.from(sign(hash('sha256', 'a log', 'buffer'))))).toBe(false);
    }
  });

  it('differ from each other', () => {
    expect(makeFastKey(random).publicKey).not.toBe(makeFastKey(random).publicKey);
  });
});
