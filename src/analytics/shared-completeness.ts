/**
 * How complete the figures are, told by the process that loads to all that report: one number beside the figures themselves, so
 * that it can never speak of other tables than those that are read.
 */
import type { ClickHouseClient } from '@clickhouse/client';
import type { AnalyticsQueries, Completeness } from '../query/analytics-port.ts';
import { COMPLETENESS } from './schema.ts';

/** A loader that is well tells more often than this. */
const STALE_MS = 120_000;

/** Durable when it resolves; an earlier instant than one that was told before changes nothing. */
export async function tellCompleteness(client: ClickHouseClient, instant: number): Promise<void> {
  await client.command({
    query: `INSERT INTO ${COMPLETENESS} SELECT {instant:UInt64} SETTINGS async_insert = 0`,
    query_params: { instant },
  });
}

/** For processes that report and do not load. */
export async function sharedCompleteness(analytics: AnalyticsQueries, now: () => number): Promise<Completeness> {
  const [row] = await analytics.rows<{ instant: string }>(`SELECT toString(max(instant)) AS instant FROM ${COMPLETENESS}`, {});
  const instant = Number(row?.instant ?? 0);
  if (instant === 0) return { instant, reason: 'Nothing was loaded yet: is a process with the role analytics running?' };
  if (now() - instant < STALE_MS) return { instant };
  return { instant, reason: 'Loading or settling is held up; the processes with the roles analytics and settle say by what.' };
}
