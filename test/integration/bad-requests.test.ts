/** I4: whatever is sent, the answer is a problem document of the 4xx (or 503), the neighbours are served, and memory stays flat. */
import { once } from 'node:events';
import net from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { call, type Reply, send, sendBatch } from '../support/http.ts';
import { Ledger } from '../support/ledger.ts';
import { differences } from '../support/oracle.ts';
import { importWorld, makeWorld, play, type World } from '../support/registry.ts';
import { ADMIN_TOKEN, makeDataDir, removeDataDir, Service } from '../support/service.ts';

const MEBIBYTE = 1024 * 1024;
const SINGLE = '/api/v1/playback-logs';

let world: World;
let service: Service;
const dataDir = makeDataDir();

beforeAll(async () => {
  world = makeWorld(1);
  service = await Service.start({ dataDir, env: { PLAYPROOF_REQUEST_TIMEOUT_SECONDS: '2' } });
  await importWorld(service, world);
});

// After each fault the service is as well as before.
afterEach(async () => {
  expect((await send(service, play(world).body)).status).toBe(202);
});

afterAll(async () => {
  await service.kill();
  removeDataDir(dataDir);
});

interface RawAnswer {
  readonly status: number;
  readonly type: string | undefined;
  readonly code: string;
}

/** Writes bytes to a socket and reads until the other side ends it, or a whole answer is there. */
async function raw(...pieces: readonly (string | Uint8Array)[]): Promise<RawAnswer> {
  const socket = net.connect(Number(new URL(service.url).port), '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    text += chunk;
    if (isWhole(text)) socket.end();
  });
  socket.on('error', () => socket.destroy());
  const closed = once(socket, 'close');
  for (const piece of pieces) if (!socket.destroyed) socket.write(piece);
  await closed;
  const [head, body] = splitAnswer(text);
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]),
    type: /^content-type: ([^;\r]*)/im.exec(head)?.[1],
    code: body === '' ? '' : (JSON.parse(body) as { code: string }).code,
  };
}

function isWhole(text: string): boolean {
  const [head, body] = splitAnswer(text);
  const length = /^content-length: (\d+)/im.exec(head)?.[1];
  return length !== undefined && body.length >= Number(length);
}

function splitAnswer(text: string): [string, string] {
  // An answer to "Expect: 100-continue" comes before the answer itself.
  const at = text.indexOf('\r\n\r\n');
  if (at < 0) return ['', ''];
  if (text.startsWith('HTTP/1.1 100')) return splitAnswer(text.slice(at + 4));
  return [text.slice(0, at), text.slice(at + 4)];
}

function requestHead(path: string, headers: readonly string[], method = 'POST'): string {
  return `${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers.map((line) => `${line}\r\n`).join('')}\r\n`;
}

