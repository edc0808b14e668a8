import { expect, it } from 'vitest';
import { sharedCompleteness } from '../../../src/analytics/shared-completeness.ts';
import type { AnalyticsQueries } from '../../../src/query/analytics-port.ts';

const NOW = Date.parse('2026-11-27T12:00:00.000Z');

function told(rows: readonly { readonly journal_id: string; readonly instant: string }[]): Promise<{ instant: number; reason?: string }> {
  const analytics: AnalyticsQueries = { rows: async <Row>() => [...rows] as Row[] };
  return sharedCompleteness(analytics, () => NOW);
}

it('says that nothing was loaded where no journal is known', async () => {
  expect(await told([])).toEqual({ instant: 0, reason: expect.stringContaining('Nothing was loaded yet') });
});

it('gives no reason while the journal that lags most is told of often enough', async () => {
  expect(await told([{ journal_id: 'a', instant: String(NOW - 60_000) }])).toEqual({ instant: NOW - 60_000 });
});

it('names the journal that lags, and since when', async () => {
  const { instant, reason } = await told([{ journal_id: 'a', instant: String(NOW - 3_600_000) }]);
  expect(instant).toBe(NOW - 3_600_000);
  expect(reason).toMatch(/journal a .*none since 2026-11-27T11:00:00\.000Z.*docs\/operations\.md/);
});

it('names a journal that nothing is known of', async () => {
  expect((await told([{ journal_id: 'b', instant: '0' }])).reason).toMatch(/journal b .*no instant yet/);
});
