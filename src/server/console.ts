/**
 * The console's files, as the build made them: read once, served from memory, so that no path of a request ever reaches the disk.
 * Nothing here shadows another address: it answers below `/console/` and at `/` alone.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from './problem.ts';

export const CONSOLE_PATH = '/console/';

/** Only what this service serves, no inline script or style, no text that becomes a script, no frame around it. */
export const CONSOLE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};
const COMPRESSED = new Set(['.html', '.js', '.css', '.svg', '.json']);
const PAGE = 'index.html';
/** The build puts a hash of the content into the names below it. */
const HASHED = 'assets/';

/** A token for whoever looks at a demonstration. */
export interface DemoToken {
  readonly label: string;
  readonly role: string;
  readonly token: string;
}

export interface ConsoleOptions {
  /** Where the build put its files. */
  readonly directory: string;
  /** Given by the demonstration alone: its service lives for minutes, on this machine, with invented data. */
  readonly demoTokens?: () => readonly DemoToken[];
}

interface ConsoleFile {
  readonly type: string;
  readonly etag: string;
  readonly immutable: boolean;
  readonly body: Buffer;
  readonly gzip: Buffer | null;
}

/** `/console/…`, and `/` that leads there. Without built files a sentence says how to build them. */
export function consoleRoutes({ directory, demoTokens }: ConsoleOptions): FastifyPluginAsync {
  return async (app) => {
    const files = readFiles(directory);
    const open = { config: { access: 'public' }, schema: { hide: true }, validatorCompiler: () => () => true } as const;
    app.get('/', open, (_request, reply) => leadTo(reply));
    app.get('/console', open, (_request, reply) => leadTo(reply));
    app.get('/console/demo-tokens', open, (request, reply) => {
      const tokens = demoTokens && fromThisMachine(request) ? demoTokens() : [];
      return reply.header('cache-control', 'no-store').send({ tokens });
    });
    addFiles(app, files, open);
  };
}

function addFiles(app: FastifyInstance, files: ReadonlyMap<string, ConsoleFile>, open: object): void {
  app.get(`${CONSOLE_PATH}*`, open, (request, reply) => {
    reply.headers({
      'content-security-policy': CONSOLE_POLICY,
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=()',
      'referrer-policy': 'no-referrer',
    });
    if (!files.has(PAGE)) return sendUnbuilt(reply);
    const name = (request.params as { '*': string })['*'];
    const known = files.get(name);
    if (known) return sendFile(request, reply, known);
    // An address of the console itself. A name with a dot is a file, and this one does not exist.
    const last = name.slice(name.lastIndexOf('/') + 1);
    if (last.includes('.') || name.startsWith(HASHED))
      throw new Problem('not_found', 'The console has no such file; open /console/ again.');
    return sendFile(request, reply, files.get(PAGE) as ConsoleFile);
  });
}

function leadTo(reply: FastifyReply): FastifyReply {
  return reply.header('cache-control', 'no-store').redirect(CONSOLE_PATH, 302);
}

function sendFile(request: FastifyRequest, reply: FastifyReply, file: ConsoleFile): FastifyReply {
  reply.headers({
    etag: file.etag,
    'cache-control': file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    vary: 'accept-encoding',
  });
  if (request.headers['if-none-match'] === file.etag) return reply.code(304).send();
  reply.type(file.type);
  if (file.gzip === null || !/\bgzip\b/.test(request.headers['accept-encoding']?.toString() ?? '')) return reply.send(file.body);
  return reply.header('content-encoding', 'gzip').send(file.gzip);
}

function sendUnbuilt(reply: FastifyReply): FastifyReply {
  const text = 'The console is not built yet. Run `npm run prepare` where Playproof is installed, then start the service again.\n';
  return reply.code(503).header('cache-control', 'no-store').type('text/plain; charset=utf-8').send(text);
}

function readFiles(directory: string): ReadonlyMap<string, ConsoleFile> {
  let names: string[];
  try {
    names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw error;
  }
  const files = new Map<string, ConsoleFile>();
  for (const name of names) {
    const extension = path.extname(name);
    const type = TYPES[extension];
    if (type === undefined) continue;
    const body = readFileSync(path.join(directory, name));
    files.set(name.split(path.sep).join('/'), {
      type,
      etag: `"${createHash('sha256').update(body).digest('base64url')}"`,
      immutable: name.startsWith(HASHED),
      body,
      gzip: COMPRESSED.has(extension) ? gzipSync(body, { level: 9 }) : null,
    });
  }
  return files;
}

/** Not for a page of somebody else's, whatever name it gave to this address, and not for another machine. */
function fromThisMachine({ headers, ip }: FastifyRequest): boolean {
  const host = (headers.host ?? '').replace(/:\d+$/, '');
  const site = headers['sec-fetch-site'];
  const local = ['127.0.0.1', 'localhost', '[::1]'].includes(host) && ['127.0.0.1', '::1', '::ffff:127.0.0.1'].includes(ip);
  return local && (site === undefined || site === 'same-origin');
}
