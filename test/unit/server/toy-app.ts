/** The real server with toy routes, and a socket for what fetch cannot send. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { Type } from 'typebox';
import type { Identity } from '../../../src/server/access.ts';
import { type AppDeps, buildApp } from '../../../src/server/app.ts';
import { ByteBudget, readBody, useRawBodies } from '../../../src/server/body.ts';
import { IMPORT_BODY_BYTES } from '../../../src/server/body-parsers.ts';
import { Problem } from '../../../src/server/problem.ts';
import { Cursor, Instant, Limit, Page, problemResponses, Repeatable, Uuid } from '../../../src/server/schemas.ts';

export const RAW_LIMIT = 16 * 1024;
export const ID = '018f3f3e-8a2b-7c3d-9e4f-5a6b7c8d9e0f';

export const TOKENS: Readonly<Record<string, Identity>> = {
  ['a'.repeat(32)]: { role: 'admin' },
  ['o'.repeat(32)]: { role: 'operator' },
  ['s'.repeat(32)]: { role: 'supplier', supplierId: ID },
  ['d'.repeat(32)]: { role: 'advertiser', advertiserId: ID },
};

export function bearer(role: Identity['role']): Record<string, string> {
  const token = Object.keys(TOKENS).find((key) => TOKENS[key]?.role === role) ?? '';
  return { authorization: `Bearer ${token}` };
}

const Thing = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 10 }),
    location: Type.Optional(
      Type.Object(
        { lat: Type.Number({ minimum: -90, maximum: 90 }), lng: Type.Number({ minimum: -180, maximum: 180 }) },
        { additionalProperties: false },
      ),
    ),
    kind: Type.Optional(Type.Enum(['small', 'large'])),
    since: Type.Optional(Instant),
  },
  { additionalProperties: false },
);

const things: FastifyPluginAsync = async (app) => {
  app.get(
    '/api/v1/things',
    {
      config: { access: 'reader' },
      schema: {
        tags: ['registry'],
        querystring: Type.Object({
          limit: Type.Optional(Limit),
          cursor: Type.Optional(Cursor),
          campaign_id: Type.Optional(Repeatable(Uuid)),
        }),
        response: { 200: Page(Thing), ...problemResponses('invalid_parameter') },
      },
    },
    async (request) => ({ items: [], next_cursor: null, query: request.query, role: request.identity.role }),
  );
  app.put(
    '/api/v1/things/:thing_id',
    {
      config: { access: 'admin' },
      schema: {
        params: Type.Object({ thing_id: Uuid }),
        body: Thing,
        response: { 200: Thing, ...problemResponses('invalid_field', 'malformed') },
      },
    },
    async (request) => request.body,
  );
  app.get(
    '/api/v1/watch',
    { config: { access: 'operator' }, schema: { summary: 'Who asks', response: { 200: Type.Object({}) } } },
    async (request) => request.identity,
  );
  app.get('/boom', { config: { access: 'public' }, schema: { hide: true } }, async () => {
    throw new Error('the password is swordfish');
  });
  app.get('/careless', { config: { access: 'public' }, schema: { hide: true } }, async (request) => request.identity);
  app.get('/busy', { config: { access: 'public' }, schema: { hide: true } }, async () => {
    throw new Problem('overloaded', 'Too much.', { retryAfter: 2.5 });
  });
  app.get('/slow', { config: { access: 'public' }, schema: { hide: true } }, (_request, reply) => {
    setTimeout(() => void reply.send({ slow: true }), 300);
  });
  app.post('/import', { config: { access: 'public' }, schema: { hide: true }, bodyLimit: IMPORT_BODY_BYTES }, async (request) => ({
    type: typeof request.body,
    length: typeof request.body === 'string' ? request.body.length : JSON.stringify(request.body).length,
  }));
};

const raw: FastifyPluginAsync = async (app) => {
  useRawBodies(app);
  app.post(
    '/raw',
    { config: { access: 'public' }, schema: { body: Thing, response: { 202: Type.Object({}, { description: 'Taken' }) } } },
    async (request) => {
      const body = await readBody(request.raw, RAW_LIMIT, app.bodyBudget);
      app.bodyBudget.give(body.length);
      return { length: body.length, offset: body.byteOffset, memory: body.buffer.byteLength };
    },
  );
};

export interface ToyApp {
  readonly app: FastifyInstance;
  readonly base: string;
  readonly port: number;
  readonly budget: ByteBudget;
  readonly logLines: string[];
  /** The addresses asked for, as their requests arrive. */
  readonly seen: string[];
}

export async function startToyApp(changes: Partial<AppDeps> = {}, budgetBytes = 160 * 1024 * 1024): Promise<ToyApp> {
  const logLines: string[] = [];
  const budget = new ByteBudget(budgetBytes);
  const app = await buildApp({
    config: { requestTimeoutMs: 30_000, maxInFlightBytes: budgetBytes },
    logger: pino({ level: 'debug' }, { write: (line: string) => void logLines.push(line) }),
    authenticate: (token) => TOKENS[token] ?? null,
    plugins: [things, raw],
    health: {
      live: () => ({ ok: true, checks: { loop: { ok: true } } }),
      ready: () => ({ ok: false, checks: { journal: { ok: false, detail: 'the disk is full' } } }),
    },
    metrics: new Registry(),
    bodyBudget: budget,
    ...changes,
  });
  const seen: string[] = [];
  app.server.on('request', (request) => seen.push(request.url ?? ''));
  const base = await app.listen({ host: '127.0.0.1', port: 0 });
  return { app, base, port: Number(new URL(base).port), budget, logLines, seen };
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** Whether the connection ended with an error (a reset) after the answer. */
  readonly reset: boolean;
}

/** Sends bytes and reads until the server closes. */
export async function exchange(port: number, send: (socket: Socket) => void | Promise<void>): Promise<RawAnswer> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  const chunks: Buffer[] = [];
  let reset = false;
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => {
    reset = true;
  });
  const ended = new Promise<void>((resolve) => {
    socket.once('end', resolve);
    socket.once('close', () => resolve());
  });
  await send(socket);
  await ended;
  socket.destroy();
  return { ...parseAnswer(Buffer.concat(chunks).toString('utf8')), reset };
}

function parseAnswer(text: string): Omit<RawAnswer, 'reset'> {
  const split = text.indexOf('\r\n\r\n');
  const [first = '', ...lines] = text.slice(0, split).split('\r\n');
  const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]));
  return { status: Number(first.split(' ')[1]), headers, body: text.slice(split + 4) };
}
