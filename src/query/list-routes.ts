import type { FastifyPluginAsync } from 'fastify';
import { type Static, Type } from 'typebox';
import { completionOf, STATUSES } from '../domain/play.ts';
import { formatInstant } from '../domain/timestamp.ts';
import { scopeOf } from '../server/access.ts';
import { Cursor, Instant, Limit, limitOf, Nullable, Page, problemResponses, Uuid } from '../server/schemas.ts';
import type { AnalyticsQueries } from './analytics-port.ts';
import { listQuery, type ListRequest, type ListRow, readCursor, writeCursor } from './list-sql.ts';
import { PlayFilterSchema, parsePlayFilter } from './play-filter.ts';

const ListQuery = Type.Object({ ...PlayFilterSchema, limit: Type.Optional(Limit), cursor: Type.Optional(Cursor) });

const Status = Type.Enum([...STATUSES]);
const ListedPlay = Type.Object({
  log_id: Uuid,
  device_id: Uuid,
  campaign_id: Uuid,
  content_id: Uuid,
  store_id: Uuid,
  supplier_id: Uuid,
  advertiser_id: Uuid,
  region: Nullable(Type.String()),
  started_at: Instant,
  ended_at: Instant,
  received_at: Instant,
  status: Status,
  reported_status: Status,
  billable: Type.Boolean(),
  completion: Type.Number({ minimum: 0, maximum: 1 }),
  duration_actual: Type.Number({ description: 'Seconds' }),
  duration_expected: Type.Number({ description: 'Seconds' }),
  distance_m: Nullable(Type.Number({ description: 'Metres from the store; null where the log has no location' })),
  content_known: Type.Boolean(),
  clock_checked: Type.Boolean(),
  content_hash: Type.String({ description: 'SHA-256 of the canonical form, hex' }),
  rule_version: Type.Integer(),
});

export interface ListDeps {
  readonly analytics: AnalyticsQueries;
}

/** `GET /api/v1/playback-logs` */
export function listRoutes(deps: ListDeps): FastifyPluginAsync {
  return (app) => {
    app.get<{ Querystring: Static<typeof ListQuery> }>(
      '/api/v1/playback-logs',
      {
        config: { access: 'reader' },
        schema: {
          summary: 'Accepted plays, newest first by ended_at',
          tags: ['reports'],
          querystring: ListQuery,
          response: { 200: Page(ListedPlay), ...problemResponses('invalid_parameter', 'unauthorized', 'unavailable') },
        },
      },
      async (request) => {
        const { query } = request;
        const { rows, more } = await listPlays(deps.analytics, {
          filter: parsePlayFilter(query),
          scope: scopeOf(request.identity),
          limit: limitOf(query.limit),
          after: query.cursor === undefined ? null : readCursor(query.cursor),
        });
        const last = rows.at(-1);
        return {
          items: rows.map(listedPlay),
          next_cursor: more && last ? writeCursor({ endedAt: last.r_ended_at, logId: last.r_log_id }) : null,
        };
      },
    );
    return Promise.resolve();
  };
}

async function listPlays(analytics: AnalyticsQueries, list: ListRequest): Promise<{ rows: ListRow[]; more: boolean }> {
  const quick = listQuery(list, true);
  let rows = await analytics.rows<ListRow>(quick.sql, quick.params);
  if (rows.length <= list.limit && rows[0]?.whole === 0) {
    const slow = listQuery(list, false);
    rows = await analytics.rows<ListRow>(slow.sql, slow.params);
  }
  return { rows: rows.slice(0, list.limit), more: rows.length > list.limit };
}

function listedPlay(row: ListRow): Static<typeof ListedPlay> {
  return {
    log_id: row.r_log_id,
    device_id: row.r_device_id,
    campaign_id: row.r_campaign_id,
    content_id: row.r_content_id,
    store_id: row.r_store_id,
    supplier_id: row.r_supplier_id,
    advertiser_id: row.r_advertiser_id,
    region: row.r_region === '' ? null : row.r_region,
    started_at: formatInstant(row.r_started_at),
    ended_at: formatInstant(row.r_ended_at),
    received_at: formatInstant(row.r_received_at),
    status: row.r_status as Static<typeof Status>,
    reported_status: row.r_reported_status as Static<typeof Status>,
    billable: row.r_billable,
    completion: completionOf(row.r_duration_actual_ms, row.r_duration_expected_ms),
    duration_actual: row.r_duration_actual_ms / 1000,
    duration_expected: row.r_duration_expected_ms / 1000,
    distance_m: row.r_distance_m,
    content_known: row.r_content_known,
    clock_checked: row.r_clock_checked,
    content_hash: row.r_content_hash,
    rule_version: row.r_rule_version,
  };
}
