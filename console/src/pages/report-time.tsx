import { useState } from 'react';
import { useCall } from '../api/queries.ts';
import { clockTime, count, day, precise, short } from '../lib/format.ts';
import { Fault, Loading } from '../parts/basics.tsx';
import { Chart } from '../parts/chart.tsx';
import { type Column, Table } from '../parts/table.tsx';
import type { ReportQuery, ReportRow } from './report.tsx';

interface Props {
  readonly query: ReportQuery;
  readonly grain: 'hour' | 'day';
  readonly timeZone: string;
}

const HOUR_S = 3_600;
const MAX_HOURS = 2_000;

/** Plays over time: billable in front of all. The same as a table, for reading and for paper. */
export function TimeChart({ query, grain, timeZone }: Props) {
  const [table, setTable] = useState(false);
  const { data, error, refetch } = useCall('GET /api/v1/reports/plays', { query: { ...query, by: grain, time_zone: timeZone } });
  if (!data) return error ? <Fault fault={error} onRetry={() => void refetch()} what="The report over time" /> : <Loading lines={5} />;
  const startOf = (row: ReportRow): number => (grain === 'hour' ? Date.parse(row.hour ?? '') : Date.parse(`${row.day}T00:00:00Z`)) / 1000;
  const name = (row: ReportRow): string =>
    grain === 'hour'
      ? `${day(startOf(row) * 1000, timeZone)}, ${clockTime(startOf(row) * 1000, timeZone, false)}`
      : day(startOf(row) * 1000, 'UTC');
  const columns: readonly Column<ReportRow>[] = [
    { key: 'time', head: grain === 'hour' ? 'Hour' : 'Day', cell: name },
    { key: 'plays', head: 'Plays', number: true, cell: (row) => count(row.plays) },
    { key: 'billable', head: 'Billable', number: true, cell: (row) => count(row.billable) },
    { key: 'seconds', head: 'Billable seconds', number: true, cell: (row) => precise(row.billable_seconds) },
  ];
  const rows = grain === 'hour' ? withGaps(data.rows, startOf) : data.rows.map((row) => ({ at: startOf(row), row }));
  const step = grain === 'hour' ? HOUR_S : 24 * HOUR_S;
  const formatTime = (seconds: number): string => {
    const instant = seconds * 1000;
    if (grain === 'day') return day(instant, 'UTC');
    const time = clockTime(instant, timeZone, false);
    return /^0?0[:.]00/.test(time) ? day(instant, timeZone) : time;
  };
  return (
    <>
      <div className={table ? 'no-screen print-only' : 'no-print'}>
        <Chart
          label={`Plays ${grain === 'hour' ? 'hour by hour' : 'day by day'}, all and billable. The same figures stand in the table.`}
          times={rows.map(({ at }) => at)}
          series={[
            { label: 'not billable', color: '--warn', kind: 'bars', values: rows.map(({ row }) => row?.plays ?? 0) },
            { label: 'billable', color: '--good', kind: 'bars', values: rows.map(({ row }) => row?.billable ?? 0) },
          ]}
          formatTime={formatTime}
          formatValue={short}
          barSeconds={step}
          from={(rows[0]?.at ?? 0) - step / 2 - (rows.length < 12 ? (step * (12 - rows.length)) / 2 : 0)}
          to={(rows.at(-1)?.at ?? 0) + step / 2 + (rows.length < 12 ? (step * (12 - rows.length)) / 2 : 0)}
        />
      </div>
      <button type="button" className="link no-print" aria-expanded={table} onClick={() => setTable(!table)}>
        {table ? 'As a picture' : 'As a table'}
      </button>
      <div className={table ? '' : 'print-only'}>
        <Table caption={`Plays by ${grain}`} columns={columns} rows={data.rows} rowKey={(row) => `${row.hour ?? row.day}`} limit={1_000} />
      </div>
    </>
  );
}

/** Hours without a play are shown as such. */
function withGaps(
  rows: readonly ReportRow[],
  startOf: (row: ReportRow) => number,
): readonly { readonly at: number; readonly row: ReportRow | null }[] {
  const filled: { at: number; row: ReportRow | null }[] = [];
  for (const row of rows) {
    const at = startOf(row);
    const last = filled.at(-1);
    const first = last === undefined ? at : last.at + HOUR_S;
    for (let gap = first; gap < at && filled.length < MAX_HOURS; gap += HOUR_S) filled.push({ at: gap, row: null });
    filled.push({ at, row });
  }
  return filled;
}
