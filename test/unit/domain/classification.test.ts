import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify } from '../../../src/domain/classification.ts';
import { DEFAULT_RULES } from '../../../src/domain/limits.ts';
import { STATUSES } from '../../../src/domain/play.ts';

describe('classify', () => {
  it.each([
    [0.8, 2_400, 3_000, 'COMPLETED'],
    [0.8, 2_399, 3_000, 'PARTIAL'],
    [0.85, 850, 1_000, 'COMPLETED'],
    [0.85, 849, 1_000, 'PARTIAL'],
    [0.333, 333, 1_000, 'COMPLETED'],
    [0.333, 28_771_199, 86_400_000, 'PARTIAL'],
    [0.333, 28_771_200, 86_400_000, 'COMPLETED'],
    [0.000001, 0, 1, 'PARTIAL'],
    [0, 0, 1, 'COMPLETED'],
    [1, 86_399_999, 86_400_000, 'PARTIAL'],
    [1, 90, 80, 'COMPLETED'],
  ] as const)('at a threshold of %d, %d of %d ms claimed COMPLETED are %s', (completionThreshold, actual, expected, status) => {
    const result = classify('COMPLETED', actual, expected, { ...DEFAULT_RULES, completionThreshold }, true);
    expect(result).toEqual({ status, billable: status === 'COMPLETED' });
  });

  it('compares without an error of floating point, at any threshold of up to six decimals', () => {
    const ms = fc.integer({ min: 1, max: 86_400_000 });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1_000_000 }),
        ms,
        fc.nat(86_400_000),
        fc.integer({ min: -1, max: 1 }),
        (millionths, expected, any, near) => {
          const bound = Number((BigInt(millionths) * BigInt(expected)) / 1_000_000n) + near;
          for (const actual of [any, Math.max(0, bound)]) {
            const reached = BigInt(actual) * 1_000_000n >= BigInt(millionths) * BigInt(expected);
            const rules = {
              ...DEFAULT_RULES,
              completionThreshold: Number(`${Math.floor(millionths / 1e6)}.${String(millionths % 1e6).padStart(6, '0')}`),
            };
            expect(classify('COMPLETED', actual, expected, rules, true).status).toBe(reached ? 'COMPLETED' : 'PARTIAL');
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('never bills what was not claimed, nor content outside the catalogue where the catalogue is required', () => {
    for (const status of STATUSES.filter((name) => name !== 'COMPLETED')) {
      expect(classify(status, 15_000, 15_000, DEFAULT_RULES, true)).toEqual({ status, billable: false });
    }
    expect(classify('COMPLETED', 1, 1, DEFAULT_RULES, false)).toEqual({ status: 'COMPLETED', billable: true });
    expect(classify('COMPLETED', 1, 1, { ...DEFAULT_RULES, requireCatalogue: true }, false)).toEqual({
      status: 'COMPLETED',
      billable: false,
    });
  });
});
