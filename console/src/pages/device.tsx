/** One screen: what it plays, what of it is refused, its clock, where it stands, and its keys. */
import { Link } from 'wouter';
import { useCall, useNames } from '../api/queries.ts';
import { isUuid } from '../lib/address.ts';
import { serverNow } from '../lib/clock.ts';
import { adviceOf } from '../lib/codes.ts';
import { ago, clockSkew, count, shortId, VIEWER_ZONE, when } from '../lib/format.ts';
import { spanOf } from '../lib/span.ts';
import { Badge, Card, Copy, Fault, Id, Loading, Notice, PageHead, Tile, useTitle } from '../parts/basics.tsx';
import { PlayList } from '../parts/play-list.tsx';
import { useMay } from '../session/session.tsx';
import { DeviceKeys } from './device-keys.tsx';
import { CLOCK_WORTH_SAYING_S, DEVICE_STATES } from './devices.tsx';
import { TimeChart } from './report-time.tsx';

export function DevicePage({ id: given }: { readonly id: string }) {
  const id = given.toLowerCase();
  useTitle(`Device ${shortId(id)}`);
  const all = useMay('see-all');
  if (!isUuid(id)) {
    return (
      <>
        <h1>No such device</h1>
        <Notice tone="warn">A device_id has 36 characters; this address holds something else.</Notice>
      </>
    );
  }
  return (
    <>
      <PageHead
        title={`Device ${shortId(id)}`}
        actions={
          all && (
            <Link href={`/registry/devices/${id}`} className="button">
              In the registry
            </Link>
          )
        }
      >
        <span className="mono">{id}</span> <Copy text={id} what="the device_id" />
      </PageHead>
      <Activity id={id} />
      <Card title="Plays, hour by hour" actions={<Link href={`/plays?device_id=${id}`}>Proof of play</Link>}>
        <LastDay id={id} />
      </Card>
      <Refused id={id} />
      {all && <Registered id={id} />}
      <Card title="Its newest plays">
        <PlayList query={{ device_id: id }} limit={10} every={5_000} />
      </Card>
    </>
  );
}

function Activity({ id }: { readonly id: string }) {
  const { data, error, refetch } = useCall('GET /api/v1/device-activity', { query: { device_id: id } }, { every: 5_000 });
  if (!data) return error ? <Fault fault={error} onRetry={() => void refetch()} what="The device" /> : <Loading />;
  const device = data.items[0];
  if (!device)
    return (
      <Notice tone="warn">
        This device is not registered, or none of its plays is yours; nothing was heard of it in the last 24 hours.
      </Notice>
    );
  const { state, last_received_at: last, clock_offset_seconds: offset, clock_seen_at: seen } = device;
  const clockWrong = offset !== null && Math.abs(offset) >= CLOCK_WORTH_SAYING_S;
  return (
    <dl className="tiles">
      <Tile label="State" tone={DEVICE_STATES[state].tone} value={DEVICE_STATES[state].word} note={DEVICE_STATES[state].means} />
      <Tile label="Last heard" value={last === null ? '–' : ago(last, serverNow())} note={last === null ? 'not in 24 hours' : when(last)} />
      <Tile label="Plays in 24 h" value={count(device.plays)} note={`${count(device.billable)} billable`} />
      <Tile
        label="Its clock"
        tone={clockWrong ? 'warn' : 'plain'}
        value={offset === null ? '–' : clockSkew(offset)}
        note={seen === null ? 'no send time seen since the service started' : `by its send time, ${ago(seen, serverNow())}`}
      />
      <Tile
        label="Stands in"
        value={
          device.store_id === null ? '–' : <Id id={device.store_id} label={device.store_name} href={`/plays?store_id=${device.store_id}`} />
        }
        note="now"
      />
    </dl>
  );
}

function LastDay({ id }: { readonly id: string }) {
  // To the end of this minute, so that the newest are in and the address asked for stays the same for a while.
  const minute = Math.ceil(serverNow() / 60_000) * 60_000;
  const { from, to } = spanOf('24h', minute, VIEWER_ZONE);
  const query = { device_id: id, from: new Date(from).toISOString(), to: new Date(to).toISOString() };
  const { data } = useCall('GET /api/v1/reports/plays', { query: { ...query, by: 'hour', time_zone: VIEWER_ZONE } });
  if (data && data.rows.length === 0) return <p className="empty">{data.reason ?? 'No play in the last 24 hours.'}</p>;
  return <TimeChart query={query} grain="hour" timeZone={VIEWER_ZONE} />;
}

function Refused({ id }: { readonly id: string }) {
  const { data, error, refetch } = useCall('GET /api/v1/quarantine/groups', { query: { device_id: id } }, { every: 10_000 });
  return (
    <Card title="Refused, by reason" actions={<Link href={`/quarantine?device_id=${id}`}>Quarantine desk</Link>}>
      {!data && (error ? <Fault fault={error} onRetry={() => void refetch()} what="The refusals" /> : <Loading />)}
      {data?.groups.length === 0 && <p className="empty">Nothing of this device is in quarantine.</p>}
      <ul className="reasons">
        {data?.groups.map(({ code, refusals, last_received_at: last }) => (
          <li key={code}>
            <Link href={`/quarantine?device_id=${id}&code=${code}`}>{count(refusals)}</Link>
            <span>
              <strong>{adviceOf(code).title}.</strong> {adviceOf(code).change}{' '}
              <span className="quiet-text">Last {ago(last, serverNow())}.</span>
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Registered({ id }: { readonly id: string }) {
  const stores = useNames('store');
  const { data, error, refetch } = useCall('GET /api/v1/devices/{device_id}', { path: { device_id: id } });
  if (error?.code === 'not_found')
    return (
      <Notice tone="warn">
        It is not registered, or was retired. <Link href={`/registry/devices/new?id=${id}`}>Register it</Link>
      </Notice>
    );
  if (!data) return error ? <Fault fault={error} onRetry={() => void refetch()} what="The registry" /> : <Loading />;
  return (
    <>
      <DeviceKeys deviceId={id} keys={data.keys} />
      <Card title="Where it stood">
        <ol className="history">
          {data.assignments.map(({ store_id: storeId, active, since }) => (
            <li key={`${storeId} ${since ?? ''}`}>
              {since ? `since ${when(since)}` : 'from the beginning'}:{' '}
              <Id id={storeId} label={stores.get(storeId)?.name} href={`/registry/stores/${storeId}`} />{' '}
              {active === false && <Badge tone="plain">switched off</Badge>}
            </li>
          ))}
        </ol>
      </Card>
    </>
  );
}
