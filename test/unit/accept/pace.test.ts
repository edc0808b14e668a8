import { describe, expect, it } from 'vitest';
import { Pace } from '../../../src/accept/pace.ts';

describe('the pace of answering', () => {
  it('says nothing before it was measured', () => {
    expect(new Pace(1_000).tooLong(1e9, 0, 1e6)).toBeNull();
  });

  it('expects what is in flight over the speed of late, and means it once somebody has waited', () => {
    const pace = new Pace(1_000);
    pace.begin(0);
    pace.done(25_000, 250);
    // 100 bytes a millisecond.
    expect(pace.tooLong(100_000, 0, 300)).toBeNull();
    expect(pace.tooLong(100_100, 0, 249)).toBeNull();
    expect(pace.tooLong(100_100, 0, 250)).toBe(1_001);
    expect(pace.tooLong(200_000, 0, 300)).toBe(2_000);
  });

  it('does not shed a burst after light load, however slow that looked', () => {
    const pace = new Pace(1_000);
    // One kilobyte every three milliseconds, with pauses in between that do not count.
    for (let second = 0; second < 100; second += 1) {
      pace.begin(second * 1_000);
      pace.done(1_000, second * 1_000 + 3);
    }
    pace.begin(200_000);
    pace.done(1_000, 200_250);
    expect(pace.tooLong(2_000_000, 200_300, 200_310)).toBeNull();
  });

  it('follows a change of speed', () => {
    const pace = new Pace(1_000);
    pace.begin(0);
    pace.done(25_000, 250);
    for (let i = 2; i < 40; i += 1) pace.done(2_500, i * 250);
    expect(pace.tooLong(20_000, 0, 10_000)).toBeGreaterThan(1_900);
  });
});
