import { Link } from 'wouter';
import { useCall } from '../api/queries.ts';
import { changed, useAddress } from '../lib/address.ts';
import { count, precise, ratio } from '../lib/format.ts';
import { Card, Fault, Loading } from '../parts/basics.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { ReportCsv } from './report-csv.tsx';
import type { ReportQuery, ReportRow } from './report.tsx';
import { BREAKDOWNS, type BreakdownName, useLabels, valueOf } from './report-filters.tsx';

/** The plays by campaign, store, device and so on; a click on one narrows the report to it. */
export function Breakdown({ query, by }: { readonly query: ReportQuery; readonly by: BreakdownName }) {
  const [parameters, change] = useAddress();
  const label = useLabels(by);
  const { data, error, refetch } = useCall('GET /api/v1/reports/plays', { query: { ...query, by } });
  const columns: readonly Column<ReportRow>[] = [
    {
      key: 'name',
      head: BREAKDOWNS.find(({ name }) => name === by)?.label ?? '',
      value: (row) => label(valueOf(row, by)),
      cell: (row) => (
        <Link href={`/plays?${changed(parameters, { [by]: valueOf(row, by) ?? '' }).toString()}`} title={valueOf(row, by) ?? ''}>
          <bdi>{label(valueOf(row, by))}</bdi>
        </Link>
      ),
    },
    { key: 'plays', head: 'Plays', number: true, value: (row) => row.plays, cell: (row) => count(row.plays) },
    { key: 'billable', head: 'Billable', number: true, value: (row) => row.billable, cell: (row) => count(row.billable) },
    { key: 'share', head: 'of all', number: true, value: (row) => row.billable / row.plays, cell: (row) => ratio(row.billable, row.plays) },
    {
      key: 'seconds',
      head: 'Billable seconds',
      number: true,
      value: (row) => row.billable_seconds,
      cell: (row) => precise(row.billable_seconds),
    },
  ];
  return (
    <Card
      title={`By ${(BREAKDOWNS.find(({ name }) => name === by)?.label ?? '').toLowerCase()}`}
      actions={
        <>
          <select aria-label="Break down by" value={by} onChange={({ target }) => change({ by: target.value })}>
            {BREAKDOWNS.map(({ name, label: text }) => (
              <option key={name} value={name}>
                {text}
              </option>
            ))}
          </select>
          <ReportCsv query={{ ...query, by }} />
        </>
      }
    >
      {!data && (error ? <Fault fault={error} onRetry={() => void refetch()} what="The breakdown" /> : <Loading lines={5} />)}
      {data && <Table caption="Plays by part" columns={columns} rows={data.rows} rowKey={(row) => valueOf(row, by) ?? ''} />}
    </Card>
  );
}
