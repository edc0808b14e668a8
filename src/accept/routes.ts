/** The two addresses that devices send to. No token: a log is authenticated by its signature. */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { LOG_CODES } from '../domain/codes.ts';
import { MAX_BATCH_BYTES, MAX_LOG_BYTES } from '../domain/limits.ts';
import { STATUSES } from '../domain/play.ts';
import { PlaybackLogSchema } from '../domain/playback-log.ts';
import { readBody, useRawBodies } from '../server/body.ts';
import { PROBLEM_TYPE } from '../server/errors.ts';
import { Problem } from '../server/problem.ts';
import { Instant, Nullable, problemResponses, Uuid } from '../server/schemas.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { SendTimes } from './send-times.ts';

const AcceptedSchema = Type.Object(
  {
    log_id: Uuid,
    outcome: Type.Enum(['accepted', 'duplicate']),
    status: Type.Enum([...STATUSES]),
    billable: Type.Boolean(),
    received_at: Instant,
  },
  { description: 'The log is durable and will count exactly once' },
);

const ResultSchema = Type.Object({
  index: Type.Integer({ minimum: 0, description: 'Place in the request' }),
  log_id: Nullable(Uuid),
  outcome: Type.Enum(['accepted', 'duplicate', 'rejected']),
  status: Type.Optional(Type.Enum([...STATUSES])),
  billable: Type.Optional(Type.Boolean()),
  received_at: Type.Optional(Instant),
  code: Type.Optional(Type.Enum([...LOG_CODES, 'unavailable'])),
  detail: Type.Optional(Type.String()),
  retryable: Type.Optional(Type.Boolean()),
  fields: Type.Optional(Type.Array(Type.String())),
});

const BatchAnswerSchema = Type.Object(
  {
    accepted: Type.Integer({ minimum: 0 }),
    duplicates: Type.Integer({ minimum: 0 }),
    rejected: Type.Integer({ minimum: 0 }),
    results: Type.Array(ResultSchema, { description: 'In the order of the request' }),
  },
  { description: 'A result for every log' },
);

const BatchSchema = Type.Union([
  Type.Object(
    { sent_at: Type.Optional(Instant), logs: Type.Array(PlaybackLogSchema, { minItems: 1, maxItems: 100 }) },
    { additionalProperties: false },
  ),
  Type.Array(PlaybackLogSchema, { minItems: 1, maxItems: 100 }),
]);

const DeviceTime = Type.Object({
  'device-time': Type.Optional(Type.String({ description: 'When the device sent this, by its own clock (RFC 3339)' })),
});

/** @param sendTimes where it is to be remembered what the devices' clocks say */
export function acceptRoutes(dispatcher: Dispatcher, sendTimes: SendTimes | null = null): FastifyPluginAsync {
  return async (app) => {
    useRawBodies(app);
    app.post(
      '/api/v1/playback-logs',
      {
        config: { access: 'public' },
        schema: {
          tags: ['playback logs'],
          summary: 'Send one playback log',
          headers: DeviceTime,
          body: PlaybackLogSchema,
          response: {
            200: AcceptedSchema,
            202: AcceptedSchema,
            ...problemResponses(...LOG_CODES, 'clock_skew', 'unavailable', 'unsupported_media_type', 'request_timeout'),
          },
        },
        onRequest: admission(dispatcher, false),
      },
      (request, reply) => take(app, { dispatcher, sendTimes }, request, reply, false),
    );
    app.post(
      '/api/v1/playback-logs/batch',
      {
        config: { access: 'public' },
        schema: {
          tags: ['playback logs'],
          summary: 'Send up to 100 playback logs; each has a result of its own',
          headers: DeviceTime,
          body: BatchSchema,
          response: {
            202: BatchAnswerSchema,
            207: BatchAnswerSchema,
            ...problemResponses(
              'malformed',
              'invalid_field',
              'too_large',
              'clock_skew',
              'unavailable',
              'unsupported_media_type',
              'request_timeout',
            ),
          },
        },
        onRequest: admission(dispatcher, true),
      },
      (request, reply) => take(app, { dispatcher, sendTimes }, request, reply, true),
    );
    // Without this, reading `/playback-logs/{log_id}` would take "batch" for an id.
    const refuses = { config: { access: 'public', refusesMethod: true }, schema: { hide: true } } as const;
    app.get('/api/v1/playback-logs/batch', refuses, (_request, reply) => {
      reply.header('allow', 'POST');
      throw new Problem('method_not_allowed', 'This address takes POST.');
    });
  };
}

/** Overload is answered before the body is read. */
function admission(dispatcher: Dispatcher, batch: boolean) {
  return (_request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void => {
    try {
      dispatcher.admit(batch);
      done();
    } catch (error) {
      if (error instanceof Problem) dispatcher.refusedUnread(error.code, batch);
      done(error instanceof Error ? error : new Error(String(error)));
    }
  };
}

async function take(
  app: FastifyInstance,
  { dispatcher, sendTimes }: { readonly dispatcher: Dispatcher; readonly sendTimes: SendTimes | null },
  request: FastifyRequest,
  reply: FastifyReply,
  batch: boolean,
): Promise<FastifyReply> {
  const stream = (request.body ?? request.raw) as IncomingMessage;
  const body = await readBody(stream, batch ? MAX_BATCH_BYTES : MAX_LOG_BYTES, app.bodyBudget).catch((error: unknown) => {
    if (error instanceof Problem) dispatcher.refusedUnread(error.code, batch);
    throw error;
  });
  const bytes = body.length;
  try {
    const header = request.headers['device-time'];
    const deviceTime = typeof header === 'string' ? header : null;
    const receivedAt = Date.now();
    // Before the body is handed over to another thread.
    const sighting = sendTimes?.look(body, deviceTime, batch, receivedAt) ?? null;
    const answer = await dispatcher.submit(body, batch, deviceTime, receivedAt);
    sendTimes?.answered(sighting, answer.status);
    reply.code(answer.status);
    reply.header('content-type', answer.status < 300 ? 'application/json; charset=utf-8' : PROBLEM_TYPE);
    if (answer.status === 401) reply.header('www-authenticate', 'Signature');
    if (answer.status === 503) reply.header('retry-after', '2');
    // As bytes: to a text Fastify adds a charset, which this type does not have (RFC 9457).
    const isText = answer.status < 300 || typeof answer.body !== 'string';
    return reply.send(isText ? answer.body : Buffer.from(answer.body));
  } finally {
    app.bodyBudget.give(bytes);
  }
}
