import { describe, expect, it } from 'vitest';
import { type Chart, chartPage, ticksOf } from '../../../bench/chart.ts';

const CHART: Chart = {
  title: 'batch: latency',
  about: 'of <requests> & more',
  xLabel: 'seconds',
  yLabel: 'milliseconds',
  scale: 'log',
  lines: [
    {
      name: 'p50',
      points: [
        [1, 4],
        [2, 0],
        [3, 40],
      ],
    },
    {
      name: 'p99',
      points: [
        [1, 20],
        [2, 900],
        [3, 30],
      ],
    },
  ],
};

describe('ticks of an axis', () => {
  it('are round numbers from zero to above the highest value', () => {
    expect(ticksOf([3, 47], 'linear')).toEqual([0, 10, 20, 30, 40, 50]);
    expect(ticksOf([36_400], 'linear')).toEqual([0, 10_000, 20_000, 30_000, 40_000]);
    expect(ticksOf([100], 'linear')).toEqual([0, 20, 40, 60, 80, 100]);
  });

  it('are powers of ten on a logarithmic one', () => {
    expect(ticksOf([4, 900, 0], 'log')).toEqual([1, 10, 100, 1_000]);
    expect(ticksOf([10], 'log')).toEqual([10, 100]);
  });

  it('are there also when nothing was measured', () => {
    expect(ticksOf([], 'linear')).toEqual([0, 1]);
    expect(ticksOf([0, Number.NaN], 'log')).toEqual([0, 1]);
  });
});

describe('the page of charts', () => {
  const page = chartPage('Bench & more', ['one <core>'], [CHART]);

  it('needs nothing from elsewhere and takes no text for markup', () => {
    expect(page).not.toMatch(/https?:|<script|<link|src=|@import|url\(/);
    expect(page).toContain('Bench &amp; more');
    expect(page).toContain('one &lt;core&gt;');
    expect(page).toContain('of &lt;requests&gt; &amp; more');
  });

  it('draws a line for each series within the frame, without what a logarithm cannot show', () => {
    const paths = [...page.matchAll(/<path d="(M[^"]+)" fill="none"/g)].map(([, path = '']) => path);
    expect(paths).toHaveLength(2);
    expect(paths.map((path) => path.split(/[ML]/).length - 1)).toEqual([2, 3]);
    const numbers = paths.flatMap((path) => path.split(/[ML ]/).filter(Boolean).map(Number));
    expect(numbers.every((number) => number >= 0 && number <= 960)).toBe(true);
  });

  it('puts higher values higher', () => {
    const [, second] = [...page.matchAll(/<path d="(M[^"]+)" fill="none"/g)].map(([, path = '']) => path.split(/[ML]/).slice(1));
    const [at20, at900, at30] = (second ?? []).map((point) => Number(point.split(' ')[1]));
    expect(at900).toBeLessThan(at30 ?? 0);
    expect(at30).toBeLessThan(at20 ?? 0);
  });

  it('says so where there is nothing to draw', () => {
    expect(chartPage('x', [], [{ ...CHART, lines: [{ name: 'p50', points: [] }] }])).toContain('Nothing was measured.');
  });
});
