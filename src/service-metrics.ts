/** What `/metrics` shows of the way of a log. Read when asked for; nothing is counted twice over. */
import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import type { Counters, CounterName } from './counters.ts';
import { CODE_NAMES } from './domain/codes.ts';

export interface MetricSources {
  readonly counters: Counters;
  /** What was refused before a judge saw it; absent where nothing is accepted. */
  readonly unread?: Counters;
  readonly inFlight: () => { readonly requests: number; readonly bytes: number };
  readonly analytics: () => {
    readonly loadedOffset: number | null;
    readonly rowsLoaded: number;
    readonly failures: number;
    readonly skipped: number;
    readonly restarts: number;
    /** Null: nothing is loaded here, or it is not known. */
    readonly stopped: boolean | null;
  };
  /** Age of the judges' view of the registry; null: nobody judges here, or nothing was read yet. Absent: it is never old. */
  readonly viewAgeMs?: () => number | null;
  /** Whether settling has stopped since its read position is lost, where the counters do not tell; null: this process cannot know. */
  readonly positionLost?: () => boolean | null;
  /** How far settling and loading are behind, where the counters do not tell; null: this process cannot know, and shows nothing. */
  readonly lags?: { readonly journal: () => number | null; readonly analytics: () => number | null };
}

/** Name in the shared counters, name and help in the exposition. All of these only grow. */
const TOTALS: readonly (readonly [CounterName, string, string])[] = [
  ['accepted', 'playproof_logs_accepted_total', 'Logs acknowledged as accepted'],
  ['billable', 'playproof_logs_billable_total', 'Logs acknowledged as accepted and billable'],
  ['duplicates', 'playproof_logs_duplicate_total', 'Logs acknowledged as duplicates'],
  ['notKept', 'playproof_refusals_not_kept_total', 'Refused logs that were counted and not kept in quarantine'],
  ['journalFailures', 'playproof_journal_failures_total', 'Requests answered 503 because the journal could not take a write'],
  ['settledPlays', 'playproof_settled_plays_total', 'Plays settled and published'],
  ['settledDuplicates', 'playproof_settled_duplicates_total', 'Journal records dropped as duplicates when settled'],
  ['settledConflicts', 'playproof_settled_conflicts_total', 'Journal records put into quarantine for a conflict when settled'],
  ['quarantined', 'playproof_quarantined_total', 'Refusals put into quarantine'],
  ['settleFailures', 'playproof_settle_failures_total', 'Steps of settling that failed and are tried again'],
];

export function serviceMetrics({ counters, unread, inFlight, analytics, lags, positionLost, viewAgeMs }: MetricSources): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, read: () => number | null): void => {
    const made: Gauge = new Gauge({
      name,
      help,
      registers: [registry],
      collect: () => {
        const value = read();
        if (value === null) made.remove();
        else made.set(value);
      },
    });
  };
  const total = (name: string, help: string, read: () => number): void => {
    const made: Counter = new Counter({
      name,
      help,
      registers: [registry],
      collect: () => {
        made.reset();
        made.inc(read());
      },
    });
  };
  for (const [counter, name, help] of TOTALS) total(name, help, () => counters.get(counter) + (unread?.get(counter) ?? 0));
  const waiting = lags?.journal ?? ((): number => counters.get('end') - counters.get('settled'));
  gauge('playproof_journal_lag_records', 'Journal records that are not settled yet', waiting);
  const lost = positionLost ?? ((): boolean => counters.get('positionLost') === 1);
  gauge('playproof_settle_position_lost', '1: settling has stopped, since its read position is lost; 0: it is not', () => numberOf(lost()));
  const unloaded = lags?.analytics ?? ((): number => Math.max(0, counters.get('settled') - (analytics().loadedOffset ?? 0)));
  gauge('playproof_analytics_lag_records', 'Upper bound of the settled records that are not in analytics yet', unloaded);
  total('playproof_analytics_rows_loaded_total', 'Plays loaded into analytics by the process that runs now', () => analytics().rowsLoaded);
  total('playproof_analytics_failures_total', 'Attempts to load that failed, of the process that runs now', () => analytics().failures);
  gauge(
    'playproof_analytics_stopped',
    '1: loading has stopped at something in the feed that it must not pass by itself; 0: it has not',
    () => numberOf(analytics().stopped),
  );
  total(
    'playproof_analytics_skipped_total',
    'Records of the feed left out of analytics, as PLAYPROOF_ANALYTICS_SKIP says',
    () => analytics().skipped,
  );
  total('playproof_analytics_restarts_total', 'How often the analytics process had to be started again', () => analytics().restarts);
  gauge('playproof_in_flight_requests', 'Requests with logs that are not answered yet', () => inFlight().requests);
  gauge('playproof_in_flight_bytes', 'Bytes of their bodies', () => inFlight().bytes);
  gauge('playproof_seen_logs', 'Logs remembered to answer repeats early', () => counters.get('seen'));
  if (viewAgeMs) {
    gauge('playproof_registry_view_age_seconds', 'Age of the view of the registry that logs are judged by', () => {
      const age = viewAgeMs();
      return age === null ? null : age / 1_000;
    });
  }
  const refused: Counter = new Counter({
    name: 'playproof_logs_refused_total',
    help: 'Logs and requests refused, by code',
    labelNames: ['code'],
    registers: [registry],
    collect: () => {
      refused.reset();
      for (const code of CODE_NAMES) {
        const count = counters.refused(code) + (unread?.refused(code) ?? 0);
        if (count > 0) refused.inc({ code }, count);
      }
    },
  });
  return registry;
}

function numberOf(flag: boolean | null): number | null {
  return flag === null ? null : Number(flag);
}
