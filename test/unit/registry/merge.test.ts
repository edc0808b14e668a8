import { describe, expect, it } from 'vitest';
import { mergeEntry, type Standing, type WholeDevice, type WholeEntry } from '../../../src/registry/merge.ts';
import type { KeptKey } from '../../../src/registry/key-rules.ts';
import { uuidOf } from '../../support/feed-file.ts';

const ID = uuidOf(2, 1);
const [A, B, C] = [uuidOf(5, 1), uuidOf(5, 2), uuidOf(5, 3)] as const;
const store = { supplierId: uuidOf(6, 1), name: 'North', location: { lat: 1, lng: 2 }, region: null, timeZone: null };
const at = (storeId: string, since: number | null, active = true) => ({ storeId, active, since });

function key(over: Partial<KeptKey> = {}): KeptKey {
  return {
    keyId: 'k1',
    algorithm: 'RS256',
    publicKey: 'PEM 1',
    validFrom: null,
    validUntil: null,
    registeredUntil: null,
    compromisedAt: null,
    ...over,
  };
}

const device = (entry: WholeDevice, retiredAt: number | null = null): WholeEntry<'device'> => ({ id: ID, retiredAt, entry });
const standing = (entry: WholeDevice, retiredAt: number | null = null): Standing<'device'> => ({ retiredAt, entry });

describe('an entry that is not there', () => {
  it('comes as it is, retired or not', () => {
    expect(mergeEntry('store', { id: ID, retiredAt: 5, entry: store }, null)).toEqual({
      after: { retiredAt: 5, entry: store },
      conflicts: [],
    });
  });
});

describe('an entry that is there', () => {
  it('stays, and is no conflict where it is the same or was retired later', () => {
    const source = { id: ID, retiredAt: null, entry: store };
    for (const before of [
      { retiredAt: null, entry: { ...store } },
      { retiredAt: 9, entry: { ...store } },
    ]) {
      expect(mergeEntry('store', source, before)).toEqual({ after: before, conflicts: [] });
    }
  });

  it.each([
    ['other fields', { id: ID, retiredAt: null, entry: { ...store, name: 'South' } }, 'registered there with something else'],
    ['only retired here', { id: ID, retiredAt: 0, entry: store }, 'was retired here on 1970-01-01T00:00:00.000Z, and there it is not'],
  ])('%s: it stays, and is told by its name', (_what, source, told) => {
    const before = { retiredAt: null, entry: store };
    const { after, conflicts } = mergeEntry('store', source, before);
    expect(after).toEqual(before);
    expect(conflicts).toEqual([expect.stringContaining(told)]);
    expect(conflicts[0]).toContain(`the store ${ID} (${source.entry.name})`);
  });
});

describe('a device', () => {
  const short = { assignments: [at(A, null)], keys: [] };
  const long = { assignments: [at(A, null), at(B, 10)], keys: [] };

  it('gets what its history has beyond the known one, and keeps what it has beyond that', () => {
    expect(mergeEntry('device', device(long), standing(short)).after.entry).toEqual(long);
    expect(mergeEntry('device', device(short), standing(long))).toEqual({ after: standing(long), conflicts: [] });
  });

  it('with another history keeps its own, and still gets the keys', () => {
    const other = { assignments: [at(A, null), at(C, 10)], keys: [] };
    const { after, conflicts } = mergeEntry('device', device({ ...long, keys: [key()] }), standing(other));
    expect(after.entry).toEqual({ ...other, keys: [key()] });
    expect(conflicts).toEqual([expect.stringContaining(`the device ${ID} differs there`)]);
  });

  it('gets keys as they stand, with what they were registered as', () => {
    const revoked = key({ validUntil: 50, registeredUntil: 90, compromisedAt: 60 });
    expect(mergeEntry('device', device({ ...short, keys: [revoked] }), standing(short, 7)).after).toEqual(
      standing({ ...short, keys: [revoked] }, 7),
    );
  });

  it.each([
    ['a revocation here', key({ validUntil: 50 }), key(), key({ validUntil: 50 })],
    ['a revocation there', key(), key({ validUntil: 50 }), key({ validUntil: 50 })],
    [
      'the earlier of two',
      key({ validUntil: 50, compromisedAt: 80 }),
      key({ validUntil: 60, compromisedAt: 70 }),
      key({ validUntil: 50, compromisedAt: 70 }),
    ],
    [
      'an end that was imported there',
      key({ validUntil: 50, registeredUntil: 90 }),
      key({ validUntil: 50, registeredUntil: 50 }),
      key({ validUntil: 50, registeredUntil: 50 }),
    ],
  ])('%s counts: validity is never lengthened', (_what, here, there, expected) => {
    const { after, conflicts } = mergeEntry('device', device({ ...short, keys: [here] }), standing({ ...short, keys: [there] }));
    expect(after.entry.keys).toEqual([expected]);
    expect(conflicts).toEqual([]);
  });

  it('another key under the same key_id stays, and is told', () => {
    const there = standing({ ...short, keys: [key({ publicKey: 'PEM 2' })] });
    const { after, conflicts } = mergeEntry('device', device({ ...short, keys: [key(), key({ keyId: 'k2' })] }), there);
    expect(after.entry.keys.map(({ keyId, publicKey }) => [keyId, publicKey])).toEqual([
      ['k1', 'PEM 2'],
      ['k2', 'PEM 1'],
    ]);
    expect(conflicts).toEqual([expect.stringContaining('"k1"')]);
  });
});
