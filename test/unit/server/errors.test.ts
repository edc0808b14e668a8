import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bearer, ID, startToyApp, type ToyApp } from './toy-app.ts';

let toy: ToyApp;
beforeAll(async () => {
  toy = await startToyApp();
});
afterAll(() => toy.app.close());

interface Refusal {
  status: number;
  code: string;
  detail: string;
  retryable: boolean;
  fields?: string[];
  correlation_id?: string;
}

async function refusal(path: string, init: RequestInit = {}): Promise<{ answer: Response; problem: Refusal }> {
  const answer = await fetch(toy.base + path, init);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  const problem = (await answer.json()) as Refusal;
  expect(problem.status).toBe(answer.status);
  expect(problem.detail.length).toBeGreaterThan(5);
  return { answer, problem };
}

const put = (
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = { 'content-type': 'application/json' },
): RequestInit => ({
  method: 'PUT',
  headers: { ...bearer('admin'), ...headers },
  body,
});
const THING = `/api/v1/things/${ID}`;

describe('bodies', () => {
  test('what fits the schema is handed on as it was sent', async () => {
    const answer = await fetch(toy.base + THING, put('{"name":"x","location":{"lat":1,"lng":2}}'));
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ name: 'x', location: { lat: 1, lng: 2 } });
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('request-id')).toMatch(/^\S+$/);
  });

  test.each([
    [
      'every field at fault',
      '{"location":{"lat":91,"a/b":1},"kind":"odd","z":1}',
      ['/kind', '/location/a~1b', '/location/lat', '/location/lng', '/name', '/z'],
    ],
    ['nothing is coerced', '{"name":5}', ['/name']],
    ['a wrong type at the top', '[]', ['']],
    ['an instant that does not exist', '{"name":"x","since":"2026-02-30T10:00:00Z"}', ['/since']],
  ])('invalid_field: %s', async (_what, body, fields) => {
    const { answer, problem } = await refusal(THING, put(body));
    expect(answer.status).toBe(400);
    expect(problem).toMatchObject({ code: 'invalid_field', retryable: false, fields });
  });

  test.each([
    ['bad syntax', '{"name":'],
    ['no body at all', ''],
    ['duplicate names', '{"name":"x","name":"x"}'],
    ['duplicate names behind an escape', '{"name":"x","\\u006eame":"x"}'],
    ['a reserved name', '{"name":"x","__proto__":{}}'],
    ['a lone surrogate', '{"name":"\\ud800"}'],
    ['a number that becomes infinite', '{"name":1e400}'],
    ['an integer beyond 2^53', '{"name":9007199254740993}'],
    ['too deep', `${'['.repeat(17)}${']'.repeat(17)}`],
    ['absurdly deep', '['.repeat(1_000_000)],
    ['a byte-order mark', '\ufeff{"name":"x"}'],
  ])('malformed: %s', async (_what, body) => {
    const { answer, problem } = await refusal(THING, put(body));
    expect(answer.status).toBe(400);
    expect(problem.code).toBe('malformed');
  });

  test('malformed: bytes that are no UTF-8', async () => {
    const { problem } = await refusal(THING, put(new Uint8Array([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x7d])));
    expect(problem.code).toBe('malformed');
  });

  test.each([
    ['no content type', {}],
    ['another content type', { 'content-type': 'text/plain' }],
    ['a content type that is none', { 'content-type': 'json' }],
    ['another charset', { 'content-type': 'application/json; charset=latin1' }],
    ['a content encoding', { 'content-type': 'application/json', 'content-encoding': 'gzip' }],
    ['even an empty encoding', { 'content-type': 'application/json', 'content-encoding': 'identity' }],
  ])('unsupported_media_type: %s', async (_what, headers) => {
    const { answer, problem } = await refusal(THING, put(new TextEncoder().encode('{"name":"x"}'), headers));
    expect(answer.status).toBe(415);
    expect(problem.code).toBe('unsupported_media_type');
  });

  test('a charset of UTF-8 may be said', async () => {
    const answer = await fetch(toy.base + THING, put('{"name":"ü"}', { 'content-type': 'application/json; charset="UTF-8"' }));
    expect(await answer.json()).toEqual({ name: 'ü' });
  });

  test('one MiB is the bound of an ordinary body, and the connection ends there', async () => {
    const { answer, problem } = await refusal(THING, put(`{"name":"${'x'.repeat(1024 * 1024)}"}`));
    expect(answer.status).toBe(413);
    expect(problem.code).toBe('too_large');
    expect(answer.headers.get('connection')).toBe('close');
  });

  test('an import may be larger, as JSON or as lines', async () => {
    const json = JSON.stringify(['x'.repeat(3_000_000)]);
    const send = (type: string) => fetch(`${toy.base}/import`, { method: 'POST', headers: { 'content-type': type }, body: json });
    expect(await (await send('application/json')).json()).toEqual({ type: 'object', length: json.length });
    expect(await (await send('application/x-ndjson')).json()).toEqual({ type: 'string', length: json.length });
    expect(toy.budget.used).toBe(0);
  });
});

