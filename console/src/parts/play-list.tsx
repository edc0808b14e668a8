/** Accepted plays, newest first, page by page. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { type Answer, type ApiFault, call, type Input } from '../api/client.ts';
import { useNames } from '../api/queries.ts';
import { duration, percent, shortId, VIEWER_ZONE, when } from '../lib/format.ts';
import { Badge, Fault, Id, Loading } from './basics.tsx';
import { type Column, Table } from './table.tsx';

type Play = Answer<'GET /api/v1/playback-logs'>['items'][number];
type Query = NonNullable<Input<'GET /api/v1/playback-logs'>['query']>;

interface Props {
  readonly query: Query;
  readonly limit?: number;
  readonly every?: number | false;
  readonly timeZone?: string;
}

export function PlayList({ query, limit = 50, every = false, timeZone = VIEWER_ZONE }: Props) {
  const campaigns = useNames('campaign');
  const stores = useNames('store');
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery<
    Answer<'GET /api/v1/playback-logs'>,
    ApiFault,
    { pages: Answer<'GET /api/v1/playback-logs'>[] },
    unknown[],
    string | null
  >({
    queryKey: ['GET /api/v1/playback-logs', query, limit],
    queryFn: ({ pageParam, signal }) =>
      call('GET /api/v1/playback-logs', { query: { ...query, limit: String(limit), cursor: pageParam ?? undefined } }, signal),
    initialPageParam: null,
    getNextPageParam: ({ next_cursor: cursor }) => cursor,
    refetchInterval: every,
  });
  if (!data) return error ? <Fault fault={error} onRetry={() => void refetch()} what="The list of plays" /> : <Loading />;
  const columns: readonly Column<Play>[] = [
    {
      key: 'ended',
      head: 'Ended',
      cell: (play) => (
        <Link href={`/plays/${play.log_id}`} className="when">
          {when(play.ended_at, timeZone)}
        </Link>
      ),
    },
    { key: 'campaign', head: 'Campaign', cell: (play) => <Id id={play.campaign_id} label={campaigns.get(play.campaign_id)?.name} /> },
    { key: 'store', head: 'Store', cell: (play) => <Id id={play.store_id} label={stores.get(play.store_id)?.name} /> },
    {
      key: 'device',
      head: 'Device',
      cell: (play) => (
        <Link href={`/devices/${play.device_id}`} className="mono" title={play.device_id}>
          {shortId(play.device_id)}
        </Link>
      ),
    },
    { key: 'length', head: 'Shown', number: true, cell: (play) => `${duration(play.duration_actual)} (${percent(play.completion)})` },
    { key: 'verdict', head: 'Verdict', cell: (play) => <PlayBadge {...play} /> },
  ];
  return (
    <>
      <Table
        caption="Plays, newest first"
        columns={columns}
        rows={data.pages.flatMap(({ items }) => items)}
        rowKey={(play) => play.log_id}
        limit={100_000}
        empty="No play."
      />
      {hasNextPage && every === false && (
        <button type="button" className="more no-print" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {isFetchingNextPage ? 'Loading …' : 'Older plays'}
        </button>
      )}
    </>
  );
}

const STATUS_WORDS = { COMPLETED: 'Completed', PARTIAL: 'Partial', SKIPPED: 'Skipped', ERROR: 'Error' } as const;

export function PlayBadge({ status, billable, reported_status: reported }: Pick<Play, 'status' | 'billable' | 'reported_status'>) {
  if (billable) return <Badge tone="good">Billable</Badge>;
  return <Badge tone="warn">{`${STATUS_WORDS[status]}${reported === status ? '' : ', cut short'}`}</Badge>;
}
