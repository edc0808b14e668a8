import { describe, expect, test } from 'vitest';
import { effectiveAssignments, type RegisteredAssignment } from '../../../src/registry/facts.ts';

function at(storeId: string, since: number | null, active = true, storeRetiredAt: number | null = null): RegisteredAssignment {
  return { store: { storeId, supplierId: 's', location: { lat: 0, lng: 0 }, region: null }, storeRetiredAt, active, since };
}

function seen(registered: readonly RegisteredAssignment[], deviceRetiredAt: number | null = null): unknown[] {
  return effectiveAssignments(registered, deviceRetiredAt).map(({ store, active, since }) => [store.storeId, active, since]);
}

describe('the history as it counts', () => {
  test('is what was registered, where nothing was retired', () => {
    expect(seen([at('a', null), at('b', 10), at('b', 20, false)])).toEqual([
      ['a', true, null],
      ['b', true, 10],
      ['b', false, 20],
    ]);
    expect(seen([])).toEqual([]);
  });

  test.each([
    [
      9,
      [
        ['a', true, null],
        ['a', false, 9],
      ],
    ],
    [
      10,
      [
        ['a', true, null],
        ['a', false, 10],
      ],
    ],
    [
      11,
      [
        ['a', true, null],
        ['b', true, 10],
        ['b', false, 11],
      ],
    ],
  ])('ends at %i, where the device was retired', (retiredAt, expected) => {
    expect(seen([at('a', null), at('b', 10)], retiredAt)).toEqual(expected);
  });

  test('an inactive device that is retired stays inactive', () => {
    expect(seen([at('a', null), at('a', 10, false)], 15)).toEqual([
      ['a', true, null],
      ['a', false, 10],
    ]);
  });

  test.each([
    [
      5,
      [
        ['a', true, null],
        ['a', false, 5],
        ['b', true, 10],
      ],
    ],
    [
      10,
      [
        ['a', true, null],
        ['b', true, 10],
      ],
    ],
    [
      12,
      [
        ['a', true, null],
        ['b', true, 10],
      ],
    ],
  ])('is inactive in a store from %i on, when it was retired, until the device left it', (retiredAt, expected) => {
    expect(seen([at('a', null, true, retiredAt), at('b', 10)])).toEqual(expected);
  });

  test('an assignment that begins after its store was retired is never active', () => {
    expect(seen([at('a', null), at('b', 10, true, 10)])).toEqual([
      ['a', true, null],
      ['b', false, 10],
    ]);
  });

  test('the earlier of two retirements counts', () => {
    expect(seen([at('a', null, true, 20)], 10)).toEqual([
      ['a', true, null],
      ['a', false, 10],
    ]);
    expect(seen([at('a', null, true, 10)], 20)).toEqual([
      ['a', true, null],
      ['a', false, 10],
    ]);
    expect(seen([at('a', null, true, 10)], 10)).toEqual([
      ['a', true, null],
      ['a', false, 10],
    ]);
  });
});
