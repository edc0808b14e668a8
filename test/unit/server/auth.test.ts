import Fastify from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROLES } from '../../../src/server/access.ts';
import { demandAccess } from '../../../src/server/auth.ts';
import { bearer, startToyApp, TOKENS, type ToyApp } from './toy-app.ts';

let toy: ToyApp;
beforeAll(async () => {
  toy = await startToyApp();
});
afterAll(() => toy.app.close());

const ROUTES = { public: '/health/live', reader: '/api/v1/things', operator: '/api/v1/watch', admin: '/api/v1/things/x' } as const;
const MAY = {
  public: ['admin', 'operator', 'supplier', 'advertiser'],
  reader: ['admin', 'operator', 'supplier', 'advertiser'],
  operator: ['admin', 'operator'],
  admin: ['admin'],
} as const;

async function ask(access: keyof typeof ROUTES, headers: Record<string, string>): Promise<Response> {
  return fetch(toy.base + ROUTES[access], { method: access === 'admin' ? 'PUT' : 'GET', headers });
}

describe.each(Object.keys(ROUTES) as (keyof typeof ROUTES)[])('a route for %s', (access) => {
  test.each([...ROLES])('asked by %s', async (role) => {
    const answer = await ask(access, bearer(role));
    const may = (MAY[access] as readonly string[]).includes(role);
    // The address of the admin route is not a UUID, so whoever may use it hears 400.
    expect(answer.status).toBe(may ? (access === 'admin' ? 400 : 200) : 403);
    if (!may) expect(await answer.json()).toMatchObject({ code: 'forbidden' });
  });

  test('asked without a token', async () => {
    const answer = await ask(access, {});
    expect(answer.status).toBe(access === 'public' ? 200 : 401);
    expect(answer.headers.get('www-authenticate')).toBe(access === 'public' ? null : 'Bearer');
  });
});

test.each([
  ['a token nobody has', `Bearer ${'x'.repeat(32)}`],
  ['a token that is too short', 'Bearer aaa'],
  ['another scheme', `Basic ${Object.keys(TOKENS)[0]}`],
  ['two tokens', `Bearer ${Object.keys(TOKENS)[0]} ${Object.keys(TOKENS)[1]}`],
  ['no scheme', Object.keys(TOKENS)[0] ?? ''],
])('unauthorized: %s', async (_what, authorization) => {
  const answer = await ask('reader', { authorization });
  expect(answer.status).toBe(401);
  expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
  expect(await answer.json()).toMatchObject({ code: 'unauthorized', retryable: false });
});

test('the scheme is read in either case', async () => {
  expect((await ask('reader', { authorization: `bEARER ${'o'.repeat(32)}` })).status).toBe(200);
});

test('a route that does not say who may use it is refused at registration', () => {
  const app = Fastify();
  demandAccess(app);
  expect(() => app.get('/open', () => 'oops')).toThrow(/does not say who may use it/);
});
