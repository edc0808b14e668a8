/**
 * Clients that ask on and on over one connection without reading: HTTP/1.1 lets a request be sent before the last answer was read,
 * and each answer is held in memory until then.
 */
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from './problem.ts';

/**
 * Reading requests whose answers may wait on one connection. Answers to logs are small, and are bounded by what is in flight; what is
 * read may have megabytes.
 */
const MAX_UNANSWERED = 4;

const unanswered = new WeakMap<Socket, number>();

/** Counts a request that reads until its answer was sent. Answers the refusal where too many wait already, or null. */
export function countReading({ method, raw: { socket } }: FastifyRequest, reply: FastifyReply): Problem | null {
  if (method !== 'GET') return null;
  const waiting = unanswered.get(socket) ?? 0;
  if (waiting >= MAX_UNANSWERED) {
    return new Problem('overloaded', `${MAX_UNANSWERED} answers wait on this connection to be read; read them, then ask again.`, {
      retryAfter: 1,
    });
  }
  unanswered.set(socket, waiting + 1);
  reply.raw.once('close', () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1));
  return null;
}
