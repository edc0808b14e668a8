/**
 * Everything that goes wrong behind a route ends here and is answered as RFC 9457 `application/problem+json`. Faults of our own
 * are logged under a correlation id; the client gets the id and nothing else.
 */
import { randomUUID } from 'node:crypto';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { Code } from '../domain/codes.ts';
import { Problem } from './problem.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** Refusals of a log by its signature; the scheme tells them from those of a bearer token. */
const SIGNATURE_CODES: ReadonlySet<Code> = new Set(['unknown_device', 'unknown_key', 'key_not_valid', 'invalid_signature']);

/** Answers `problem`. Headers that were set before stay, `WWW-Authenticate` among them. */
export function sendProblem(reply: FastifyReply, problem: Problem): void {
  const { retryAfter } = problem.extra;
  if (retryAfter !== undefined) reply.header('retry-after', String(Math.max(0, Math.ceil(retryAfter))));
  if (problem.status === 401 && !reply.hasHeader('www-authenticate')) {
    reply.header('www-authenticate', SIGNATURE_CODES.has(problem.code) ? 'Signature' : 'Bearer');
  }
  // Bytes, so that Fastify adds no charset to a media type that has none.
  reply
    .code(problem.status)
    .header('content-type', PROBLEM_TYPE)
    .send(Buffer.from(JSON.stringify(problem.toDocument())));
}

/** Fastify's error handler. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const known = error instanceof Problem ? error : fromFastify(error);
  if (known) {
    sendProblem(reply, known);
    return;
  }
  const correlationId = randomUUID();
  request.log.error(
    { err: error, correlation_id: correlationId, request_id: request.id, method: request.method, route: request.routeOptions.url },
    'a request failed by a fault of the service',
  );
  sendProblem(
    reply,
    new Problem('internal', 'The service failed to answer this; it is logged under the correlation id. Try again later.', {
      members: { correlation_id: correlationId },
    }),
  );
}

/** What Fastify itself refuses. Null: not a refusal but a fault of ours. */
function fromFastify(error: unknown): Problem | null {
  if (!(error instanceof Error)) return null;
  const { code, statusCode } = error as FastifyError;
  switch (code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_EMPTY_TYPE':
      return new Problem('unsupported_media_type', 'Say what the body is with a Content-Type that this address takes.');
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Problem('too_large', 'The body is larger than this address takes; send less at once.');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new Problem('malformed', 'The body is not as long as Content-Length says; send the request again.');
    case 'FST_ERR_BAD_URL':
      return new Problem('invalid_parameter', 'The path is not validly percent-encoded.');
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new Problem('invalid_parameter', 'A part of the path is longer than any id; look at the address.');
    default:
      return statusCode !== undefined && statusCode >= 400 && statusCode < 500 && code?.startsWith('FST_')
        ? new Problem('malformed', 'The request cannot be read as it is; compare it with /openapi.json.', { status: statusCode })
        : null;
  }
}
