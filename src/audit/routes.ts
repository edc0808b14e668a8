/** What `playproof audit` asks of a running service: its analytics is held by the service alone. */
import type { FastifyPluginAsync } from 'fastify';
import { type Static, Type } from 'typebox';
import { STATUSES } from '../domain/play.ts';
import type { AnalyticsQueries } from '../query/analytics-port.ts';
import { Problem } from '../server/problem.ts';
import { listOf, problemResponses, Repeatable, Uuid } from '../server/schemas.ts';
import { SqlAnalyticsCopy } from './analytics-sql.ts';
import { type AnalyticsRow, MAX_COUNTED } from './ports.ts';

/** As many as can be written out without holding up other answers for more than some 20 ms. */
export const MAX_ROWS = 5_000;

const Position = Type.String({ pattern: '^[0-9]{1,15}$' });
const RowsQuery = Type.Object({
  from: Type.Optional(Position),
  until: Type.Optional(Position),
  log_id: Type.Optional(Repeatable(Uuid, MAX_COUNTED)),
});

const AuditRow = Type.Object({
  feed_partition: Type.Integer(),
  feed_offset: Type.Integer(),
  log_id: Type.String(),
  content_hash: Type.String(),
  status: Type.Enum([...STATUSES]),
  billable: Type.Boolean(),
  ended_at_ms: Type.Integer({ description: 'Milliseconds since 1970 UTC' }),
  fingerprint: Type.String({ description: 'Of every column of the play, hex: what the audit compares' }),
});

export const AuditRowsAnswer = Type.Object({
  rows: Type.Array(AuditRow),
  loaded: Type.Array(Type.Object({ feed_id: Type.String(), position: Type.Integer() }), {
    description: 'How far analytics was loaded, by feed; as it stood before the rows were read',
  }),
});

export interface AuditRoutesDeps {
  /** Null where the audit asks the engines themselves: then this answers 501. */
  readonly analytics: AnalyticsQueries | null;
}

/** `GET /api/v1/audit/rows` */
export function auditRoutes({ analytics }: AuditRoutesDeps): FastifyPluginAsync {
  const copy = analytics && new SqlAnalyticsCopy(analytics, MAX_ROWS);
  return (app) => {
    app.get<{ Querystring: Static<typeof RowsQuery> }>(
      '/api/v1/audit/rows',
      {
        config: { access: 'admin' },
        schema: {
          summary: 'Rows of analytics as they are stored, for `playproof audit`',
          description:
            `With \`from\` and \`until\` (both inclusive; without \`until\` to the end): the different rows at these positions of the feed, in their order, at most ${MAX_ROWS}. ` +
            `With \`log_id\` (up to ${MAX_COUNTED} times): the rows that reports count for these plays. Without any: \`loaded\` alone.`,
          tags: ['reports'],
          querystring: RowsQuery,
          response: {
            200: AuditRowsAnswer,
            ...problemResponses('invalid_parameter', 'unauthorized', 'forbidden', 'not_implemented', 'unavailable'),
          },
        },
      },
      async ({ query }) => {
        if (!copy) {
          throw new Problem(
            'not_implemented',
            'The audit of this installation asks ClickHouse itself: run `playproof audit` with the settings of its services.',
          );
        }
        const loaded = (await copy.loaded()).map(({ feedId, position }) => ({ feed_id: feedId, position }));
        return { rows: (await rowsOf(copy, query)).map(answerRow), loaded };
      },
    );
    return Promise.resolve();
  };
}

async function rowsOf(copy: SqlAnalyticsCopy, { from, until, log_id }: Static<typeof RowsQuery>): Promise<readonly AnalyticsRow[]> {
  const logIds = listOf(log_id);
  if (logIds.length > 0) {
    if (from !== undefined || until !== undefined)
      throw new Problem('invalid_parameter', 'Ask by "log_id" or by "from" and "until", not by both.');
    return copy.counted(logIds);
  }
  if (from !== undefined) return copy.stored(Number(from), until === undefined ? null : Number(until));
  if (until !== undefined) throw new Problem('invalid_parameter', 'The parameter "until" needs "from" with it.');
  return [];
}

function answerRow(row: AnalyticsRow): Static<typeof AuditRow> {
  return {
    feed_partition: row.partition,
    feed_offset: row.offset,
    log_id: row.logId,
    content_hash: row.contentHash,
    status: row.status as Static<typeof AuditRow>['status'],
    billable: row.billable,
    ended_at_ms: row.endedAt,
    fingerprint: row.fingerprint,
  };
}
