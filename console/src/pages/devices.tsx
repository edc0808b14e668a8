import { useState } from 'react';
import { Link } from 'wouter';
import type { Answer } from '../api/client.ts';
import { useCall } from '../api/queries.ts';
import { useAddress } from '../lib/address.ts';
import { serverNow } from '../lib/clock.ts';
import { ago, clockSkew, count, shortId, when } from '../lib/format.ts';
import { Badge, Card, Fault, Loading, PageHead, type Tone, useTitle } from '../parts/basics.tsx';
import { SearchField } from '../parts/search-field.tsx';
import { type Column, Table } from '../parts/table.tsx';

type Device = Answer<'GET /api/v1/device-activity'>['items'][number];

export const DEVICE_STATES: Readonly<Record<Device['state'], { readonly word: string; readonly tone: Tone; readonly means: string }>> = {
  heard: { word: 'Heard from', tone: 'good', means: 'within five minutes' },
  quiet: { word: 'Quiet', tone: 'warn', means: 'not for five minutes' },
  silent: { word: 'Silent', tone: 'bad', means: 'not for a day' },
  inactive: { word: 'Switched off', tone: 'plain', means: 'in the registry' },
};
const STATES = Object.keys(DEVICE_STATES) as Device['state'][];
const PAGE = 100;
/** From here on a clock is said to be wrong; ten minutes are refused. */
export const CLOCK_WORTH_SAYING_S = 30;

export function DevicesPage() {
  useTitle('Devices');
  const [parameters, change] = useAddress();
  const asked = parameters.get('state');
  const state = STATES.find((one) => one === asked);
  const text = (parameters.get('q') ?? '').slice(0, 200);
  const [pages, setPages] = useState(1);
  const query = { state, q: text === '' ? undefined : text, limit: String(Math.min(1_000, PAGE * pages)) };
  const { data, error, refetch } = useCall('GET /api/v1/device-activity', { query }, { every: 5_000 });
  return (
    <>
      <PageHead title="Devices">When each screen was last heard, and what it played in the last 24 hours.</PageHead>
      <nav className="tabs" aria-label="By state">
        <Link href={linkTo(parameters, null)} aria-current={state === undefined ? 'page' : undefined}>
          All {data && <span className="count">{count(STATES.reduce((sum, one) => sum + data.summary[one], 0))}</span>}
        </Link>
        {STATES.map((one) => (
          <Link key={one} href={linkTo(parameters, one)} aria-current={state === one ? 'page' : undefined}>
            {DEVICE_STATES[one].word} {data && <span className="count">{count(data.summary[one])}</span>}
          </Link>
        ))}
      </nav>
      <Card>
        <SearchField label="Search by store or id" value={text} onChange={(q) => change({ q: q === '' ? null : q }, { replace: true })} />
        {error && !data && <Fault fault={error} onRetry={() => void refetch()} what="The devices" />}
        {!data && !error && <Loading lines={6} />}
        {data && (
          <>
            <Table
              caption="Devices"
              columns={COLUMNS}
              rows={data.items}
              rowKey={({ device_id: id }) => id}
              limit={1_000}
              empty="No device fits."
            />
            {data.items.length < data.total && data.items.length < 1_000 && (
              <button type="button" className="more" onClick={() => setPages(pages + 2)}>
                Show more ({count(data.total - data.items.length)} left)
              </button>
            )}
            {data.items.length >= 1_000 && data.total > 1_000 && (
              <p className="hint">The first 1,000 of {count(data.total)}; search for the one you look for.</p>
            )}
          </>
        )}
      </Card>
    </>
  );
}

function linkTo(parameters: URLSearchParams, state: string | null): string {
  const next = new URLSearchParams(parameters);
  next.delete('state');
  if (state !== null) next.set('state', state);
  const text = next.toString();
  return text === '' ? '/devices' : `/devices?${text}`;
}

const COLUMNS: readonly Column<Device>[] = [
  {
    key: 'device',
    head: 'Device',
    value: ({ device_id: id }) => id,
    cell: ({ device_id: id }) => (
      <Link href={`/devices/${id}`} className="mono" title={id}>
        {shortId(id)}
      </Link>
    ),
  },
  {
    key: 'store',
    head: 'Store',
    value: ({ store_name: name }) => name ?? '',
    cell: ({ store_name: name, store_id: id }) => <bdi>{name ?? (id === null ? '–' : shortId(id))}</bdi>,
  },
  {
    key: 'state',
    head: 'State',
    value: ({ state }) => STATES.indexOf(state),
    cell: ({ state }) => <Badge tone={DEVICE_STATES[state].tone}>{DEVICE_STATES[state].word}</Badge>,
  },
  {
    key: 'last',
    head: 'Last heard',
    value: ({ last_received_at: last }) => (last === null ? 0 : Date.parse(last)),
    cell: ({ last_received_at: last }) =>
      last === null ? (
        'not in 24 h'
      ) : (
        <time dateTime={last} title={when(last)}>
          {ago(last, serverNow())}
        </time>
      ),
  },
  { key: 'plays', head: 'Plays', number: true, value: ({ plays }) => plays, cell: ({ plays }) => count(plays) },
  { key: 'billable', head: 'Billable', number: true, value: ({ billable }) => billable, cell: ({ billable }) => count(billable) },
  {
    key: 'clock',
    head: 'Clock',
    value: ({ clock_offset_seconds: offset }) => Math.abs(offset ?? 0),
    cell: ({ clock_offset_seconds: offset }) =>
      offset === null ? '–' : Math.abs(offset) < CLOCK_WORTH_SAYING_S ? clockSkew(offset) : <Badge tone="warn">{clockSkew(offset)}</Badge>,
  },
];
