/**
 * How complete the figures are, told to all that report by the processes that load: an instant for each journal, beside the figures
 * themselves, so that it can never speak of other tables than those that are read. What reports promise is the least of them: each
 * loader knows its own journal, and nothing of what waits in another.
 */
import type { ClickHouseClient } from '@clickhouse/client';
import { formatInstant } from '../domain/timestamp.ts';
import type { AnalyticsQueries, Completeness } from '../query/analytics-port.ts';
import { JOURNALS } from './schema.ts';

/** A loader that is well tells more often than this. */
const STALE_MS = 120_000;

export interface ToldJournal {
  readonly journalId: string;
  /** Of the process that tells; for those who look into the table. */
  readonly instance: string;
}

/**
 * Durable when it resolves. An earlier instant than one that was told before changes nothing; 0 says that there is such a journal.
 */
export async function tellCompleteness(client: ClickHouseClient, { journalId, instance }: ToldJournal, instant: number): Promise<void> {
  await client.command({
    query: `INSERT INTO ${JOURNALS} SELECT {journalId:String}, {instance:String}, {instant:UInt64} SETTINGS async_insert = 0`,
    query_params: { journalId, instance, instant },
  });
}

interface Row {
  readonly journal_id: string;
  readonly instant: string;
}

/** For processes that report. */
export async function sharedCompleteness(analytics: AnalyticsQueries, now: () => number): Promise<Completeness> {
  const [last] = await analytics.rows<Row>(
    `SELECT journal_id, toString(latest) AS instant
     FROM (SELECT journal_id, max(instant) AS latest FROM ${JOURNALS} GROUP BY journal_id)
     ORDER BY latest, journal_id LIMIT 1`,
    {},
  );
  if (!last) return { instant: 0, reason: 'Nothing was loaded yet: is a process with the role analytics running?' };
  const instant = Number(last.instant);
  if (now() - instant < STALE_MS) return { instant };
  const since = instant === 0 ? 'It has told of no instant yet' : `It has told of none since ${formatInstant(instant)}`;
  return {
    instant,
    reason:
      `Logs of the journal ${last.journal_id} may be missing. ${since}: its loading or settling is held up, or its machine is away. ` +
      'A journal that is gone for good is retired, see docs/operations.md.',
  };
}
