import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildApp } from '../../../src/server/app.ts';
import { consoleRoutes, type DemoToken } from '../../../src/server/console.ts';

const PAGE = '<!doctype html><title>console</title>';
const SCRIPT = 'export const answer = 42;'.repeat(50);
const TOKENS: readonly DemoToken[] = [{ label: 'Administrator', role: 'admin', token: 'd'.repeat(32) }];

const well = () => ({ ok: true, checks: {} });

let directory: string;
let app: FastifyInstance | null;
beforeEach(() => {
  app = null;
  directory = mkdtempSync(path.join(tmpdir(), 'playproof-console-'));
  mkdirSync(path.join(directory, 'dist/assets'), { recursive: true });
  writeFileSync(path.join(directory, 'secret.html'), 'the password is swordfish');
  writeFileSync(path.join(directory, 'dist/index.html'), PAGE);
  writeFileSync(path.join(directory, 'dist/mark.svg'), '<svg/>');
  writeFileSync(path.join(directory, 'dist/assets/main-abc.js'), SCRIPT);
});
afterEach(async () => {
  await app?.close();
  rmSync(directory, { recursive: true });
});

async function serve(folder = 'dist', demoTokens?: () => readonly DemoToken[]): Promise<FastifyInstance> {
  app = await buildApp({
    config: { requestTimeoutMs: 30_000, maxInFlightBytes: 160 * 1024 * 1024 },
    logger: pino({ level: 'silent' }),
    authenticate: () => null,
    plugins: [consoleRoutes({ directory: path.join(directory, folder), ...(demoTokens && { demoTokens }) })],
    health: { live: well, ready: well },
    metrics: new Registry(),
  });
  return app;
}

const get = (server: FastifyInstance, url: string, headers: Record<string, string> = {}) => server.inject({ url, headers });

describe('the files of the console', () => {
  it('are served with a policy that lets in nothing from elsewhere and nothing inline', async () => {
    const answer = await get(await serve(), '/console/');
    expect([answer.statusCode, answer.body, answer.headers['content-type']]).toEqual([200, PAGE, 'text/html; charset=utf-8']);
    const policy = String(answer.headers['content-security-policy']);
    expect(policy).toMatch(/default-src 'none'/);
    expect(policy).toMatch(/frame-ancestors 'none'/);
    expect(policy).toMatch(/require-trusted-types-for 'script'/);
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(answer.headers['referrer-policy']).toBe('no-referrer');
    expect(answer.headers['cache-control']).toBe('no-cache');
  });

  it('are kept for ever where their name has a hash, asked after otherwise, and compressed', async () => {
    const server = await serve();
    const script = await get(server, '/console/assets/main-abc.js', { 'accept-encoding': 'br, gzip' });
    expect(script.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(script.headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect(script.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(script.rawPayload).toString()).toBe(SCRIPT);
    expect((await get(server, '/console/assets/main-abc.js')).body).toBe(SCRIPT);
    const { etag } = (await get(server, '/console/')).headers;
    expect((await get(server, '/console/', { 'if-none-match': String(etag) })).statusCode).toBe(304);
  });

  it('answer every address of the console with the page, whatever its parameters, and no other address', async () => {
    const server = await serve();
    for (const url of [
      '/console/plays',
      '/console/plays/0192f0c1-7b1e-7c3d-9e4f-5a6b7c8d9e0f',
      '/console/plays?from=x&from=y&%00=1',
      '/console/registry/stores',
    ]) {
      expect([url, (await get(server, url)).body]).toEqual([url, PAGE]);
    }
    for (const url of ['/', '/console']) {
      const { statusCode, headers } = await get(server, url);
      expect([statusCode, headers.location]).toEqual([302, '/console/']);
    }
    for (const url of [
      '/api/v1/plays',
      '/consoles',
      '/health',
      '/metrics/x',
      '/docs/nothing.js',
      '/console/assets/other.js',
      '/console/none.png',
    ]) {
      expect([url, (await get(server, url)).headers['content-type']]).toEqual([url, 'application/problem+json']);
    }
    expect((await server.inject({ method: 'POST', url: '/console/' })).statusCode).toBe(405);
  });

  it('are nothing but the files of the build', async () => {
    const server = await serve();
    for (const url of [
      '/console/../secret.html',
      '/console/..%2fsecret.html',
      '/console/%2e%2e/secret.html',
      '/console/assets/..%2f..%2f..%2fsecret.html',
      '/console//etc/passwd',
    ]) {
      expect((await get(server, url)).body).not.toContain('swordfish');
      expect((await get(server, url)).body).not.toContain('root:');
    }
  });

  it('are missed in a sentence that says how to build them', async () => {
    const answer = await get(await serve('nowhere'), '/console/');
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([503, 'text/plain; charset=utf-8']);
    expect(answer.body).toMatch(/npm run prepare/);
  });
});

describe('tokens of a demonstration', () => {
  const local = { host: '127.0.0.1:8080' };

  it('are handed out by a demonstration to this machine alone, never to a page of somebody else', async () => {
    const server = await serve('dist', () => TOKENS);
    const ask = async (headers: Record<string, string>, remoteAddress = '127.0.0.1') =>
      (await server.inject({ url: '/console/demo-tokens', headers, remoteAddress })).json<{ tokens: unknown[] }>().tokens;
    expect(await ask(local)).toEqual(TOKENS);
    expect(await ask({ ...local, 'sec-fetch-site': 'same-origin' })).toEqual(TOKENS);
    expect(await ask({ ...local, 'sec-fetch-site': 'cross-site' })).toEqual([]);
    expect(await ask({ host: 'evil.example' })).toEqual([]);
    expect(await ask({ host: '127.0.0.1.evil.example' })).toEqual([]);
    expect(await ask(local, '192.0.2.7')).toEqual([]);
  });

  it('are none where there is no demonstration', async () => {
    const answer = await get(await serve(), '/console/demo-tokens', local);
    expect([answer.json(), answer.headers['cache-control']]).toEqual([{ tokens: [] }, 'no-store']);
  });
});
