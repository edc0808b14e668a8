/** What the report is of: span, time zone, and filters that are added from a list of what was played. */
import { useState } from 'react';
import { useCall, useNames, type Named } from '../api/queries.ts';
import { useAddress } from '../lib/address.ts';
import { count, shortId, VIEWER_ZONE } from '../lib/format.ts';
import { fromLocal, SPANS, toLocal } from '../lib/span.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Fault, Loading } from '../parts/basics.tsx';
import type { ReportQuery, ReportRow, View } from './report.tsx';

export const BREAKDOWNS = [
  { name: 'campaign_id', label: 'Campaign', kind: 'campaign' },
  { name: 'advertiser_id', label: 'Advertiser', kind: null },
  { name: 'supplier_id', label: 'Supplier', kind: null },
  { name: 'store_id', label: 'Store', kind: 'store' },
  { name: 'region', label: 'Region', kind: null },
  { name: 'content_id', label: 'Content', kind: 'content' },
  { name: 'device_id', label: 'Device', kind: 'device' },
] as const;
export type BreakdownName = (typeof BREAKDOWNS)[number]['name'];

const STATUSES = ['COMPLETED', 'PARTIAL', 'SKIPPED', 'ERROR'] as const;
const MAX_VALUES = 50;

/** The filters of an address, as the API takes them; at most so many of each, whatever the address holds. */
export function filtersOf(parameters: URLSearchParams): ReportQuery {
  const query: Record<string, string[]> = {};
  for (const { name } of BREAKDOWNS) {
    const values = parameters.getAll(name).slice(0, MAX_VALUES);
    if (values.length > 0) query[name] = values;
  }
  const statuses = STATUSES.filter((status) => parameters.getAll('status').includes(status));
  return { ...query, ...(statuses.length > 0 && { status: statuses }) };
}

/** What a value of a dimension is called. */
export function useLabels(name: BreakdownName): (value: string | null) => string {
  const kind = BREAKDOWNS.find((one) => one.name === name)?.kind ?? null;
  const names = useNames(kind ?? 'store', kind !== null);
  return (value) => {
    if (value === null || value === '') return name === 'region' ? 'No region' : '–';
    if (name === 'region') return value;
    const known = kind === null ? null : (names.get(value)?.name ?? null);
    return known === null ? shortId(value) : name === 'device_id' ? `${shortId(value)} · ${known}` : known;
  };
}

