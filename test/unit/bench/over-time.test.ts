import { describe, expect, it } from 'vitest';
import { type MemorySample, trendOf } from '../../../bench/memory.ts';
import { delaysOf } from '../../../bench/visibility.ts';

describe('how long logs take until they are seen', () => {
  it('counts every log from its receipt to the first look that had it', () => {
    // Looks each 100 ms that show what was received 50 ms before them.
    const looks = Array.from({ length: 20 }, (_, i) => ({ at: 1_000 + i * 100, until: 950 + i * 100 }));
    const delays = delaysOf(looks, 1_000, 2_000);
    expect(delays?.p50).toBeGreaterThanOrEqual(99);
    expect(delays?.p50).toBeLessThanOrEqual(101);
    expect(delays?.max).toBeGreaterThanOrEqual(148);
    expect(delays?.max).toBeLessThanOrEqual(150);
  });

  it('counts all that came while a look hung, not the look alone', () => {
    const looks = [
      { at: 100, until: 100 },
      { at: 1_100, until: 1_100 },
      ...Array.from({ length: 90 }, (_, i) => ({ at: 1_110 + i * 10, until: 1_110 + i * 10 })),
    ];
    // Half of the time nothing was shown: the median is a delay of that pause.
    const delays = delaysOf(looks, 100, 2_000);
    expect(delays?.p50).toBeGreaterThan(40);
    expect(delays?.p99).toBeGreaterThan(950);
  });

  it('says nothing where the looks ended too early', () => {
    expect(delaysOf([{ at: 500, until: 400 }], 0, 1_000)).toBeNull();
    expect(delaysOf([], 0, 1_000)).toBeNull();
  });
});

describe('memory over time', () => {
  const samples = (bytes: (second: number) => number): MemorySample[] =>
    Array.from({ length: 120 }, (_, second) => ({ second, serviceBytes: bytes(second), analyticsBytes: 1_000 }));

  it('is flat where only the beginning grows', () => {
    const trend = trendOf(samples((second) => Math.min(second, 30) * 1_000_000));
    expect(trend).toEqual({ maxBytes: 30_001_000, bytesPerMinute: 0, meanBytes: 30_001_000 });
  });

  it('has the slope of a leak', () => {
    expect(trendOf(samples((second) => second * 1_000_000))?.bytesPerMinute).toBeCloseTo(60_000_000, -1);
  });

  it('needs some samples', () => {
    expect(trendOf(samples(() => 1).slice(0, 3))).toBeNull();
  });
});
