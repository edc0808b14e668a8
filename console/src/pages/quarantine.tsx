/** The quarantine desk: what was refused and why, by reason and device, and where it is put right. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { type Answer, type ApiFault, call, type Input } from '../api/client.ts';
import { useCall, useNames } from '../api/queries.ts';
import { changed, isUuid, useAddress } from '../lib/address.ts';
import { serverNow } from '../lib/clock.ts';
import { adviceOf, type RefusalCode } from '../lib/codes.ts';
import { ago, count, shortId, VIEWER_ZONE, when } from '../lib/format.ts';
import { Badge, Card, Fault, Id, Loading, Notice, PageHead, useTitle } from '../parts/basics.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { useMay } from '../session/session.tsx';
import { bytesOf } from '../verify/verify.ts';

type Groups = Answer<'GET /api/v1/quarantine/groups'>;
type Group = Groups['groups'][number];
type Item = Answer<'GET /api/v1/quarantine'>['items'][number];
type Query = NonNullable<Input<'GET /api/v1/quarantine'>['query']>;

export function QuarantinePage() {
  useTitle('Quarantine');
  const [parameters] = useAddress();
  const device = parameters.get('device_id');
  const deviceId = device !== null && isUuid(device) ? device.toLowerCase() : undefined;
  const code = /^[a-z_]{1,40}$/.exec(parameters.get('code') ?? '')?.[0] as Query['code'];
  const { data, error, refetch } = useCall('GET /api/v1/quarantine/groups', { query: { code, device_id: deviceId } }, { every: 5_000 });
  return (
    <>
      <PageHead title="Quarantine desk">What was refused, why, and what to change. Nothing here is billed.</PageHead>
      <Chosen parameters={parameters} code={code} deviceId={deviceId} />
      {error && !data && <Fault fault={error} onRetry={() => void refetch()} what="Quarantine" />}
      {!data && !error && <Loading lines={6} />}
      {data && <Reasons data={data} narrowed={code !== undefined || deviceId !== undefined} />}
      {(code !== undefined || deviceId !== undefined) && data && data.groups.length > 0 && (
        <Card title="Refused logs, newest first">
          <Items query={{ code, device_id: deviceId }} />
        </Card>
      )}
    </>
  );
}

function Chosen({
  parameters,
  code,
  deviceId,
}: {
  readonly parameters: URLSearchParams;
  readonly code: string | undefined;
  readonly deviceId: string | undefined;
}) {
  if (code === undefined && deviceId === undefined) return null;
  return (
    <ul className="chips" aria-label="Filters">
      {code !== undefined && (
        <li>
          <span>Reason: {adviceOf(code).title}</span>
          <Link href={`/quarantine?${changed(parameters, { code: null }).toString()}`} aria-label="All reasons">
            ✕
          </Link>
        </li>
      )}
      {deviceId !== undefined && (
        <li>
          <span title={deviceId}>Device: {shortId(deviceId)}</span>
          <Link href={`/quarantine?${changed(parameters, { device_id: null }).toString()}`} aria-label="All devices">
            ✕
          </Link>
        </li>
      )}
    </ul>
  );
}

function Reasons({ data, narrowed }: { readonly data: Groups; readonly narrowed: boolean }) {
  const byCode = Map.groupBy(data.groups, ({ code }) => code);
  const reasons = [...byCode].map(([code, groups]) => ({ code, groups, refusals: groups.reduce((sum, one) => sum + one.refusals, 0) }));
  reasons.sort((a, b) => b.refusals - a.refusals);
  if (reasons.length === 0) {
    return (
      <Notice tone="good">
        {narrowed ? 'Nothing that fits is in quarantine.' : 'Quarantine is empty: nothing was refused that is kept.'} Logs of unknown
        devices are counted and not kept.
      </Notice>
    );
  }
  return (
    <>
      {!data.whole && <p className="hint">These are the newest {count(data.examined)} refused logs; there are older ones.</p>}
      {reasons.map(({ code, groups, refusals }) => (
        <Reason key={code} code={code} groups={groups} refusals={refusals} />
      ))}
    </>
  );
}

function Reason({ code, groups, refusals }: { readonly code: RefusalCode; readonly groups: readonly Group[]; readonly refusals: number }) {
  const [parameters] = useAddress();
  const stores = useNames('store');
  const all = useMay('see-all');
  const { title, change } = adviceOf(code);
  const columns: readonly Column<Group>[] = [
    {
      key: 'device',
      head: 'Device',
      value: ({ device_id: id }) => id ?? '',
      cell: ({ device_id: id }) =>
        id === null ? (
          'not readable'
        ) : (
          <Link href={`/devices/${id}`} className="mono" title={id}>
            {shortId(id)}
          </Link>
        ),
    },
    { key: 'store', head: 'Store', cell: ({ store_id: id }) => (id === null ? '–' : <Id id={id} label={stores.get(id)?.name} />) },
    {
      key: 'count',
      head: 'Refused',
      number: true,
      value: (group) => group.refusals,
      cell: (group) => (
        <Link href={`/quarantine?${changed(parameters, { code, device_id: group.device_id }).toString()}`}>{count(group.refusals)}</Link>
      ),
    },
    {
      key: 'last',
      head: 'Last',
      value: ({ last_received_at: last }) => Date.parse(last),
      cell: ({ last_received_at: last }) => (
        <time dateTime={last} title={when(last)}>
          {ago(last, serverNow())}
        </time>
      ),
    },
    { key: 'detail', head: 'What the screen was told', cell: ({ detail }) => <bdi className="detail">{detail}</bdi> },
    ...(all ? [{ key: 'fix', head: 'Put right', cell: (group: Group) => <PutRight code={code} group={group} /> }] : []),
  ];
  return (
    <Card
      title={
        <>
          {title} <span className="count">{count(refusals)}</span>
        </>
      }
      actions={groups[0]?.retryable ? <Badge tone="plain">sent again by itself</Badge> : <Badge tone="warn">final</Badge>}
    >
      <p>
        {change} <span className="mono quiet-text">{code}</span>
      </p>
      <Table caption={`${title}, by device`} columns={columns} rows={groups} rowKey={({ device_id: id }) => id ?? ''} limit={4} />
    </Card>
  );
}

/** A link to where the cause is changed. */
function PutRight({ code, group: { device_id: device, store_id: store } }: { readonly code: RefusalCode; readonly group: Group }) {
  const { where } = adviceOf(code);
  if (where === 'device' && device !== null)
    return <Link href={code === 'device_disabled' ? `/registry/devices/${device}` : `/devices/${device}`}>the device</Link>;
  if (where === 'store' && store !== null) return <Link href={`/registry/stores/${store}`}>the store</Link>;
  if (where === 'campaigns') return <Link href="/registry/campaigns">campaigns</Link>;
  if (where === 'contents') return <Link href="/registry/contents">contents</Link>;
  if (where === 'devices') return <Link href={`/registry/devices/new${device === null ? '' : `?id=${device}`}`}>register it</Link>;
  return <span className="quiet-text">the player</span>;
}

