import { expect, test } from 'vitest';
import { Counters } from '../../src/counters.ts';
import { type MetricSources, serviceMetrics } from '../../src/service-metrics.ts';

/** The lines of these figures, as Prometheus reads them. */
async function shown(names: RegExp, sources: Partial<MetricSources>): Promise<string[]> {
  const registry = serviceMetrics({
    counters: new Counters(),
    inFlight: () => ({ requests: 0, bytes: 0 }),
    analytics: () => ({ loadedOffset: null, rowsLoaded: 0, failures: 0, skipped: 0, stopped: null, restarts: 0 }),
    ...sources,
  });
  return (await registry.metrics()).split('\n').filter((line) => names.test(line) && !line.startsWith('#'));
}

test('a lag that is not known is not shown as none', async () => {
  const lags = { journal: () => null, analytics: () => null };
  expect(await shown(/_lag_records/, { lags })).toEqual([]);
  expect(await shown(/_lag_records/, { lags: { journal: () => 0, analytics: () => 7 } })).toEqual([
    'playproof_journal_lag_records 0',
    'playproof_analytics_lag_records 7',
  ]);
});

test('a read position that is lost is shown, by the counters of this process or by the settler', async () => {
  const counters = new Counters();
  expect(await shown(/position_lost/, { counters })).toEqual(['playproof_settle_position_lost 0']);
  counters.set('positionLost', 1);
  expect(await shown(/position_lost/, { counters })).toEqual(['playproof_settle_position_lost 1']);
  expect(await shown(/position_lost/, { positionLost: () => true })).toEqual(['playproof_settle_position_lost 1']);
  expect(await shown(/position_lost/, { positionLost: () => null })).toEqual([]);
});
