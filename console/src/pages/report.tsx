/** Proof of play: who played what, when, and what of it is billed. Every figure is the API's own. */
import { useMemo } from 'react';
import { Link } from 'wouter';
import { type Answer, type Input } from '../api/client.ts';
import { useCall, useNames } from '../api/queries.ts';
import { useAddress } from '../lib/address.ts';
import { serverNow } from '../lib/clock.ts';
import { count, duration, precise, ratio, when } from '../lib/format.ts';
import { instantParam, isSpanName, SPANS, type Span, type SpanName, spanOf, zoneOf } from '../lib/span.ts';
import { Card, Fault, Loading, Notice, PageHead, Tile, useTitle } from '../parts/basics.tsx';
import { PlayList } from '../parts/play-list.tsx';
import { Breakdown } from './report-breakdown.tsx';
import { BREAKDOWNS, type BreakdownName, filtersOf, ReportFilters } from './report-filters.tsx';
import { ReportCsv } from './report-csv.tsx';
import { TimeChart } from './report-time.tsx';
import { NotBilled } from './report-unbilled.tsx';

export type ReportQuery = NonNullable<Input<'GET /api/v1/reports/plays'>['query']>;
export type ReportRow = Answer<'GET /api/v1/reports/plays'>['rows'][number];

const DEFAULT_SPAN: SpanName = '24h';
const DAY_MS = 86_400_000;
/** Up to so long, hours are shown; beyond, days. */
const HOURS_UP_TO_MS = 3 * DAY_MS;

export function ReportPage() {
  useTitle('Proof of play');
  const [parameters] = useAddress();
  const view = useView(parameters);
  const { query, span, timeZone, grain, by } = view;
  const total = useCall('GET /api/v1/reports/plays', { query });
  const stores = useNames('store');
  const rows = total.data?.rows ?? [];
  const sum = rows[0];
  return (
    <>
      <PageHead
        title="Proof of play"
        actions={
          <>
            <ReportCsv query={{ ...query, by: `${by},${grain}`, time_zone: timeZone }} />
            <button type="button" onClick={() => print()}>
              Print
            </button>
          </>
        }
      >
        {when(span.from, timeZone)} to {when(span.to, timeZone)} <span className="quiet-text">({timeZone})</span>
      </PageHead>
      <ReportFilters view={view} stores={stores} />
      <PrintHead view={view} answer={total.data} />
      {total.error && !total.data && <Fault fault={total.error} onRetry={() => void total.refetch()} what="The report" />}
      {total.error && total.data && (
        <Notice tone="warn" title="These figures are a little old.">
          {total.error.message}
        </Notice>
      )}
      {!total.data && !total.error && <Loading lines={8} />}
      {total.data && (
        <>
          <Completeness answer={total.data} span={span} timeZone={timeZone} />
          {sum && sum.plays > 0 && (
            <div className={total.isPlaceholderData ? 'report-body stale' : 'report-body'}>
              <Totals row={sum} />
              <Card title={grain === 'hour' ? 'Hour by hour' : 'Day by day'}>
                <TimeChart query={query} grain={grain} timeZone={timeZone} />
              </Card>
              <div className="grid-2 wide-first">
                <Breakdown query={query} by={by} />
                <NotBilled query={query} />
              </div>
              <Card title="The plays behind these figures" className="no-print">
                <PlayList query={query} timeZone={timeZone} limit={20} />
              </Card>
            </div>
          )}
        </>
      )}
    </>
  );
}

export interface View {
  readonly query: ReportQuery;
  readonly span: Span;
  readonly spanName: SpanName | null;
  readonly timeZone: string;
  readonly grain: 'hour' | 'day';
  readonly by: BreakdownName;
}

