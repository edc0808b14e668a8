import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32, portableCrc32 } from '../src/crc32.ts';
import { createUuid7 } from '../src/uuid7.ts';

describe('createUuid7', () => {
  it('never goes back, whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_003 }), { minLength: 2, maxLength: 60 }), (times) => {
        let at = 0;
        const next = createUuid7(() => times[at++ % times.length] as number);
        const ids = times.map(() => next());
        expect(ids.toSorted()).toEqual(ids);
        expect(new Set(ids).size).toBe(ids.length);
      }),
    );
  });

  it('keeps order when the counter of a millisecond runs over', () => {
    const next = createUuid7(() => 1_700_000_000_000);
    const ids = Array.from({ length: 10_000 }, next);
    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(ids).size).toBe(10_000);
  });

  it('has version, variant and time in their places', () => {
    const id = createUuid7(() => 0x0192_3456_789a)();
    expect(id).toMatch(/^01923456-789a-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

describe('crc32', () => {
  it('is the same with and without zlib, and the one everybody has', () => {
    expect(portableCrc32(Buffer.from('123456789'))).toBe(0xcbf43926);
    fc.assert(fc.property(fc.uint8Array(), (bytes) => crc32(bytes) === portableCrc32(bytes)));
  });
});
