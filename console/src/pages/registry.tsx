/** What is registered: stores with a picture of where they are, devices, campaigns, contents. */
import { useState } from 'react';
import { Link } from 'wouter';
import type { Answer } from '../api/client.ts';
import { useCall } from '../api/queries.ts';
import { useAddress } from '../lib/address.ts';
import { count, duration, shortId } from '../lib/format.ts';
import { Badge, Card, Fault, Id, Loading, Notice, PageHead, useTitle } from '../parts/basics.tsx';
import { SearchField } from '../parts/search-field.tsx';
import { StoreMap } from '../parts/store-map.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { useMay } from '../session/session.tsx';

type Found = Answer<'GET /api/v1/search'>['items'][number];

export const KINDS = {
  stores: { kind: 'store', title: 'Stores', one: 'store' },
  devices: { kind: 'device', title: 'Devices', one: 'device' },
  campaigns: { kind: 'campaign', title: 'Campaigns', one: 'campaign' },
  contents: { kind: 'content', title: 'Contents', one: 'content' },
} as const;
export type Part = keyof typeof KINDS;

export function isPart(text: string): text is Part {
  return Object.hasOwn(KINDS, text);
}

const PAGE = 100;

export function RegistryPage({ kind }: { readonly kind: string }) {
  useTitle('Registry');
  if (!isPart(kind)) {
    return (
      <>
        <h1>Nothing here</h1>
        <Notice>
          The registry has <Link href="/registry/stores">stores</Link>, devices, campaigns and contents.
        </Notice>
      </>
    );
  }
  return <PartPage key={kind} part={kind} />;
}

function PartPage({ part }: { readonly part: Part }) {
  const [parameters, change] = useAddress();
  const mayChange = useMay('change');
  const [pages, setPages] = useState(1);
  const text = (parameters.get('q') ?? '').slice(0, 200);
  const { kind, one } = KINDS[part];
  const query = { kind, q: text === '' ? undefined : text, limit: String(Math.min(1_000, PAGE * pages)) };
  const { data, error, refetch } = useCall('GET /api/v1/search', { query });
  return (
    <>
      <PageHead
        title="Registry"
        actions={
          mayChange && (
            <>
              <Link href="/registry/import" className="button">
                Import …
              </Link>
              <Link href={`/registry/${part}/new`} className="button primary">
                Add a {one}
              </Link>
            </>
          )
        }
      >
        What logs are judged by. Whatever changes here counts for plays that are received from then on.
      </PageHead>
      <nav className="tabs" aria-label="Parts of the registry">
        {(Object.keys(KINDS) as Part[]).map((name) => (
          <Link key={name} href={`/registry/${name}`} aria-current={name === part ? 'page' : undefined}>
            {KINDS[name].title}
          </Link>
        ))}
      </nav>
      <div className={part === 'stores' ? 'grid-2 wide-first' : ''}>
        <Card>
          <SearchField
            label="Search by name, region or id"
            value={text}
            onChange={(q) => change({ q: q === '' ? null : q }, { replace: true })}
          />
          {error && !data && <Fault fault={error} onRetry={() => void refetch()} what="The registry" />}
          {!data && !error && <Loading lines={6} />}
          {data && (
            <>
              <p className="hint" aria-live="polite">
                {count(data.total)} {data.total === 1 ? one : KINDS[part].title.toLowerCase()}
                {data.truncated && '; the registry holds more than can be searched'}
              </p>
              <Table
                caption={KINDS[part].title}
                columns={COLUMNS[part]}
                rows={data.items}
                rowKey={({ id }) => id}
                limit={1_000}
                empty="Nothing fits."
              />
              {data.items.length < Math.min(1_000, data.total) && (
                <button type="button" className="more" onClick={() => setPages(pages + 2)}>
                  Show more
                </button>
              )}
              {data.items.length >= 1_000 && data.total > 1_000 && (
                <p className="hint">The first 1,000; search for the one you look for.</p>
              )}
            </>
          )}
        </Card>
        {part === 'stores' && data && (
          <Card title="Where they are">
            <StoreMap
              stores={data.items.flatMap(({ id, name, location }) => (location ? [{ id, name: name ?? shortId(id), ...location }] : []))}
            />
          </Card>
        )}
      </div>
    </>
  );
}

const named = (part: Part): Column<Found> => ({
  key: 'name',
  head: 'Name',
  value: ({ name }) => name ?? '',
  cell: ({ id, name }) => (
    <Link href={`/registry/${part}/${id}`} title={id}>
      {name === null ? <span className="mono">{shortId(id)}</span> : <bdi className="name">{name}</bdi>}
    </Link>
  ),
});

const COLUMNS: Readonly<Record<Part, readonly Column<Found>[]>> = {
  stores: [
    named('stores'),
    { key: 'region', head: 'Region', value: ({ region }) => region ?? '', cell: ({ region }) => <bdi>{region ?? '–'}</bdi> },
    { key: 'zone', head: 'Time zone', cell: ({ time_zone: zone }) => zone ?? '–' },
    {
      key: 'supplier',
      head: 'Supplier',
      value: ({ supplier_id: id }) => id ?? '',
      cell: ({ supplier_id: id }) => (id === undefined ? '–' : <Id id={id} href={`/plays?supplier_id=${id}`} />),
    },
  ],
  devices: [
    {
      key: 'id',
      head: 'Device',
      value: ({ id }) => id,
      cell: ({ id }) => (
        <Link href={`/registry/devices/${id}`} className="mono" title={id}>
          {shortId(id)}
        </Link>
      ),
    },
    {
      key: 'store',
      head: 'Store',
      value: ({ name }) => name ?? '',
      cell: ({ name, store_id: id }) => (id === undefined ? '–' : <Id id={id} label={name} href={`/registry/stores/${id}`} />),
    },
    {
      key: 'active',
      head: 'State',
      cell: ({ active }) => (active === false ? <Badge tone="plain">switched off</Badge> : <Badge tone="good">active</Badge>),
    },
    {
      key: 'keys',
      head: 'Keys',
      number: true,
      value: ({ keys }) => keys ?? 0,
      cell: ({ keys, id }) => (keys === 0 ? <Badge tone="warn">none</Badge> : <Link href={`/devices/${id}`}>{count(keys ?? 0)}</Link>),
    },
  ],
  campaigns: [
    named('campaigns'),
    {
      key: 'advertiser',
      head: 'Advertiser',
      value: ({ advertiser_id: id }) => id ?? '',
      cell: ({ advertiser_id: id }) => (id === undefined ? '–' : <Id id={id} href={`/plays?advertiser_id=${id}`} />),
    },
    { key: 'plays', head: 'Plays', cell: ({ id }) => <Link href={`/plays?campaign_id=${id}`}>Proof of play</Link> },
  ],
  contents: [
    named('contents'),
    { key: 'duration', head: 'Duration', number: true, value: (item) => item.duration ?? 0, cell: (item) => duration(item.duration ?? 0) },
    { key: 'plays', head: 'Plays', cell: ({ id }) => <Link href={`/plays?content_id=${id}`}>Proof of play</Link> },
  ],
};