/** What the address asks for; what it holds that cannot be read is left aside. */
function useView(parameters: URLSearchParams): View {
  const address = parameters.toString();
  // A relative span moves on by itself every ten seconds, and with it everything that is asked.
  const beat = Math.floor(serverNow() / 10_000);
  return useMemo(() => {
    const timeZone = zoneOf(parameters.get('tz'));
    const [from, to] = [instantParam(parameters.get('from')), instantParam(parameters.get('to'))];
    const named = parameters.get('span');
    const fixed = from !== null && to !== null && from < to ? { from, to } : null;
    const spanName = fixed ? null : isSpanName(named) ? named : DEFAULT_SPAN;
    const span = fixed ?? spanOf(spanName ?? DEFAULT_SPAN, beat * 10_000, timeZone);
    const asked = parameters.get('grain');
    const grain = asked === 'hour' || asked === 'day' ? asked : span.to - span.from <= HOURS_UP_TO_MS ? 'hour' : 'day';
    const by = BREAKDOWNS.find(({ name }) => name === parameters.get('by'))?.name ?? 'campaign_id';
    const query = { ...filtersOf(parameters), from: new Date(span.from).toISOString(), to: new Date(span.to).toISOString() };
    return { query, span, spanName, timeZone, grain, by };
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- the text of the address stands for its parameters
  }, [address, beat]);
}

function Completeness({
  answer,
  span,
  timeZone,
}: {
  readonly answer: Answer<'GET /api/v1/reports/plays'>;
  readonly span: Span;
  readonly timeZone: string;
}) {
  const empty = (answer.rows[0]?.plays ?? 0) === 0;
  const until = Date.parse(answer.complete_until);
  const whole = until >= span.to;
  return (
    <>
      {empty && (
        <Notice tone="warn" title="There is nothing in this report.">
          {answer.reason ?? 'No play fits.'} <Link href="/plays?span=30d">Look at the last 30 days</Link>
        </Notice>
      )}
      <p className="complete">
        {whole
          ? 'Complete: every log of this span that was received is in.'
          : `Complete until ${when(until, timeZone)}: every log received before is in.`}
        {!empty && answer.reason !== undefined && ` ${answer.reason}`}{' '}
        <span className="quiet-text">Screens that were offline may still send plays of the last 24 hours.</span>
      </p>
    </>
  );
}

function Totals({ row }: { readonly row: ReportRow }) {
  return (
    <dl className="tiles" data-testid="totals">
      <Tile label="Plays" value={<span data-figure="plays">{count(row.plays)}</span>} note="proven and accepted" />
      <Tile
        label="Billable plays"
        tone="good"
        value={<span data-figure="billable">{count(row.billable)}</span>}
        note={`${ratio(row.billable, row.plays)} of all`}
      />
      <Tile
        label="Billable time"
        tone="good"
        value={duration(Math.round(row.billable_seconds))}
        note={<span data-figure="billable_seconds">{precise(row.billable_seconds)} s</span>}
      />
      <Tile
        label="Not billed"
        tone={row.plays > row.billable ? 'warn' : 'plain'}
        value={count(row.plays - row.billable)}
        note="reasons below"
      />
      <Tile label="Devices" value={count(row.devices)} note={`in ${count(row.stores)} ${row.stores === 1 ? 'store' : 'stores'}`} />
    </dl>
  );
}

/** What stands on paper above the figures: what they are of, and how to check them. */
function PrintHead({ view, answer }: { readonly view: View; readonly answer: Answer<'GET /api/v1/reports/plays'> | undefined }) {
  const names = { campaign_id: useNames('campaign'), store_id: useNames('store'), content_id: useNames('content') } as const;
  const filters = Object.entries(filtersOf(new URLSearchParams(location.search))).flatMap(([name, values]) =>
    [values ?? []].flat().map((value) => `${name.replace('_id', '')}: ${names[name as keyof typeof names]?.get(value)?.name ?? value}`),
  );
  return (
    <div className="print-only print-head">
      <p>
        <strong>Playproof</strong>{' '}
        {filters.length === 0
          ? `All plays, ${view.spanName ? SPANS[view.spanName].toLowerCase() : 'in the span above'}`
          : filters.join('; ')}
      </p>
      <p>
        Printed {when(serverNow(), view.timeZone)}; complete until {answer ? when(answer.complete_until, view.timeZone) : '–'}. Days and
        hours are those of {view.timeZone}. Each play can be verified with its evidence and the screen’s public key.
      </p>
    </div>
  );
}
