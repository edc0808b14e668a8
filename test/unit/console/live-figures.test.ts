import { assert, array, double, property } from 'fast-check';
import { Histogram, Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { LiveFigures, quantile } from '../../../src/console/live-figures.ts';
import { Counters } from '../../../src/counters.ts';

let figures: LiveFigures | null = null;
afterEach(() => figures?.close());

describe('live figures', () => {
  it('are what happened since the point before, and lags as they are', async () => {
    const counters = new Counters();
    const metrics = new Registry();
    const answers = new Histogram({
      name: 'playproof_http_request_seconds',
      help: 'x',
      labelNames: ['route'],
      buckets: [0.01, 0.1, 1],
      registers: [metrics],
    });
    let now = 1_000;
    let loaded: number | null = null;
    counters.add('accepted', 7);
    figures = new LiveFigures({ counters, loaded: () => loaded, metrics }, () => now);
    counters.add('accepted', 5);
    counters.add('billable', 4);
    counters.addRefused('too_old', 2);
    counters.set('end', 20);
    counters.set('settled', 15);
    await figures.sample();
    loaded = 12;
    now = 2_000;
    answers.observe({ route: '/api/v1/playback-logs' }, 0.05);
    answers.observe({ route: '/metrics' }, 0.9);
    await figures.sample();
    const nothing = { accepted: 0, billable: 0, duplicates: 0, refused: 0 };
    expect(figures.pointsAfter(0)).toEqual([
      {
        ...nothing,
        at: 1_000,
        accepted: 5,
        billable: 4,
        refused: 2,
        settle_lag: 5,
        analytics_lag: null,
        answer_p50: null,
        answer_p99: null,
      },
      { ...nothing, at: 2_000, settle_lag: 5, analytics_lag: 3, answer_p50: 55, answer_p99: expect.closeTo(99.1, 5) },
    ]);
    expect(figures.pointsAfter(1_000)).toHaveLength(1);
    expect(figures.pointsAfter(2_000)).toEqual([]);
  });

  it('tell refusals since the start and in the last minute apart', async () => {
    const counters = new Counters();
    let now = 0;
    figures = new LiveFigures({ counters, loaded: () => 0, metrics: new Registry() }, () => now);
    counters.addRefused('malformed', 3);
    for (; now < 70_000; now += 1_000) await figures.sample();
    counters.addRefused('malformed', 2);
    expect(figures.refusedByCode()).toEqual([{ code: 'malformed', count: 5, last_minute: 2 }]);
    for (let i = 0; i < 700; i += 1, now += 1_000) await figures.sample();
    expect(figures.pointsAfter(0)).toHaveLength(600);
  });
});

describe('a quantile of a histogram', () => {
  it('lies in the bucket in which the value of that rank lies', () => {
    const bounds = [1, 2, 5, 10];
    assert(
      property(
        array(double({ min: 0.001, max: 10, noNaN: true }), { minLength: 1, maxLength: 50 }),
        double({ min: 0.01, max: 1, noNaN: true }),
        (values, q) => {
          const counts = bounds.map((bound) => values.filter((value) => value <= bound).length);
          const sorted = values.toSorted((a, b) => a - b);
          const exact = sorted[Math.ceil(q * values.length) - 1] ?? 0;
          const upper = bounds.find((bound) => exact <= bound) ?? 10;
          const lower = [0, ...bounds].findLast((bound) => bound < exact) ?? 0;
          const found = quantile(bounds, counts, q) ?? -1;
          expect(found).toBeGreaterThanOrEqual(lower);
          expect(found).toBeLessThanOrEqual(upper + 1e-9);
        },
      ),
    );
  });

  it('is unknown where nothing was measured, and the last bound above it', () => {
    expect(quantile([1, 2], [0, 0], 0.5)).toBeNull();
    expect(quantile([1, Number.POSITIVE_INFINITY], [0, 4], 0.5)).toBe(1);
  });
});
