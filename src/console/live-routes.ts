import type { FastifyPluginAsync } from 'fastify';
import { Type } from 'typebox';
import type { Counters } from '../counters.ts';
import { CODE_NAMES } from '../domain/codes.ts';
import { formatInstant } from '../domain/timestamp.ts';
import type { Completeness } from '../query/analytics-port.ts';
import type { CheckResult } from '../server/health.ts';
import { Problem } from '../server/problem.ts';
import { Instant, Nullable, problemResponses } from '../server/schemas.ts';
import { VERSION } from '../version.ts';
import type { LiveFigures } from './live-figures.ts';

const Count = Type.Integer({ minimum: 0 });
const Milliseconds = Nullable(Type.Number({ description: 'Milliseconds; null where nothing was answered' }));

const PointSchema = Type.Object({
  at: Type.Integer({ description: 'End of the second, milliseconds since 1970 UTC' }),
  accepted: Count,
  billable: Count,
  duplicates: Count,
  refused: Count,
  settle_lag: Type.Integer({ minimum: 0, description: 'Records of the journal that wait to be settled' }),
  analytics_lag: Nullable(
    Type.Integer({ minimum: 0, description: 'Settled records that wait to be loaded into analytics; null while analytics is away' }),
  ),
  answer_p50: Milliseconds,
  answer_p99: Milliseconds,
});

const StatusSchema = Type.Object(
  {
    server_time: Instant,
    started_at: Instant,
    version: Type.String(),
    totals: Type.Object({
      accepted: Count,
      billable: Count,
      duplicates: Count,
      refused: Count,
      not_kept: Type.Integer({ minimum: 0, description: 'Refused logs that were counted and not kept in quarantine' }),
      settled_plays: Count,
      settled_conflicts: Count,
      journal_failures: Count,
    }),
    refused: Type.Array(Type.Object({ code: Type.Enum([...CODE_NAMES]), count: Count, last_minute: Count }), {
      description: 'By code, since the start and in the last minute',
    }),
    checks: Type.Record(Type.String(), Type.Object({ ok: Type.Boolean(), detail: Type.Optional(Type.String()) })),
    complete_until: Instant,
    reason: Type.Optional(Type.String({ description: 'Why `complete_until` lies back' })),
    points: Type.Array(PointSchema, { description: 'One for each second of the last ten minutes, oldest first' }),
  },
  { description: 'What the service does now. Totals are of this process, since it started' },
);

export interface LiveRoutesDeps {
  readonly figures: LiveFigures;
  readonly counters: Counters;
  readonly checks: () => CheckResult;
  readonly completeUntil: () => Promise<Completeness>;
}

/** `GET /api/v1/status` */
export function liveRoutes({ figures, counters, checks, completeUntil }: LiveRoutesDeps): FastifyPluginAsync {
  return async (app) => {
    app.addHook('onClose', async () => figures.close());
    app.get<{ Querystring: { since?: string } }>(
      '/api/v1/status',
      {
        config: { access: 'operator' },
        schema: {
          tags: ['operation'],
          summary: 'Live figures: rates, refusals, lags, checks',
          querystring: Type.Object({
            since: Type.Optional(Type.String({ pattern: '^[0-9]{1,15}$', description: 'Only points after this `at`' })),
          }),
          response: { 200: StatusSchema, ...problemResponses('invalid_parameter', 'unauthorized', 'forbidden') },
        },
      },
      async (request, reply) => {
        const since = Number(request.query.since ?? 0);
        if (!Number.isSafeInteger(since)) throw new Problem('invalid_parameter', 'The parameter "since" must be the `at` of a point.');
        const complete = await completeUntil();
        const refused = figures.refusedByCode();
        return reply.header('cache-control', 'no-store').send({
          server_time: formatInstant(Date.now()),
          started_at: formatInstant(figures.startedAt),
          version: VERSION,
          totals: {
            accepted: counters.get('accepted'),
            billable: counters.get('billable'),
            duplicates: counters.get('duplicates'),
            refused: refused.reduce((sum, { count }) => sum + count, 0),
            not_kept: counters.get('notKept'),
            settled_plays: counters.get('settledPlays'),
            settled_conflicts: counters.get('settledConflicts'),
            journal_failures: counters.get('journalFailures'),
          },
          refused,
          checks: checks().checks,
          complete_until: formatInstant(complete.instant),
          ...(complete.reason !== undefined && { reason: complete.reason }),
          points: figures.pointsAfter(since),
        });
      },
    );
  };
}
