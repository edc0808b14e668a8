import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { javaPartition, murmur2 } from '../../../src/kafka/murmur2.ts';

describe('murmur2', () => {
  it.each([
    // From Kafka's own UtilsTest.testMurmur2.
    ['21', -973_932_308],
    ['foobar', -790_332_482],
    ['a-little-bit-long-string', -985_981_536],
    ['a-little-bit-longer-string', -1_486_304_829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58_897_971],
    ['abc', 479_470_107],
  ])('of %s is what Java computes', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash);
  });

  it('takes bytes for unsigned and stays a signed 32-bit integer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(murmur2(bytes)).toBe(slowMurmur2(bytes));
      }),
    );
  });

  it('gives a partition that there is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 1_000 }), (key, partitions) => {
        const partition = javaPartition(key, partitions);
        expect(Number.isInteger(partition) && partition >= 0 && partition < partitions).toBe(true);
      }),
    );
  });
});

const low = (value: bigint): bigint => value & 0xffff_ffffn;

/** The same from its definition, with numbers that cannot overflow. */
function slowMurmur2(bytes: Uint8Array): number {
  const m = 0x5bd1e995n;
  let h = 0x9747b28cn ^ BigInt(bytes.length);
  const whole = bytes.length - (bytes.length % 4);
  for (let i = 0; i < whole; i += 4) {
    let k = BigInt(Buffer.from(bytes).readUInt32LE(i));
    k = low(k * m);
    k = low((k ^ (k >> 24n)) * m);
    h = low(h * m) ^ k;
  }
  const rest = bytes.subarray(whole);
  if (rest.length > 0) {
    for (const [i, byte] of rest.entries()) h ^= BigInt(byte) << BigInt(8 * i);
    h = low(h * m);
  }
  h = low((h ^ (h >> 13n)) * m);
  return Number(BigInt.asIntN(32, h ^ (h >> 15n)));
}
