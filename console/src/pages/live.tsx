/** What the service does now. It says so when it does not know. */
import { useEffect, useRef, useState } from 'react';
import { Link } from 'wouter';
import { type Answer, ApiFault, call } from '../api/client.ts';
import { useCall } from '../api/queries.ts';
import { serverNow, setServerTime } from '../lib/clock.ts';
import { adviceOf } from '../lib/codes.ts';
import { ago, clockTime, count, decimal, short, VIEWER_ZONE, when } from '../lib/format.ts';
import { Badge, Card, Fault, Loading, Notice, PageHead, Tile, useTitle } from '../parts/basics.tsx';
import { Chart, type Series } from '../parts/chart.tsx';
import { PlayList } from '../parts/play-list.tsx';

type Status = Answer<'GET /api/v1/status'>;
type Point = Status['points'][number];

const EVERY_MS = 1_000;
const SHOWN_S = 300;
const KEPT = 600;
/** Rates are of so many seconds. */
const RATE_S = 10;

export function LivePage() {
  useTitle('Live');
  const [paused, setPaused] = useState(false);
  const { status, points, fault, since } = useLive(paused);
  if (!status) return fault ? <Fault fault={fault} what="The live figures" /> : <Loading lines={8} />;
  return (
    <>
      <PageHead
        title="Live"
        actions={
          <button type="button" onClick={() => setPaused(!paused)} aria-pressed={paused}>
            {paused ? 'Go on' : 'Pause'}
          </button>
        }
      >
        {paused ? `Stands still since ${clockTime(since)}.` : 'Second by second, as the screens send.'} Running since{' '}
        {when(status.started_at)}.
      </PageHead>
      {fault && (
        <Notice tone="bad" title={`No answer since ${clockTime(since)}.`}>
          {fault.message} The pictures below stand still; they go on by themselves.
        </Notice>
      )}
      <Checks status={status} />
      <Tiles status={status} points={points} />
      <div className="grid-2">
        <Rates points={points} />
        <Answers points={points} />
        <Refusals status={status} />
        <Lags points={points} />
      </div>
      <DeviceStates paused={paused} />
      <Card title="The newest plays" actions={<Link href="/plays">Proof of play</Link>}>
        <PlayList query={{}} limit={8} every={paused ? false : 2_000} />
      </Card>
    </>
  );
}

function useLive(paused: boolean) {
  const [view, setView] = useState<{ status: Status | null; points: readonly Point[]; fault: ApiFault | null; since: number }>({
    status: null,
    points: [],
    fault: null,
    since: serverNow(),
  });
  const latest = useRef(view);
  latest.current = view;
  useEffect(() => {
    if (paused) return undefined;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | null = null;
    const ask = async (): Promise<void> => {
      const known = latest.current.points;
      try {
        const status = await call('GET /api/v1/status', { query: { since: String(known.at(-1)?.at ?? 0) } }, stop.signal);
        setServerTime(status.server_time);
        // After a restart of the service its points begin anew.
        const restarted = latest.current.status !== null && latest.current.status.started_at !== status.started_at;
        const points = [...(restarted ? [] : known), ...status.points].slice(-KEPT);
        setView({ status, points, fault: null, since: serverNow() });
      } catch (error) {
        if (stop.signal.aborted) return;
        if (error instanceof ApiFault) setView((before) => ({ ...before, fault: error }));
        else throw error;
      }
      if (!stop.signal.aborted) timer = setTimeout(() => void ask(), EVERY_MS);
    };
    void ask();
    return () => {
      stop.abort();
      clearTimeout(timer ?? undefined);
    };
  }, [paused]);
  return view;
}

function Checks({ status }: { readonly status: Status }) {
  const names: Readonly<Record<string, string>> = { journal: 'Journal', settle: 'Settling', analytics: 'Analytics' };
  return (
    <ul className="checks" aria-label="Parts of the service">
      {Object.entries(status.checks).map(([name, { ok, detail }]) => (
        <li key={name}>
          <Badge tone={ok ? 'good' : 'bad'}>{names[name] ?? name}</Badge> {ok ? 'works' : (detail ?? 'is away')}
        </li>
      ))}
      <li>
        <span>
          Reports are complete until <strong>{clockTime(status.complete_until)}</strong>
        </span>
        {status.reason !== undefined && <span className="quiet-text"> {status.reason}</span>}
      </li>
    </ul>
  );
}

function Tiles({ status, points }: { readonly status: Status; readonly points: readonly Point[] }) {
  const recent = points.slice(-RATE_S);
  const rate = (pick: (point: Point) => number): number => recent.reduce((sum, point) => sum + pick(point), 0) / Math.max(1, recent.length);
  const last = recent.at(-1);
  const answers = recent.flatMap(({ answer_p99: p99 }) => (p99 === null ? [] : [p99]));
  const { totals } = status;
  return (
    <dl className="tiles">
      <Tile
        label="Logs a second"
        value={decimal(rate((point) => point.accepted + point.duplicates + point.refused))}
        note={`of the last ${RATE_S} s`}
      />
      <Tile label="Accepted" tone="good" value={short(totals.accepted)} note={`${decimal(rate(({ accepted }) => accepted))}/s`} />
      <Tile label="Billable" tone="good" value={short(totals.billable)} note={`${decimal(rate(({ billable }) => billable))}/s`} />
      <Tile
        label="Refused"
        tone={totals.refused > 0 ? 'warn' : 'plain'}
        value={short(totals.refused)}
        note={`${decimal(rate(({ refused }) => refused))}/s`}
      />
      <Tile
        label="Slowest answers (p99)"
        value={answers.length === 0 ? '–' : `${decimal(Math.max(...answers))} ms`}
        note="with the play safe on the disk"
      />
      <Tile label="Waiting" value={short((last?.settle_lag ?? 0) + (last?.analytics_lag ?? 0))} note="to be settled or loaded" />
    </dl>
  );
}