function nested(depth: number): string {
  return `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
}

const PROBLEM = 'application/problem+json';

describe('methods and types', () => {
  test.each([
    ['PUT', '/api/v1/playback-logs/batch', 'POST'],
    ['GET', '/api/v1/playback-logs/batch', 'POST'],
    ['PUT', '/api/v1/playback-logs', 'GET, HEAD, POST'],
    ['DELETE', '/api/v1/feed', 'GET, HEAD'],
    ['POST', '/health/live', 'GET, HEAD'],
    ['PATCH', '/api/v1/stores/2330fcf1-562a-44b8-8866-8d77e827062c', 'DELETE, GET, HEAD, PUT'],
    ['TRACE', '/api/v1/playback-logs', 'GET, HEAD, POST'],
  ])('%s %s: 405 that says what is taken', async (method, path, allow) => {
    if (method === 'TRACE') {
      expect(await raw(requestHead(path, [], method))).toMatchObject({ status: 405, type: PROBLEM, code: 'method_not_allowed' });
      return;
    }
    const answer = await call(service, path, { method });
    expect([answer.status, answer.json.code]).toEqual([405, 'method_not_allowed']);
    expect((answer.headers.get('allow') ?? '').split(', ').sort().join(', ')).toBe(allow);
  });

  test.each(['text/plain', 'application/xml', 'application/json; charset=latin1', 'multipart/form-data; boundary=x', 'nonsense'])(
    'a body of the type %s: 415',
    async (type) => {
      const answer = await send(service, play(world).body, { 'content-type': type });
      expect([answer.status, answer.json.code]).toEqual([415, 'unsupported_media_type']);
    },
  );

  test.each(['gzip', 'identity', 'br'])('Content-Encoding %s: 415, also for a bomb', async (encoding) => {
    const bomb = gzipSync(Buffer.alloc(64 * MEBIBYTE, '['));
    const answer = await sendBatch(service, bomb, { 'content-encoding': encoding });
    expect([answer.status, answer.json.code]).toEqual([415, 'unsupported_media_type']);
  });

  test('an address that is not there: 404', async () => {
    for (const path of ['/api/v1/nothing', '/api/v2/playback-logs', '/api/v1/%2e%2e/etc/passwd']) {
      expect((await call(service, path)).json).toMatchObject({ status: 404, code: 'not_found' });
    }
  });

  test('a path that is not validly encoded, and an id that is very long', async () => {
    expect(await raw(requestHead('/api/v1/playback-logs/%zz', [], 'GET'))).toMatchObject({ status: 400, type: PROBLEM });
    expect((await call(service, `/api/v1/playback-logs/${'a'.repeat(4_000)}`)).json).toMatchObject({
      status: 400,
      code: 'invalid_parameter',
    });
  });
});

describe('bodies', () => {
  test.each(['/api/v1/registry/import', '/api/v1/registry/import/preview'])('none at all to %s: 400 malformed', async (path) => {
    for (const headers of [{}, { 'content-type': 'application/json' }]) {
      const answer = await call(service, path, { method: 'POST', headers });
      expect(answer.json).toMatchObject({ status: 400, code: 'malformed' });
    }
    // Without a line there is nothing to import, and that is no fault.
    const nothing = await call(service, path, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' } });
    expect(nothing.status).toBe(200);
  });

  test.each([
    ['nothing', ''],
    ['bad UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])],
    ['half a surrogate', '{"log_id":"\\ud800"}'],
    ['the name __proto__', '{"__proto__":{"log_id":"x"}}'],
    ['the name constructor', '{"constructor":1}'],
    ['a name twice, once escaped', '{"log_id":1,"log\\u005fid":2}'],
    ['nesting nine deep', nested(9)],
    ['nesting 2 000 deep', nested(2_000)],
    ['brackets without end', '['.repeat(16_000)],
    ['a number beyond all bounds', '{"duration_actual":1e400}'],
    ['an integer beyond 2^53', '{"duration_actual":9007199254740993}'],
    ['two values', '{} {}'],
    ['a byte order mark', Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d])],
    ['NaN', '{"duration_actual":NaN}'],
    ['a list', '[]'],
    ['a number', '7'],
    ['null', 'null'],
  ])('%s: 400 malformed', async (_, body) => {
    const answer = await send(service, body);
    expect([answer.status, answer.json.code, answer.type]).toEqual([400, 'malformed', PROBLEM]);
  });

  test('deep nesting in a batch refuses that log alone', async () => {
    const answer = await sendBatch(service, `[${nested(100)},${play(world).body}]`);
    expect([answer.status, answer.json.results[0].code, answer.json.accepted]).toEqual([207, 'malformed', 1]);
  });

  test('a batch of depth 100 000 is refused', async () => {
    const answer = await sendBatch(service, `{"logs":${'['.repeat(100_000)}${']'.repeat(100_000)}}`);
    expect(answer.status).toBeLessThan(500);
  });

  test('Content-Length of 10 GB: 413 at once, nothing is awaited', async () => {
    expect(await raw(requestHead(SINGLE, ['Content-Length: 10737418240']))).toMatchObject({
      status: 413,
      type: PROBLEM,
      code: 'too_large',
    });
    expect(await raw(requestHead(SINGLE, ['Content-Length: 10737418240', 'Expect: 100-continue']))).toMatchObject({ status: 413 });
  });

  test('chunks without end: 413', async () => {
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    expect(await raw(requestHead(SINGLE, ['Transfer-Encoding: chunked']), ...Array.from({ length: 64 }, () => chunk))).toMatchObject({
      status: 413,
      code: 'too_large',
    });
  });

  test('a body that comes too slowly: 408', async () => {
    expect(await raw(requestHead(SINGLE, ['Content-Length: 100']), '{"log')).toEqual({
      status: 408,
      type: PROBLEM,
      code: 'request_timeout',
    });
  });

  test('headers that come too slowly: 408', async () => {
    expect(await raw('POST /api/v1/playback-logs HTTP/1.1\r\nHost: x\r\nX-Slow: ')).toMatchObject({ status: 408, code: 'request_timeout' });
  });
});

describe('what is no request', () => {
  test('huge headers: 431', async () => {
    expect(await raw(requestHead(SINGLE, [`X-Big: ${'x'.repeat(20_000)}`]))).toEqual({
      status: 431,
      type: PROBLEM,
      code: 'headers_too_large',
    });
    expect(
      await raw(
        requestHead(
          SINGLE,
          Array.from({ length: 4_000 }, (_, i) => `X-${i}: 1`),
        ),
      ),
    ).toMatchObject({ status: 431 });
  });

  test.each([
    ['garbage', '\u0000\u0001\u0002 garbage\r\n\r\n'],
    ['two lengths', requestHead(SINGLE, ['Content-Length: 3', 'Content-Length: 4'])],
    ['a length and chunks', requestHead(SINGLE, ['Content-Length: 3', 'Transfer-Encoding: chunked'])],
    ['a length that is no number', requestHead(SINGLE, ['Content-Length: 0x10'])],
    ['a bad chunk', `${requestHead(SINGLE, ['Transfer-Encoding: chunked'])}zz\r\n`],
    ['HTTP/1.1 without Host', 'GET /health/live HTTP/1.1\r\n\r\n'],
  ])('%s: 400', async (_, bytes) => {
    expect(await raw(bytes)).toEqual({ status: 400, type: PROBLEM, code: 'malformed' });
  });
});

describe('the registry import', () => {
  test.each([
    ['the name __proto__', 'malformed', '{"stores":[{"__proto__":{}}]}'],
    ['a name twice', 'malformed', '{"stores":1,"stores":2}'],
    ['brackets without end', 'malformed', '['.repeat(200_000)],
    ['a list', 'invalid_field', '[]'],
    ['a list that is none', 'invalid_field', '{"devices":{}}'],
  ])('with %s: 400 %s', async (_, code, body) => {
    const answer = await call(service, '/api/v1/registry/import', { body });
    expect([answer.status, answer.json.code]).toEqual([400, code]);
  });
});

test('300 clients that send a byte now and then hurt nobody', { timeout: 60_000 }, async () => {
  const slow = Array.from({ length: 300 }, () => {
    const socket = net.connect(Number(new URL(service.url).port), '127.0.0.1');
    socket.on('error', () => socket.destroy());
    socket.resume();
    socket.write(requestHead(SINGLE, ['Content-Length: 5000']));
    return socket;
  });
  const dripping = setInterval(() => {
    for (const socket of slow) if (socket.writable) socket.write(' ');
  }, 200);
  for (let i = 0; i < 50; i += 1) expect((await send(service, play(world).body)).status).toBe(202);
  // They are not let drip on for ever.
  await Promise.all(slow.filter(({ closed }) => !closed).map((socket) => once(socket, 'close')));
  clearInterval(dripping);
});

describe('with a ledger of all good logs, on a data directory of its own', () => {
  const own = makeDataDir();
  let shared: Service;

  beforeAll(async () => {
    shared = service;
    service = await Service.start({ dataDir: own });
    await importWorld(service, world);
  });

  afterAll(async () => {
    await service.kill();
    removeDataDir(own);
    service = shared;
  });

  test('a storm of all that leaves memory flat, and every good log is there once', { timeout: 120_000 }, async () => {
    const ledger = new Ledger();
    const good = async (): Promise<Reply> => {
      const log = play(world);
      ledger.sending(log);
      const answer = await send(service, log.body);
      ledger.heard(log, answer.json.outcome ?? answer.json.code, answer.status === 202 ? answer.json : null);
      return answer;
    };
    const junk = [
      () => raw(requestHead(SINGLE, ['Content-Length: 10737418240'])),
      () => sendBatch(service, `[${'{"a":['.repeat(50_000)}`),
      () => sendBatch(service, Buffer.alloc(2 * MEBIBYTE + 1, 'x')),
      () => sendBatch(service, JSON.stringify(Array.from({ length: 100 }, (_, i) => ({ log_id: i, junk: 'x'.repeat(15_000) })))),
      () => send(service, '{"log_id":1,"log_id":2}'),
      () => call(service, `/api/v1/playback-logs?cursor=${'A'.repeat(5_000)}`),
      () => raw(requestHead(SINGLE, [`X-Big: ${'x'.repeat(20_000)}`])),
      () => sendBatch(service, gzipSync(Buffer.alloc(MEBIBYTE)), { 'content-encoding': 'gzip' }),
      good,
    ];
    const storm = async (rounds: number): Promise<number[]> => {
      const seen: number[] = [];
      for (let i = 0; i < rounds; i += 1) {
        for (const { status } of await Promise.all(junk.map((one) => one()))) seen.push(status);
      }
      return seen;
    };
    await storm(15);
    const before = service.residentBytes();
    const statuses = await storm(40);
    const grown = service.residentBytes() - before;
    expect([...new Set(statuses)].sort((a, b) => a - b)).toEqual([202, 207, 400, 413, 415, 431]);
    expect(grown).toBeLessThan(200 * MEBIBYTE);
    expect(ledger.acknowledged).toBe(15 + 40);
    expect(await differences(service, ledger)).toEqual([]);
  });
});

test('a token in a wrong place is not taken', async () => {
  expect((await call(service, `/api/v1/stores?token=${ADMIN_TOKEN}`, { token: null })).status).toBe(401);
  expect((await call(service, '/api/v1/stores', { token: null, headers: { authorization: `Basic ${ADMIN_TOKEN}` } })).status).toBe(401);
});
