import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Sample, type SampleSize } from '../../../src/audit/sample.ts';
import { randomFrom } from '../../support/load.ts';

function taken(size: SampleSize, last: number, seed: number, stands: (seq: number) => boolean = () => true): number[] {
  const sample = new Sample(size, last, randomFrom(seed));
  return Array.from({ length: last }, (_, i) => i + 1).filter((seq) => stands(seq) && sample.takes(seq));
}

test('one out of each stretch, never more than asked for, and every play where there are not so many', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 3_000 }), fc.integer(), (size, last, seed) => {
      const places = taken(size, last, seed);
      expect(places.length).toBeLessThanOrEqual(size);
      // Where a stretch is no whole number, rounding may leave the last one out.
      expect(places.length).toBeGreaterThanOrEqual(Math.min(size, last) - 1);
      // No hole is longer than two stretches.
      const stretch = Math.max(1, last / size);
      const holes = [...places, last].map((seq, i) => seq - (places[i - 1] ?? 0));
      expect(Math.max(...holes)).toBeLessThanOrEqual(2 * stretch + 1);
    }),
  );
});

test('it is another one each time, and reaches the end of the feed', () => {
  expect(taken(10, 10_000, 1)).not.toEqual(taken(10, 10_000, 2));
  expect(taken(10, 10_000, 1).at(-1)).toBeGreaterThan(9_000);
  expect(taken(10, 10_000, 1)[0]).toBeLessThanOrEqual(1_000);
});

test('gaps in the feed cost nothing', () => {
  const places = taken(100, 10_000, 3, (seq) => seq % 7 === 0 || seq > 9_000);
  expect(places.length).toBeGreaterThan(85);
});

test('all takes every play, none takes none', () => {
  expect(taken('all', 50, 1)).toHaveLength(50);
  expect(taken('none', 50, 1)).toHaveLength(0);
});
