import { expect, test } from 'vitest';
import { RowBatch } from '../../../src/analytics/row-batch.ts';

test('rows lie behind each other with partition and offset, offsets beyond 32 bits too', () => {
  const batch = new RowBatch(3, 100);
  const big = 2 ** 40 + 5;
  expect(batch.add(Buffer.from('ab'), 7, big)).toBe(true);
  expect(batch.bytes.subarray(0, 2).toString()).toBe('ab');
  expect(batch.bytes.readUInt32LE(2)).toBe(7);
  expect(batch.bytes.readBigUInt64LE(6)).toBe(BigInt(big));
  expect(batch.bytes).toHaveLength(14);
});

test('is full by rows and by bytes, and takes a refused row after it was cleared', () => {
  const byRows = new RowBatch(2, 1_000);
  const row = Buffer.alloc(10);
  expect([1, 2, 3].map((offset) => byRows.add(row, 0, offset))).toEqual([true, true, false]);
  expect(byRows.rows).toBe(2);
  byRows.clear();
  expect(byRows.add(row, 0, 3)).toBe(true);
  const byBytes = new RowBatch(100, 44);
  expect([1, 2, 3].map((offset) => byBytes.add(row, 0, offset))).toEqual([true, true, false]);
  expect(() => new RowBatch(1, 20).add(row, 0, 1)).toThrow('does not fit');
});
