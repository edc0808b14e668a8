/** Who is signed in, and by which rules this service judges: what the console has to know before it shows anything. */
import type { FastifyPluginAsync } from 'fastify';
import { Type } from 'typebox';
import { RULE_VERSION, type RuleSettings } from '../domain/limits.ts';
import { formatInstant } from '../domain/timestamp.ts';
import { ROLES, scopeOf } from '../server/access.ts';
import { Instant, Nullable, problemResponses, Uuid } from '../server/schemas.ts';
import { VERSION } from '../version.ts';

const SessionSchema = Type.Object(
  {
    role: Type.Enum([...ROLES]),
    supplier_id: Nullable(Uuid),
    advertiser_id: Nullable(Uuid),
    server_time: Instant,
    version: Type.String(),
    rules: Type.Object(
      {
        rule_version: Type.Integer(),
        completion_threshold: Type.Number({ description: '0 to 1: from which completion a claim of COMPLETED stands' }),
        max_ahead_seconds: Type.Number(),
        max_age_seconds: Type.Number(),
        max_distance_m: Type.Number(),
        require_catalogue: Type.Boolean(),
        require_screenshot: Type.Boolean(),
      },
      { description: 'The settings that logs are judged by now' },
    ),
  },
  { description: 'The holder of the token' },
);

/** `GET /api/v1/session` */
export function sessionRoutes(rules: RuleSettings): FastifyPluginAsync {
  return async (app) => {
    app.get(
      '/api/v1/session',
      {
        config: { access: 'reader' },
        schema: {
          tags: ['operation'],
          summary: 'Whose token this is, and the rules that logs are judged by',
          response: { 200: SessionSchema, ...problemResponses('unauthorized') },
        },
      },
      (request, reply) => {
        const { supplierId, advertiserId } = scopeOf(request.identity);
        return reply.header('cache-control', 'no-store').send({
          role: request.identity.role,
          supplier_id: supplierId,
          advertiser_id: advertiserId,
          server_time: formatInstant(Date.now()),
          version: VERSION,
          rules: {
            rule_version: RULE_VERSION,
            completion_threshold: rules.completionThreshold,
            max_ahead_seconds: rules.maxAheadMs / 1000,
            max_age_seconds: rules.maxAgeMs / 1000,
            max_distance_m: rules.maxDistanceM,
            require_catalogue: rules.requireCatalogue,
            require_screenshot: rules.requireScreenshot,
          },
        });
      },
    );
  };
}