describe('addresses', () => {
  test.each([
    ['an unknown parameter', '/api/v1/things?limt=5'],
    ['a limit of nothing', '/api/v1/things?limit=0'],
    ['a limit above the bound', '/api/v1/things?limit=1001'],
    ['one parameter twice', '/api/v1/things?limit=1&limit=2'],
    ['one bad id among several', `/api/v1/things?campaign_id=${ID}&campaign_id=x`],
    ['a nil UUID', '/api/v1/things?campaign_id=00000000-0000-0000-0000-000000000000'],
    ['a parameter where none is taken', '/api/v1/watch?x=1'],
    ['a name that changes a prototype', '/api/v1/things?__proto__=1'],
  ])('invalid_parameter: %s', async (_what, path) => {
    const { answer, problem } = await refusal(path, { headers: bearer('admin') });
    expect(answer.status).toBe(400);
    expect(problem.code).toBe('invalid_parameter');
  });

  test('parameters arrive as strings, repeated ones as lists', async () => {
    const answer = await fetch(`${toy.base}/api/v1/things?limit=5&campaign_id=${ID}&campaign_id=${ID}`, { headers: bearer('admin') });
    expect(await answer.json()).toMatchObject({ query: { limit: '5', campaign_id: [ID, ID] } });
  });

  test('a path that names no UUID, is too long, or is badly encoded is invalid_parameter', async () => {
    for (const path of ['/api/v1/things/x', `/api/v1/things/${'x'.repeat(400)}`, '/api/v1/things/%zz']) {
      const { answer, problem } = await refusal(path, put('{"name":"x"}'));
      expect([answer.status, problem.code]).toEqual([400, 'invalid_parameter']);
    }
  });

  test('an unknown path is not_found, whatever its body', async () => {
    for (const init of [{}, { method: 'POST', body: '{' }, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{' }]) {
      const { answer, problem } = await refusal('/api/v2/nothing', init);
      expect([answer.status, problem.code]).toEqual([404, 'not_found']);
    }
  });

  test.each(['POST', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'TRACE', 'QUERY'])(
    '%s on a path of other methods is method_not_allowed',
    async (method) => {
      // fetch refuses TRACE by itself.
      const answer = await new Promise<{ status: number; allow: string; body: string }>((resolve, reject) => {
        const sent = httpRequest(`${toy.base}${THING}`, { method }, (response) => {
          let body = '';
          response.on('data', (chunk: Buffer) => (body += chunk.toString()));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, allow: String(response.headers.allow), body }));
        });
        sent.on('error', reject);
        sent.end();
      });
      expect([answer.status, answer.allow]).toEqual([405, 'PUT']);
      expect(JSON.parse(answer.body)).toMatchObject({ code: 'method_not_allowed', status: 405 });
    },
  );

  test('HEAD answers where GET does', async () => {
    const head = await fetch(`${toy.base}/health/live`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    const refused = await fetch(`${toy.base}/api/v1/watch`, { method: 'HEAD' });
    expect([refused.status, await refused.text()]).toEqual([401, '']);
  });
});

describe('faults of the service', () => {
  test('are internal, with a correlation id that the log has and nothing that the client should not see', async () => {
    const { answer, problem } = await refusal('/boom');
    expect(answer.status).toBe(500);
    expect(problem).toMatchObject({ code: 'internal', retryable: true });
    expect(JSON.stringify(problem)).not.toMatch(/swordfish|\.ts/);
    const line = toy.logLines.find((text) => text.includes(String(problem.correlation_id)));
    expect(line).toContain('swordfish');
    expect(line).toContain(answer.headers.get('request-id'));
  });

  test('reading the identity on a public route is such a fault', async () => {
    expect((await refusal('/careless', { headers: bearer('admin') })).problem.code).toBe('internal');
  });

  test('Retry-After is whole seconds, rounded up', async () => {
    const { answer } = await refusal('/busy');
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '3']);
  });
});

test('the log tells routes, not addresses, tokens or bodies', async () => {
  await fetch(`${toy.base}/api/v1/things?campaign_id=${ID}`, { headers: bearer('supplier') });
  await fetch(toy.base + THING, put('{"name":"confiding"}'));
  const lines = toy.logLines.join('\n');
  expect(lines).toContain('/api/v1/things/:thing_id');
  expect(lines).not.toContain(ID);
  expect(lines).not.toContain('confiding');
  expect(lines).not.toContain('s'.repeat(32));
});
