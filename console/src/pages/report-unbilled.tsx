import { Link } from 'wouter';
import { useCall } from '../api/queries.ts';
import { changed, useAddress } from '../lib/address.ts';
import { count, percent } from '../lib/format.ts';
import { Card, Fault, Loading } from '../parts/basics.tsx';
import { useSession } from '../session/session.tsx';
import type { ReportQuery, ReportRow } from './report.tsx';

interface Reason {
  readonly key: string;
  readonly text: string;
  readonly status: string;
  readonly plays: number;
}

/** What was proven and not billed, and why. What was refused never became a play; the quarantine desk has it. */
export function NotBilled({ query }: { readonly query: ReportQuery }) {
  const [parameters] = useAddress();
  const { rules } = useSession();
  const { data, error, refetch } = useCall('GET /api/v1/reports/plays', { query: { ...query, by: 'status,reported_status' } });
  const reasons = data ? reasonsOf(data.rows, percent(rules.completion_threshold)) : [];
  return (
    <Card title="Not billed, and why">
      {!data && (error ? <Fault fault={error} onRetry={() => void refetch()} /> : <Loading />)}
      {data && reasons.length === 0 && <p className="empty">Every play of this report is billable.</p>}
      <ul className="reasons">
        {reasons.map(({ key, text, status, plays }) => (
          <li key={key}>
            <Link href={`/plays?${changed(parameters, { status }).toString()}`}>{count(plays)}</Link>
            <span>{text}</span>
          </li>
        ))}
      </ul>
      <p className="hint">
        Logs that could not be proven are not plays and not counted here. <Link href="/quarantine">What was refused, and why</Link>
      </p>
    </Card>
  );
}

function reasonsOf(rows: readonly ReportRow[], threshold: string): readonly Reason[] {
  return rows
    .map((row) => ({
      key: `${row.status}/${row.reported_status}`,
      status: row.status ?? '',
      plays: row.plays - row.billable,
      text: textOf(row, threshold),
    }))
    .filter(({ plays }) => plays > 0)
    .sort((a, b) => b.plays - a.plays);
}

function textOf({ status, reported_status: claim }: ReportRow, threshold: string): string {
  if (status === 'COMPLETED') return 'Completed, but the content is not in the catalogue, which this service requires.';
  if (status === 'PARTIAL' && claim === 'COMPLETED')
    return `Cut short: the screen claims it as completed, and less than ${threshold} was shown.`;
  if (status === 'PARTIAL') return 'Shown in part, as the screen says itself.';
  if (status === 'SKIPPED') return 'Skipped: the screen went on to something else.';
  return 'Error: the screen could not show it.';
}
