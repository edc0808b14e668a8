/** Makes a report: asks analytics, and where nothing is found, why. */
import type { Completeness, AnalyticsQueries } from './analytics-port.ts';
import { Problem } from '../server/problem.ts';
import { type RawRow, type ReportRow, reportRow } from './report-row.ts';
import { MAX_REPORT_ROWS, type Report, reportQuery, type SpanRow, spanQuery, usesTime } from './report-sql.ts';
import { formatInstant } from '../domain/timestamp.ts';
import { type ZoneSteps, zoneSteps } from './zone-steps.ts';

export interface ReportAnswer {
  readonly rows: readonly ReportRow[];
  /** Milliseconds since 1970 UTC: every log received before it is in. */
  readonly completeUntil: number;
  readonly reason: string | null;
}

export interface ReportDeps {
  readonly analytics: AnalyticsQueries;
  readonly completeUntil: () => Promise<Completeness>;
}

/** @throws Problem invalid_parameter for more rows than are answered; what `AnalyticsQueries` throws */
export async function makeReport(deps: ReportDeps, report: Report, timeZone: string): Promise<ReportAnswer> {
  // Asked first: what is complete now is still complete when the rows are counted.
  const complete = await deps.completeUntil();
  const zone = usesTime(report.by) ? await stepsFor(deps.analytics, report, timeZone) : null;
  const { sql, params } = reportQuery(report, zone);
  const raw = await deps.analytics.rows<RawRow>(sql, params);
  if (raw.length > MAX_REPORT_ROWS) {
    throw new Problem(
      'invalid_parameter',
      `The report has more than ${MAX_REPORT_ROWS} rows; narrow it with "from", "to" and filters, or name fewer dimensions in "by".`,
    );
  }
  const rows = raw.map((row) => reportRow(report.by, row));
  const empty = rows.length === 0 || rows[0]?.plays === 0;
  return { rows, completeUntil: complete.instant, reason: await reasonOf(deps.analytics, report, complete, empty) };
}

async function stepsFor(analytics: AnalyticsQueries, report: Report, timeZone: string): Promise<ZoneSteps> {
  const { first, last } = await spanOf(analytics, report);
  return zoneSteps(timeZone, first, last);
}

async function spanOf(analytics: AnalyticsQueries, report: Report, parts?: { filters?: boolean; span?: boolean }): Promise<SpanRow> {
  const { sql, params } = spanQuery(report, parts);
  const [span] = await analytics.rows<SpanRow>(sql, params);
  return span ?? { n: 0, first: 0, last: 0 };
}

async function reasonOf(analytics: AnalyticsQueries, report: Report, complete: Completeness, empty: boolean): Promise<string | null> {
  const reasons = empty ? [await emptyBecause(analytics, report)] : [];
  const { to } = report.filter;
  if (empty && (to === null || to > complete.instant)) {
    reasons.push(`Logs received from ${formatInstant(complete.instant)} on may not be in yet.`);
  }
  if (complete.reason !== undefined) reasons.push(complete.reason);
  return reasons.length > 0 ? reasons.join(' ') : null;
}

/** Counted within the asker's scope only, so that the answer tells nothing of others. */
async function emptyBecause(analytics: AnalyticsQueries, report: Report): Promise<string> {
  const all = await spanOf(analytics, report, {});
  const yours = report.scope.supplierId !== null || report.scope.advertiserId !== null ? ' of yours' : '';
  if (all.n === 0) return `No play${yours} has been loaded yet.`;
  const inSpan = await spanOf(analytics, report, { span: true });
  if (inSpan.n > 0) return 'No play fits the filters.';
  return `No play${yours} ended in this span; those that are loaded ended from ${formatInstant(all.first)} to ${formatInstant(all.last)}.`;
}