function Items({ query }: { readonly query: Query }) {
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery<
    Answer<'GET /api/v1/quarantine'>,
    ApiFault,
    { pages: Answer<'GET /api/v1/quarantine'>[] },
    unknown[],
    string | null
  >({
    queryKey: ['GET /api/v1/quarantine', query],
    queryFn: ({ pageParam, signal }) =>
      call('GET /api/v1/quarantine', { query: { ...query, limit: '20', cursor: pageParam ?? undefined } }, signal),
    initialPageParam: null,
    getNextPageParam: ({ next_cursor: cursor }) => cursor,
  });
  if (!data) return error ? <Fault fault={error} onRetry={() => void refetch()} what="The refused logs" /> : <Loading />;
  return (
    <>
      <ul className="refused">
        {data.pages
          .flatMap(({ items }) => items)
          .map((item) => (
            <li key={item.quarantine_id}>
              <RefusedLog item={item} />
            </li>
          ))}
      </ul>
      {hasNextPage && (
        <button type="button" className="more" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {isFetchingNextPage ? 'Loading …' : 'Older ones'}
        </button>
      )}
    </>
  );
}

function RefusedLog({ item }: { readonly item: Item }) {
  return (
    <details>
      <summary>
        <span>{when(item.last_received_at, VIEWER_ZONE)}</span>{' '}
        <span className="mono">{item.log_id === null ? 'no readable log_id' : shortId(item.log_id)}</span>{' '}
        {item.signature_proven ? <Badge tone="good">signed by the device</Badge> : <Badge tone="plain">signature not proven</Badge>}
        {item.count > 1 && ` ${count(item.count)} times`}
      </summary>
      <p>
        <bdi>{item.detail}</bdi>
      </p>
      {item.log_id !== null && (
        <p>
          log_id <span className="mono wrap">{item.log_id}</span>
          {item.code === 'log_id_conflict' && (
            <>
              {' '}
              <Link href={`/plays/${item.log_id}`}>the play that stands</Link>
            </>
          )}
        </p>
      )}
      <pre className="bytes">{readable(item.body)}</pre>
    </details>
  );
}

/** What was sent, laid out where it is JSON. It is text to this page, whatever it holds. */
function readable(base64: string): string {
  const text = new TextDecoder().decode(bytesOf(base64) ?? new Uint8Array());
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