interface LineChartProps {
  readonly title: string;
  readonly label: string;
  readonly points: readonly Point[];
  readonly series: readonly (Omit<Series, 'values'> & { readonly pick: (point: Point) => number | null })[];
  readonly unit: (value: number) => string;
}

function LiveChart({ title, label, points, series, unit }: LineChartProps) {
  const end = (points.at(-1)?.at ?? serverNow()) / 1000;
  const shown = points.filter(({ at }) => at / 1000 >= end - SHOWN_S);
  return (
    <Card title={title}>
      <Chart
        label={label}
        times={shown.map(({ at }) => at / 1000)}
        series={series.map(({ pick, ...rest }) => ({ ...rest, values: shown.map(pick) }))}
        height={190}
        formatTime={(seconds) => clockTime(seconds * 1000, VIEWER_ZONE)}
        formatValue={unit}
        from={Math.max(end - SHOWN_S, Math.min(shown[0]?.at ?? 0, (end - 60) * 1000) / 1000)}
        to={end}
      />
    </Card>
  );
}

function Rates({ points }: { readonly points: readonly Point[] }) {
  const last = points.at(-1);
  return (
    <LiveChart
      title="Logs a second"
      label={`Logs a second over the last five minutes. In the last second ${last?.accepted ?? 0} accepted, ${last?.refused ?? 0} refused.`}
      points={points}
      series={[
        { label: 'accepted', color: '--info', kind: 'area', pick: ({ accepted }) => accepted },
        { label: 'billable', color: '--good', kind: 'line', pick: ({ billable }) => billable },
        { label: 'refused', color: '--bad', kind: 'line', dash: [4, 3], pick: ({ refused }) => refused },
      ]}
      unit={short}
    />
  );
}

function Answers({ points }: { readonly points: readonly Point[] }) {
  return (
    <LiveChart
      title="Time to answer"
      label="Milliseconds to answer a request with logs over the last five minutes, median and 99th percentile."
      points={points}
      series={[
        { label: '99 % within', color: '--warn', kind: 'line', pick: ({ answer_p99: p99 }) => p99 },
        { label: 'half within', color: '--info', kind: 'area', pick: ({ answer_p50: p50 }) => p50 },
      ]}
      unit={(value) => `${decimal(value)} ms`}
    />
  );
}

function Lags({ points }: { readonly points: readonly Point[] }) {
  const last = points.at(-1);
  return (
    <LiveChart
      title="Waiting behind the answer"
      label={`Logs that wait: ${last?.settle_lag ?? 0} to be settled, ${last?.analytics_lag ?? 'an unknown number'} to be loaded into analytics.`}
      points={points}
      series={[
        { label: 'to be settled', color: '--info', kind: 'area', pick: (point) => point.settle_lag },
        { label: 'to be loaded into analytics', color: '--warn', kind: 'line', pick: (point) => point.analytics_lag },
      ]}
      unit={short}
    />
  );
}

function Refusals({ status }: { readonly status: Status }) {
  const sorted = [...status.refused].sort((a, b) => b.count - a.count);
  const most = sorted[0]?.count ?? 1;
  return (
    <Card title="Refused, by reason" actions={<Link href="/quarantine">Quarantine desk</Link>}>
      {sorted.length === 0 ? (
        <p className="empty">Nothing was refused since the start.</p>
      ) : (
        <ul className="bars">
          {sorted.map(({ code, count: times, last_minute: lately }) => (
            <li key={code}>
              <Link href={`/quarantine?code=${code}`}>{adviceOf(code).title}</Link>
              <meter min={0} max={most} value={times} aria-label={`${times} refused: ${adviceOf(code).title}`} />
              <span className="number">
                {count(times)} {lately > 0 && <span className="quiet-text">+{count(lately)} in a minute</span>}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

const STATE_WORDS = {
  heard: ['Heard from', 'within five minutes', 'good'],
  quiet: ['Quiet', 'not for five minutes', 'warn'],
  silent: ['Silent', 'not for a day', 'bad'],
  inactive: ['Switched off', 'by the registry', 'plain'],
} as const;

function DeviceStates({ paused }: { readonly paused: boolean }) {
  const { data, error, refetch } = useCall('GET /api/v1/device-activity', { query: { limit: '1' } }, { every: paused ? false : 5_000 });
  const last = data?.items[0];
  return (
    <Card title="Devices" actions={<Link href="/devices">All devices</Link>}>
      {error && !data ? (
        <Fault fault={error} onRetry={() => void refetch()} what="The devices" />
      ) : (
        <dl className="tiles">
          {(Object.keys(STATE_WORDS) as (keyof typeof STATE_WORDS)[]).map((state) => {
            const [label, note, tone] = STATE_WORDS[state];
            const value = data?.summary[state] ?? 0;
            return (
              <Tile
                key={state}
                label={label}
                tone={value > 0 ? tone : 'plain'}
                value={<Link href={`/devices?state=${state}`}>{data ? count(value) : '…'}</Link>}
                note={state === 'heard' && last?.last_received_at ? `last ${ago(last.last_received_at, serverNow())}` : note}
              />
            );
          })}
        </dl>
      )}
    </Card>
  );
}
