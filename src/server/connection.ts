/**
 * What happens below the routes: requests that never become one, connections that end early, and the way a connection is
 * closed so that the client still reads why.
 */
import { maxHeaderSize } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { announcesBody, failBody, whenBodyIsWanted } from './body.ts';
import { PROBLEM_TYPE } from './errors.ts';
import { Problem } from './problem.ts';

/** After a refusal, what the client still sends is read and thrown away for so long and so much. */
const LINGER_MS = 5_000;
const LINGER_BYTES = 64 * 1024 * 1024;
const LINGER_CHECK_MS = 100;

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  431: 'Request Header Fields Too Large',
};

/** The request that each connection is answering, so that a fault of the connection is answered in its place. */
const answering = new WeakMap<Socket, FastifyReply>();
/** Connections that were answered for the last time. */
const finished = new WeakSet<Socket>();

/** Call first for each request. Answers false where the connection takes no more requests. */
export function enterRequest(request: FastifyRequest, reply: FastifyReply): boolean {
  const { socket } = request.raw;
  if (finished.has(socket)) return false;
  answering.set(socket, reply);
  if (request.headers.expect?.toLowerCase() === '100-continue') whenBodyIsWanted(request.raw, () => reply.raw.writeContinue());
  return true;
}

/**
 * Call as an answer is sent: a request whose body was not read to its end is the last of its connection, and the rest of the
 * body is read and dropped for a while. To close at once would reset the connection, and a client that is still sending
 * would see the reset instead of the answer.
 */
export function closeWhereUnread(request: FastifyRequest, reply: FastifyReply): void {
  const { raw } = request;
  if (raw.complete || !announcesBody(raw)) return;
  reply.header('connection', 'close');
  linger(raw.socket, () => raw.complete);
}

/** Replaces how the socket ends: FIN after the answer, then reading until the client is done, bounded. */
function linger(socket: Socket, done: () => boolean): void {
  if (finished.has(socket)) return;
  finished.add(socket);
  const destroySoon = socket.destroySoon.bind(socket);
  socket.destroySoon = (): void => {
    if (socket.destroyed) return;
    socket.end();
    socket.resume();
    const bytes = socket.bytesRead;
    const until = performance.now() + LINGER_MS;
    const check = setInterval(() => {
      if (done() || socket.destroyed || performance.now() > until || socket.bytesRead - bytes > LINGER_BYTES) {
        clearInterval(check);
        destroySoon();
      }
    }, LINGER_CHECK_MS);
    check.unref();
    socket.once('close', () => clearInterval(check));
  };
}

/** Node's `clientError`: bytes that are no request, headers that are too large, requests that arrive too slowly. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || error.code === 'EPIPE' || socket.destroyed) {
    socket.destroy();
    return;
  }
  if (finished.has(socket)) return;
  const problem = problemOf(error.code);
  const reply = answering.get(socket);
  if (reply && !reply.raw.writableFinished && !reply.raw.destroyed) {
    // In the middle of a body: its reader answers. After a whole request: that one is answered, then the connection ends.
    if (!failBody(reply.request.raw, problem)) endAfter(reply, socket);
    return;
  }
  answerRaw(socket, problem);
}

function endAfter(reply: FastifyReply, socket: Socket): void {
  reply.raw.once('finish', () => socket.destroySoon());
}

/** An answer to bytes that never became a request. */
function answerRaw(socket: Socket, problem: Problem, headers: readonly string[] = []): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify(problem.toDocument());
  linger(socket, () => socket.readableEnded);
  socket.write(
    [
      `HTTP/1.1 ${problem.status} ${REASONS[problem.status] ?? 'Refused'}`,
      `Content-Type: ${PROBLEM_TYPE}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      'X-Content-Type-Options: nosniff',
      ...headers,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
  socket.destroySoon();
}

function problemOf(code: string | undefined): Problem {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new Problem('headers_too_large', `The headers may have ${MAX_HEADER_BYTES} bytes together; send fewer or shorter ones.`);
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Problem('too_large', 'The chunk extensions of the body are too long; leave them out.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Problem('request_timeout', 'The request did not arrive in time; send it again over a connection that is fast enough.');
    default:
      return new Problem('malformed', 'These bytes are no HTTP/1.1 request; look at the method, the headers and the framing of the body.');
  }
}

/** After the server began to close: how long bodies may still arrive, and then how long an answer may be read. */
const CLOSE_BODIES_MS = 1_000;
const CLOSE_ANSWERS_MS = 1_000;
const CLOSE_CHECK_MS = 250;

/**
 * While the server closes, requests that are all here are answered. One client that sends or reads slowly, or has only opened a
 * connection, must not hold up the end: it is told to send again, and then let go.
 */
function endSlowClients(sockets: ReadonlySet<Socket>): void {
  const since = performance.now();
  const stopping = new Problem('unavailable', 'The service is being stopped; send the same again.', { retryAfter: 1 });
  const timer = setInterval(() => {
    if (sockets.size === 0) clearInterval(timer);
    const closingMs = performance.now() - since;
    if (closingMs < CLOSE_BODIES_MS) return;
    for (const socket of sockets) {
      const reply = answering.get(socket);
      const answered = reply === undefined || reply.raw.writableEnded;
      if (!answered) failBody(reply.request.raw, stopping);
      else if (closingMs >= CLOSE_BODIES_MS + CLOSE_ANSWERS_MS) socket.destroy();
    }
  }, CLOSE_CHECK_MS);
  timer.unref();
}

export const MAX_HEADER_BYTES = Math.min(16 * 1024, maxHeaderSize);
export const MAX_CONNECTIONS = 10_000;

/** Bounds and events of the HTTP server under Fastify. */
export function boundServer(app: FastifyInstance): void {
  const { server } = app;
  server.maxConnections = MAX_CONNECTIONS;
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  app.addHook('preClose', (done) => {
    endSlowClients(sockets);
    done();
  });
  // A client that asks before it sends its body hears a refusal before it has sent it: `readBody` says when to go on.
  server.on('checkContinue', (request, response) => app.routing(request, response));
  // Expectations that are not known may be ignored (RFC 9110, section 10.1.1).
  server.on('checkExpectation', (request, response) => app.routing(request, response));
  server.on('connect', (_request, socket) => {
    answerRaw(socket as Socket, new Problem('method_not_allowed', 'This is no proxy; CONNECT is not taken.'), ['Allow: GET, HEAD, POST']);
  });
}