export function ReportFilters({ view, stores }: { readonly view: View; readonly stores: ReadonlyMap<string, Named> }) {
  const [parameters, change] = useAddress();
  const [adding, setAdding] = useState<BreakdownName | null>(null);
  const { span, spanName, timeZone, grain } = view;
  const setSpan = (from: string, to: string): void => {
    const [start, end] = [fromLocal(from, timeZone), fromLocal(to, timeZone)];
    if (start !== null && end !== null && start < end)
      change({ span: null, from: new Date(start).toISOString(), to: new Date(end).toISOString() });
  };
  return (
    <section className="filters no-print" aria-label="What the report is of">
      <label>
        Span
        <select
          value={spanName ?? 'fixed'}
          onChange={({ target }) =>
            target.value === 'fixed'
              ? change({ span: null, from: new Date(span.from).toISOString(), to: new Date(span.to).toISOString() })
              : change({ span: target.value, from: null, to: null })
          }
        >
          {Object.entries(SPANS).map(([name, label]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
          <option value="fixed">From … to …</option>
        </select>
      </label>
      {spanName === null && (
        <FixedSpan
          key={`${span.from} ${span.to} ${timeZone}`}
          from={toLocal(span.from, timeZone)}
          to={toLocal(span.to, timeZone)}
          onChange={setSpan}
        />
      )}
      <label>
        Time zone
        <select value={timeZone} onChange={({ target }) => change({ tz: target.value === VIEWER_ZONE ? null : target.value })}>
          {zonesFor(stores, timeZone).map((zone) => (
            <option key={zone} value={zone}>
              {zone === VIEWER_ZONE ? `Yours: ${zone}` : zone}
            </option>
          ))}
        </select>
      </label>
      <label>
        Steps
        <select value={grain} onChange={({ target }) => change({ grain: target.value })}>
          <option value="hour">Hours</option>
          <option value="day">Days</option>
        </select>
      </label>
      <label>
        Only
        <select value="" onChange={({ target }) => setAdding(BREAKDOWNS.find(({ name }) => name === target.value)?.name ?? null)}>
          <option value="">choose …</option>
          {BREAKDOWNS.map(({ name, label }) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <Chips parameters={parameters} />
      {adding !== null && <Choose name={adding} view={view} onClose={() => setAdding(null)} />}
    </section>
  );
}

function FixedSpan({
  from,
  to,
  onChange,
}: {
  readonly from: string;
  readonly to: string;
  readonly onChange: (from: string, to: string) => void;
}) {
  const [ends, setEnds] = useState({ from, to });
  const update = (next: { from: string; to: string }): void => {
    setEnds(next);
    onChange(next.from, next.to);
  };
  const wrong = ends.from >= ends.to;
  return (
    <>
      <label>
        From
        <input
          type="datetime-local"
          value={ends.from}
          onChange={({ target }) => update({ ...ends, from: target.value })}
          aria-invalid={wrong}
        />
      </label>
      <label>
        To
        <input
          type="datetime-local"
          value={ends.to}
          onChange={({ target }) => update({ ...ends, to: target.value })}
          aria-invalid={wrong}
        />
      </label>
      {wrong && (
        <span className="field-fault" role="alert">
          It must end after it begins.
        </span>
      )}
    </>
  );
}

/** The viewer's, the stores' own, and UTC. */
function zonesFor(stores: ReadonlyMap<string, Named>, current: string): readonly string[] {
  const zones = new Set([VIEWER_ZONE]);
  for (const { time_zone: zone } of stores.values()) if (zone) zones.add(zone);
  return [...zones.add('UTC').add(current)];
}

function Chips({ parameters }: { readonly parameters: URLSearchParams }) {
  const [, change] = useAddress();
  const shown = [...BREAKDOWNS.map(({ name }) => name), 'status' as const].flatMap((name) =>
    parameters
      .getAll(name)
      .slice(0, MAX_VALUES)
      .map((value) => ({ name, value })),
  );
  if (shown.length === 0) return null;
  const without = (name: string, value: string): void => change({ [name]: parameters.getAll(name).filter((one) => one !== value) });
  return (
    <ul className="chips" aria-label="Filters">
      {shown.map(({ name, value }) => (
        <li key={`${name} ${value}`}>
          {name === 'status' ? <span>Status: {value.toLowerCase()}</span> : <Chip name={name} value={value} />}
          <button type="button" aria-label={`Remove this filter`} onClick={() => without(name, value)}>
            ✕
          </button>
        </li>
      ))}
    </ul>
  );
}

function Chip({ name, value }: { readonly name: BreakdownName; readonly value: string }) {
  const label = useLabels(name);
  return (
    <span title={value}>
      {BREAKDOWNS.find((one) => one.name === name)?.label}: <bdi>{label(value)}</bdi>
    </span>
  );
}

/** Offers what was played in the span, most first: nobody is offered what would come out empty, nor what is not theirs. */
function Choose({ name, view, onClose }: { readonly name: BreakdownName; readonly view: View; readonly onClose: () => void }) {
  const [parameters, change] = useAddress();
  const [text, setText] = useState('');
  const { from, to } = view.query;
  const { data, error, refetch } = useCall('GET /api/v1/reports/plays', { query: { by: name, from, to } }, { fresh: true });
  const label = useLabels(name);
  const what = BREAKDOWNS.find((one) => one.name === name)?.label ?? '';
  const found = (data?.rows ?? [])
    .map((row) => ({ value: valueOf(row, name), plays: row.plays }))
    .filter(({ value }) => `${label(value)} ${value ?? ''}`.toLowerCase().includes(text.trim().toLowerCase()))
    .sort((a, b) => b.plays - a.plays);
  const add = (value: string | null): void => {
    change({ [name]: [...new Set([...parameters.getAll(name), value ?? ''])] });
    onClose();
  };
  return (
    <Dialog title={`Only this ${what.toLowerCase()}`} onClose={onClose}>
      <label>
        Search
        <input type="search" value={text} onChange={({ target }) => setText(target.value)} placeholder="Name or id" maxLength={100} />
      </label>
      {error && <Fault fault={error} onRetry={() => void refetch()} />}
      {!data && !error && <Loading />}
      <ul className="choices">
        {found.slice(0, 100).map(({ value, plays }) => (
          <li key={value ?? ''}>
            <button type="button" onClick={() => add(value)} title={value ?? ''}>
              <bdi>{label(value)}</bdi> <span className="quiet-text">{count(plays)} plays</span>
            </button>
          </li>
        ))}
      </ul>
      {data && found.length === 0 && <p className="empty">Nothing of this kind was played in this span.</p>}
      {found.length > 100 && <p className="hint">{count(found.length - 100)} more: search for what you look for.</p>}
    </Dialog>
  );
}

export function valueOf(row: ReportRow, name: BreakdownName): string | null {
  return row[name] ?? null;
}
