/** Sorting on disk gives what sorting in memory gives, whatever the number of runs. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { type Entry, ENTRY_BYTES, readEntry, SOURCES, writeEntry } from '../../../../src/audit/engines/entries.ts';
import { SpillSort } from '../../../../src/audit/engines/spill-sort.ts';
import { STATUSES } from '../../../../src/domain/play.ts';

const directory = mkdtempSync(path.join(os.tmpdir(), 'playproof-sort-'));
afterAll(() => rmSync(directory, { recursive: true }));

function sorted(entries: readonly Uint8Array[], entryBytes: number, runEntries: number): Buffer[] {
  const sort = new SpillSort({ entryBytes, runEntries, directory });
  try {
    for (const entry of entries) sort.add((target, at) => target.set(entry, at));
    return Array.from(sort.sorted(), (view) => Buffer.from(view));
  } finally {
    sort.close();
  }
}

test('entries come in the order of their bytes, each as often as it was added', () => {
  const entries = fc
    .integer({ min: 1, max: 24 })
    // Few different bytes, so that equal entries come up.
    .chain((size) =>
      fc
        .array(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: size, maxLength: size }), { maxLength: 300 })
        .map((all) => ({ size, all })),
    );
  fc.assert(
    fc.property(entries, fc.integer({ min: 1, max: 400 }), ({ size, all }, runEntries) => {
      const bytes = all.map((one) => Uint8Array.from(one));
      const expected = bytes.map((one) => Buffer.from(one)).sort((a, b) => a.compare(b));
      expect(sorted(bytes, size, runEntries)).toEqual(expected);
    }),
  );
});

test('many runs of many pieces, and nothing is left on the disk', () => {
  const entries = Array.from({ length: 40_000 }, (_, i) => {
    const entry = Buffer.alloc(92);
    entry.writeUInt32BE(Math.imul(i, 0x9e3779b1) >>> 0, 0);
    return entry;
  });
  const expected = entries.map((entry) => entry.readUInt32BE(0)).sort((a, b) => a - b);
  expect(sorted(entries, 92, 700).map((entry) => entry.readUInt32BE(0))).toEqual(expected);
  expect(readdirSync(directory)).toEqual([]);
});

const entry: fc.Arbitrary<Entry> = fc.record({
  source: fc.constantFrom(...SOURCES),
  logId: fc.uuid(),
  partition: fc.integer({ min: 0, max: 0xffff_ffff }),
  offset: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  status: fc.constantFrom(...STATUSES, 'strange'),
  billable: fc.boolean(),
  receivedAt: fc.double({ noDefaultInfinity: true }),
  contentHash: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex')),
  fingerprint: fc.option(fc.uint8Array({ minLength: 16, maxLength: 16, min: 1 })),
  origin: fc.option(fc.uint8Array({ minLength: 8, maxLength: 8, min: 1 })),
});

test('an entry is read back as it was written, over whatever stood there', () => {
  fc.assert(
    fc.property(entry, (written) => {
      const bytes = Buffer.alloc(ENTRY_BYTES + 2, 0xee);
      writeEntry(bytes, 1, written);
      expect(readEntry(bytes, 1)).toEqual(written);
      expect([bytes[0], bytes.at(-1)]).toEqual([0xee, 0xee]);
    }),
  );
});
