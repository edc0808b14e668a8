/** What a page of another origin can do with the API through somebody's browser: nothing. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bearer, ID, startToyApp, type ToyApp } from './toy-app.ts';

let toy: ToyApp;
beforeAll(async () => {
  toy = await startToyApp();
});
afterAll(() => toy.app.close());

const ORIGIN = { origin: 'https://elsewhere.example' };

test('no answer lets another origin read it, and none sets a cookie that a browser would send by itself', async () => {
  for (const [method, path, headers] of [
    ['GET', '/api/v1/things', bearer('admin')],
    ['GET', '/health/live', {}],
    ['GET', '/openapi.json', {}],
    ['OPTIONS', `/api/v1/things/${ID}`, { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'authorization' }],
  ] as const) {
    const answer = await fetch(toy.base + path, { method, headers: { ...headers, ...ORIGIN } });
    await answer.arrayBuffer();
    expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control-') || name === 'set-cookie')).toEqual([]);
    expect(answer.ok).toBe(method === 'GET');
  }
});

test('a form of another origin cannot send a body that is read', async () => {
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
    const answer = await fetch(`${toy.base}/raw`, { method: 'POST', headers: { 'content-type': type, ...ORIGIN }, body: '{"name":"x"}' });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([415, 'unsupported_media_type']);
  }
});
