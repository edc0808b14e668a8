import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readCursor, writeCursor } from '../../../src/query/list-sql.ts';
import { Problem } from '../../../src/server/problem.ts';

describe('the cursor of the list', () => {
  test('is read as it was written', () => {
    const instants = fc.integer({ min: Date.UTC(1970, 0, 1), max: Date.UTC(2200, 0, 1) });
    fc.assert(
      fc.property(instants, fc.uuid(), (endedAt, logId) => {
        expect(readCursor(writeCursor({ endedAt, logId }))).toEqual({ endedAt, logId });
      }),
    );
  });

  test('anything else is an invalid_parameter, never a fault of ours', () => {
    const made = fc.json().map((json) => Buffer.from(json).toString('base64url'));
    fc.assert(
      fc.property(fc.oneof(fc.string(), made), (text) => {
        try {
          readCursor(text);
        } catch (error) {
          expect(error).toBeInstanceOf(Problem);
          expect((error as Problem).code).toBe('invalid_parameter');
        }
      }),
      { numRuns: 500 },
    );
    for (const value of [
      '[]',
      '[1,2]',
      '[1.5,"0190d8c1-2f3a-7d45-8a3b-000000000001"]',
      '[1e16,"0190d8c1-2f3a-7d45-8a3b-000000000001"]',
      'null',
    ]) {
      expect(() => readCursor(Buffer.from(value).toString('base64url')), value).toThrow('invalid_parameter');
    }
  });
});
