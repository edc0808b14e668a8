import { describe, expect, it } from 'vitest';
import { checkRun } from '../../../bench/check.ts';
import type { LoadResult } from '../../../bench/load/messages.ts';
import { table } from '../../../bench/text.ts';

const RESULT: LoadResult = {
  latency: { p50: 1, p90: 1, p99: 1, max: 1 },
  requests: 10,
  accepted: 1_000,
  duplicates: 0,
  rejected: 0,
  failures: {},
  notSent: 0,
  withoutRetryAfter: 0,
  signedLate: 0,
  seconds: 1,
  startedAt: 0,
  cpuSeconds: 1,
  maxRssBytes: 1,
  series: [],
  sample: ['0197a1c0-7b5e-7c3a-9d55-2f6b8a4e1d01'],
};

/** A service that has settled and reports so many plays. */
function holding(settledPlays: number, reported: number, outcome = 'accepted') {
  return {
    progress: async () => ({ unsettled: 0, unloaded: 0, accepted: settledPlays, settledPlays, loadedRows: reported }),
    get: async (path: string) =>
      path.startsWith('/reports')
        ? { status: 200, body: { rows: [{ plays: reported - 10 }, { plays: 10 }] } }
        : { status: 200, body: { verdict: { outcome } } },
  };
}

describe('counts of a benchmark', () => {
  it('are right when every copy holds what was accepted', async () => {
    expect(await checkRun(holding(1_000, 1_000), RESULT, 1_000)).toEqual([]);
  });

  it.each([
    ['one log was not settled', holding(999, 1_000), RESULT],
    ['one log was settled twice', holding(1_001, 1_000), RESULT],
    ['the report lacks one', holding(1_000, 999), RESULT],
    ['the report has one too many', holding(1_000, 1_001), RESULT],
    ['an accepted log has no evidence', holding(1_000, 1_000, 'refused'), RESULT],
    ['a sound log was refused', holding(1_000, 1_000), { ...RESULT, rejected: 1 }],
    ['a new log was called a duplicate', holding(1_000, 1_000), { ...RESULT, duplicates: 1 }],
  ])('are wrong when %s', async (_what, service, result) => {
    expect(await checkRun(service, result, 1_000)).toHaveLength(1);
  });

  it('may be higher where an answer was lost, never lower', async () => {
    const unknown = { ...RESULT, failures: { 0: 1 } };
    expect(await checkRun(holding(1_100, 1_100), unknown, 1_000)).toEqual([]);
    expect(await checkRun(holding(999, 999), unknown, 1_000)).toHaveLength(2);
  });

  it('must be equal where the only failures were requests that were turned away', async () => {
    expect(await checkRun(holding(1_100, 1_000), { ...RESULT, failures: { 503: 3 } }, 1_000)).toHaveLength(1);
  });
});

describe('the table', () => {
  it('aligns names to the left and figures to the right', () => {
    expect(
      table([
        ['a', 'load'],
        ['longer', '7'],
      ]),
    ).toEqual(['a       load', 'longer     7']);
  });
});
