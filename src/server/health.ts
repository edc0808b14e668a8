/** Liveness: this process is to be kept. Readiness: it can take work now. Both say which check fails. */
import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import { Type } from 'typebox';

export interface CheckResult {
  readonly ok: boolean;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly detail?: string }>>;
}

/** Each answers from what is known already, at once: a probe must not wait for what it asks about. */
export interface Health {
  live(): CheckResult;
  ready(): CheckResult;
}

const HealthSchema = Type.Object(
  {
    status: Type.Enum(['ok', 'failing']),
    checks: Type.Record(Type.String(), Type.Object({ ok: Type.Boolean(), detail: Type.Optional(Type.String()) })),
  },
  { description: 'Every check with its result' },
);

/** `/health/live` and `/health/ready`: 200 where all is well, else 503. */
export function healthRoutes(health: Health): FastifyPluginAsync {
  return async (app) => {
    app.get('/health/live', { config: { access: 'public' }, schema: schemaOf('Whether the process works at all') }, (_request, reply) =>
      answer(reply, health.live()),
    );
    app.get('/health/ready', { config: { access: 'public' }, schema: schemaOf('Whether it can take work now') }, (_request, reply) =>
      answer(reply, health.ready()),
    );
  };
}

function schemaOf(summary: string) {
  return { tags: ['operation'], summary, response: { 200: HealthSchema, 503: HealthSchema } };
}

function answer(reply: FastifyReply, { ok, checks }: CheckResult): void {
  void reply
    .code(ok ? 200 : 503)
    .header('cache-control', 'no-store')
    .send({ status: ok ? 'ok' : 'failing', checks });
}
