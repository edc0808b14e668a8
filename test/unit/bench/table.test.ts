import { describe, expect, it } from 'vitest';
import { type DiskTotals, splitOf } from '../../../bench/disk.ts';
import { growthRatio } from '../../../bench/growth.ts';
import type { Measured } from '../../../bench/measure.ts';
import { recoveredAfter } from '../../../bench/overload.ts';
import { kneeOf, type RampStep, rampRates } from '../../../bench/ramp.ts';
import { atLeast, below, linesOf, type TableFigures } from '../../../bench/table/lines.ts';
import { rateOf, readWrk } from '../../../bench/witness/witness.ts';

describe('a ramp', () => {
  it('grows by the same factor each step, from the first rate to the last', () => {
    expect(rampRates({ from: 1_000, to: 16_000, steps: 5 })).toEqual([1_000, 2_000, 4_000, 8_000, 16_000]);
    expect(rampRates({ from: 1_000, to: 16_000, steps: 1 })).toEqual([1_000]);
  });

  const step = (rate: number, accepted: number, p99: number): RampStep => ({
    rate,
    accepted,
    latency: { p50: 1, p90: 2, p99, max: p99 },
    notTaken: 0,
  });

  it('is carried up to the last step before the first that was not', () => {
    expect(kneeOf([step(1_000, 1_000, 10), step(2_000, 1_990, 20), step(4_000, 3_000, 20), step(8_000, 8_000, 10)])).toBe(2_000);
    expect(kneeOf([step(1_000, 1_000, 10), step(2_000, 2_000, 900)])).toBe(1_000);
    expect(kneeOf([step(1_000, 100, 10)])).toBeNull();
  });
});

describe('the end of an overload', () => {
  const second = (n: number, p99: number, failed = 0, logs = 100) => ({ second: n, logs, p50: 1, p90: 1, p99, failed });

  it('is the first whole second like before, in which nothing failed', () => {
    expect(recoveredAfter([second(1, 900), second(2, 20, 1), second(3, 20), second(4, 10)], 10)).toBe(3);
    expect(recoveredAfter([second(1, 0, 0, 0), second(2, 900)], 10)).toBeNull();
  });
});

describe('bytes of each copy', () => {
  const totals: DiskTotals = {
    logs: 1_000,
    trees: { journal: 1_400_000, owners: 30_000, positions: 4_000 },
    record: { whole: 1_068, canonical: 497, signature: 256, logId: 16 },
    analytics: { whole: 150_000, columns: { content_hash: 32_000, log_id: 16_000, a: 1_000, b: 500, c: 100 } },
  };

  it('add up to the whole, and their parts to them', () => {
    const parts = splitOf(totals);
    const sums = parts.filter(({ within, what }) => !within && what !== 'all of it');
    expect(sums.reduce((sum, { bytes }) => sum + bytes, 0)).toBeCloseTo(parts.at(-1)?.bytes ?? 0, 6);
    let whole = 0;
    let rest = 0;
    for (const { within, bytes } of parts) {
      if (within) rest -= bytes;
      else {
        expect(Math.abs(rest) < 1e-9 || rest === whole).toBe(true);
        whole = bytes;
        rest = bytes;
      }
    }
    expect(parts.find(({ what }) => what.startsWith('left free'))?.bytes).toBeCloseTo(316, 6);
  });
});

describe('what wrk says', () => {
  const output = `Running 3s test\n  Latency 1.0ms\n\n{"requests":82,"spares":2,"microseconds":2000000,"p50":4000,"p90":9000,"p99":12500,"max":13000,"status":0,"socket":0,"timeout":0}\n`;

  it('is read from its last line, without what it sent after the bodies had run out', () => {
    const report = readWrk(output);
    expect(rateOf(report, 100)).toEqual({ logsPerSecond: 4_000, latency: { p50: 4, p90: 9, p99: 12.5, max: 13 } });
  });

  it('is an error where there are no figures', () => {
    expect(() => readWrk('unable to connect')).toThrow('no figures');
  });
});

describe('lines of the table', () => {
  const nothing: TableFigures = {
    verifyPerSecond: 70_000,
    batch: null,
    single: null,
    singleOpen: null,
    open: null,
    disk: null,
    overload: null,
    witnesses: [],
    growth: null,
    growthV4: null,
    memory: null,
  };

  it('are met or say how far they are from it', () => {
    expect(atLeast('x', '≥ 0.60', 0.6, 0.6, String)).toMatchObject({ met: true, distance: '' });
    expect(atLeast('x', '≥ 0.60', 0.6, 0.48, String)).toMatchObject({ met: false, distance: '20 % short' });
    expect(below('x', '< 20 ms', 20, 19.9, String)).toMatchObject({ met: true, distance: '' });
    expect(below('x', '< 20 ms', 20, 30, String)).toMatchObject({ met: false, distance: '1.50 × the limit' });
  });

  it('are neither where nothing was measured', () => {
    const lines = linesOf(nothing);
    expect(lines.length).toBeGreaterThan(15);
    expect(lines.filter(({ met }) => met !== null)).toEqual([]);
    expect(lines.every(({ measured }) => measured === 'not measured')).toBe(true);
  });

  it('hold each figure against its own target', () => {
    const run = (logsPerSecond: number, p50: number, p99: number): Measured =>
      ({
        logsPerSecond,
        scenario: { load: { seconds: 60, rate: 10_000 } },
        result: { latency: { p50, p90: p50, p99, max: p99 } },
        visible: { feed: { p50: 1, p99: 2_000, max: 2_000 }, report: { p50: 1, p99: 4_000, max: 4_000 } },
        disk: { walBytes: 0 },
        memory: [],
      }) as unknown as Measured;
    const lines = linesOf({
      ...nothing,
      batch: run(35_000, 1, 1),
      single: run(20_000, 1, 1),
      singleOpen: run(1, 1, 30),
      open: run(1, 7, 21),
    });
    const met = (start: string) => lines.find(({ measure }) => measure.startsWith(start))?.met;
    expect(met('batches of 100, whole path')).toBe(false);
    expect(met('single logs, whole path')).toBe(true);
    expect(met('single logs at')).toBe(false);
    expect(met('batches at')).toBe(true);
    expect(met('the same, p99')).toBe(false);
    expect(met('received → in the feed')).toBe(false);
    expect(met('received → in the report')).toBe(true);
  });

  it('compare growth with the mean of both runs on nothing', () => {
    const run = (logsPerSecond: number) => ({ logsPerSecond }) as Measured;
    expect(growthRatio({ empty: [run(100), run(200)], full: run(135) })).toBeCloseTo(0.9);
    expect(growthRatio({ empty: [], full: null })).toBeNull();
  });
});
