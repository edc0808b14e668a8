import { describe, expect, it } from 'vitest';
import { ASSUMED, checkTwoNodes, logsPerScreenDay, peakOfScreens, plan, unitCosts, type UnitCosts } from '../../../bench/capacity.ts';
import type { Costs } from '../../../bench/kafka-costs.ts';
import type { Stretch } from '../../../bench/kafka-path.ts';

const NAMES = ['node', 'settle', 'loader', 'broker', 'mongodb', 'clickhouse'];

function costs(seconds: number, cpu: Readonly<Record<string, number>>): Costs {
  const processes = Object.fromEntries(
    Object.entries(cpu).map(([name, cpuSeconds]) => [name, { cpuSeconds, maxRssBytes: 0, threads: {} }] as const),
  );
  return { seconds, processes, busySeconds: 0, idleSeconds: 0 };
}

function stretch(accepted: number, of: Costs): Stretch {
  return { results: [], accepted, secondsUntilLoaded: of.seconds, costs: of, takenByOthers: 0 };
}

const all = (value: number): Record<string, number> => Object.fromEntries(NAMES.map((name) => [name, value]));
/** However little comes each takes a tenth of a core, and 50 µs a log on top: at 2 000/s and at 8 000/s. */
const idle = costs(10, all(0.5));
const steady = stretch(20_000, costs(10, all(2)));
const full = stretch(80_000, costs(10, all(5)));

const FLAT: UnitCosts = {
  accept: { micros: 60, base: 0 },
  settle: { micros: 0, base: 0 },
  load: { micros: 0, base: 0 },
  broker: { micros: 10, base: 0 },
  archive: { micros: 0, base: 0 },
  analytics: { micros: 0, base: 0 },
};
const BYTES = { request: 900, answer: 200, journal: 1_000, feed: 1_500, archive: 1_200, analytics: 150 };

describe('the capacity model', () => {
  it('tells what a log costs from what a process costs however little comes', () => {
    expect(unitCosts({ idle, steady, full }).settle).toEqual({ micros: expect.closeTo(50, 6), base: expect.closeTo(0.1, 6) });
  });

  it('keeps to what was seen where the line goes below idle, or above the steady rate', () => {
    // 150 µs a log from the line: more than the steady rate left room for.
    const steep = unitCosts({ idle, steady, full: stretch(80_000, costs(10, all(11))) }).settle;
    expect(steep).toEqual({ micros: expect.closeTo(75, 6), base: expect.closeTo(0.05, 6) });
    const falling = unitCosts({ idle, steady, full: stretch(80_000, costs(10, all(1))) }).settle;
    expect(falling).toEqual({ micros: expect.closeTo(0, 6), base: expect.closeTo(0.2, 6) });
  });

  it('says what a screen makes a day, and what all of them send at once', () => {
    expect(logsPerScreenDay({ ...ASSUMED, slotSeconds: 15, hoursOpen: 14 })).toBe(3_360);
    expect(peakOfScreens({ ...ASSUMED, screens: 10_000_000, slotSeconds: 20 })).toBe(500_000);
  });

  it('turns a rate into cores, copies, disks and money', () => {
    const assumed = {
      ...ASSUMED,
      coreUse: 0.5,
      copies: 3,
      hoursOpen: 12,
      coreEuros: 10,
      terabyteEuros: 100,
      archiveDays: 100,
      coresPerNode: 4,
    };
    const made = plan(100_000, FLAT, BYTES, 5_000, assumed);
    // 60 µs × 100 000/s are six cores, twice that at half use.
    expect(made.cores.accept).toBeCloseTo(12, 6);
    expect(made.acceptNodes).toBe(3);
    // One core of the leader, and the same for each further copy.
    expect(made.cores.broker).toBeCloseTo(6, 6);
    expect(made.settlers).toBe(40);
    expect(made.meanPerSecond).toBe(50_000);
    // 50 000/s × 86 400 s × 100 days × 1 200 bytes × 3 copies.
    expect(made.terabytes.archive).toBeCloseTo(1_555.2, 4);
    expect(made.euros.cores).toBeCloseTo(made.allCores * 10, 6);
    expect(made.megabitsPerSecond.fromScreens).toBeCloseTo(720, 6);
  });

  it('never plans fewer than two of what must not be alone', () => {
    const made = plan(10, FLAT, BYTES, 5_000, ASSUMED);
    expect(made.acceptNodes).toBe(2);
    expect(made.settlers).toBe(2);
    expect(made.partitions).toBeGreaterThanOrEqual(2);
  });

  it('is held against the run with two nodes: what a second node always takes, and what a log costs', () => {
    // Six processes and a second node, each 1 s in 10 s always; 10 000 logs at 6 × 50 µs.
    const twoNodes = stretch(10_000, costs(10, { ...all(1.5), 'node 2': 1 }));
    expect(checkTwoNodes({ idle, steady, full, twoNodes })).toEqual({
      predicted: expect.closeTo(10, 6),
      measured: expect.closeTo(10, 6),
      deviation: expect.closeTo(0, 6),
    });
  });
});
