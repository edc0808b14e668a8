import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAX_HEADER_BYTES } from '../../../src/server/connection.ts';
import { exchange, RAW_LIMIT, type RawAnswer, startToyApp, type ToyApp } from './toy-app.ts';

let toy: ToyApp;
beforeAll(async () => {
  toy = await startToyApp();
});
afterAll(() => toy.app.close());

const POST = 'POST /raw HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';

function expectProblem(answer: RawAnswer, status: number, code: string): void {
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.headers.get('connection')).toBe('close');
  expect(JSON.parse(answer.body)).toMatchObject({ status, code });
  expect(answer.reset).toBe(false);
}

describe('bytes that are no request', () => {
  test.each([
    ['noise', '\u0000\u0001\u0002\r\n\r\n'],
    ['a method that is none', 'BREW / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['another protocol', 'SSH-2.0-OpenSSH_9.0\r\n'],
    ['a header without a colon', 'GET / HTTP/1.1\r\nHost x\r\n\r\n'],
    ['two lengths', `${POST}Content-Length: 3\r\nContent-Length: 4\r\n\r\n{}  `],
    ['a length and chunks', `${POST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a length below zero', `${POST}Content-Length: -1\r\n\r\n`],
  ])('%s: 400 malformed', async (_what, bytes) => {
    expectProblem(await exchange(toy.port, (socket) => void socket.write(bytes)), 400, 'malformed');
  });

  test('no Host: 400 malformed', async () => {
    const answer = await exchange(toy.port, (socket) => void socket.write('GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n'));
    expectProblem(answer, 400, 'malformed');
  });

  test('CONNECT: 405', async () => {
    const answer = await exchange(toy.port, (socket) => void socket.write('CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n'));
    expectProblem(answer, 405, 'method_not_allowed');
  });

  test('headers that are too large: 431, although more of them are on their way', async () => {
    const answer = await exchange(toy.port, async (socket) => {
      socket.write(`GET / HTTP/1.1\r\nHost: x\r\n`);
      for (let sent = 0; sent < 8 * MAX_HEADER_BYTES && socket.writable; sent += 1024) socket.write(`X-${sent}: ${'y'.repeat(1000)}\r\n`);
    });
    expectProblem(answer, 431, 'headers_too_large');
  });
});

describe('bodies', () => {
  test('bad chunking in the middle of a body is answered in the place of its request', async () => {
    const answer = await exchange(
      toy.port,
      (socket) => void socket.write(`${POST}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n`),
    );
    expectProblem(answer, 400, 'malformed');
    expect(answer.headers.get('request-id')).toBeDefined();
  });

  test('a body that is shorter than announced: 400 to a client that only closed its sending side', async () => {
    const answer = await exchange(toy.port, (socket) => void socket.end(`${POST}Content-Length: 100\r\n\r\n{"a":`));
    expectProblem(answer, 400, 'malformed');
  });

  test('more bytes than announced are another request, and no part of this one', async () => {
    const answer = await exchange(toy.port, (socket) => void socket.write(`${POST}Content-Length: 2\r\n\r\n{}garbage\r\n\r\n`));
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('"length":2');
  });

  test('an announced length over the limit is refused before the body is sent', async () => {
    const answer = await exchange(toy.port, (socket) => void socket.write(`${POST}Content-Length: 999999999\r\n\r\n`));
    expectProblem(answer, 413, 'too_large');
  });

  test('a client that asks first (Expect: 100-continue) is refused without being told to go on', async () => {
    const refused = await exchange(
      toy.port,
      (socket) => void socket.write(`${POST}Expect: 100-continue\r\nContent-Length: 999999999\r\n\r\n`),
    );
    expect(refused.status).toBe(413);
    const taken = await exchange(toy.port, async (socket) => {
      socket.write(`${POST}Expect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n`);
      await once(socket, 'data');
      socket.write('{}');
    });
    expect(taken.status).toBe(100);
    expect(taken.body).toContain('HTTP/1.1 200');
  });

  test.each([
    ['with a length', (size: number) => `Content-Length: ${size}\r\n\r\n`, ''],
    ['in chunks', (size: number) => `Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n`, '\r\n0\r\n\r\n'],
  ])('a client that sends 8 MiB before it reads still gets its 413: %s', async (_what, head, tail) => {
    const size = 8 * 1024 * 1024;
    const answer = await exchange(toy.port, async (socket) => {
      socket.write(POST + head(size));
      const piece = Buffer.alloc(64 * 1024, 'x');
      for (let sent = 0; sent < size; sent += piece.length) {
        if (!socket.write(piece)) await once(socket, 'drain');
      }
      socket.write(tail);
    });
    expectProblem(answer, 413, 'too_large');
    expect(toy.budget.used).toBe(0);
  });

  test('a gzip bomb is not opened', async () => {
    const bomb = gzipSync(Buffer.alloc(10 * 1024 * 1024));
    const answer = await exchange(toy.port, (socket) => {
      socket.write(`${POST}Content-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`);
      socket.write(bomb);
    });
    expectProblem(answer, 415, 'unsupported_media_type');
  });

  test('the limit itself is taken, byte by byte too, into memory of its own', async () => {
    const answer = await exchange(toy.port, async (socket) => {
      socket.setNoDelay(true);
      socket.write(`${POST}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n`);
      socket.write('1\r\nx\r\n'.repeat(RAW_LIMIT));
      socket.write('0\r\n\r\n');
    });
    expect(answer.status).toBe(200);
    expect(answer.body).toContain(JSON.stringify({ length: RAW_LIMIT, offset: 0, memory: RAW_LIMIT }).slice(1, -1));
    expect(toy.budget.used).toBe(0);
  });

  test('a client that goes away in the middle of its body gives everything back', async () => {
    const socket = connect(toy.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`${POST}Content-Length: 10000\r\n\r\n${'x'.repeat(5000)}`);
    await expect.poll(() => toy.budget.used).toBeGreaterThan(0);
    socket.resetAndDestroy();
    await expect.poll(() => toy.budget.used).toBe(0);
  });
});

test('bodies of all connections together are bounded: overloaded, with Retry-After, and the others go on', async () => {
  const small = await startToyApp({}, 20_000);
  try {
    const holder = connect(small.port, '127.0.0.1');
    await once(holder, 'connect');
    holder.write(`${POST}Connection: close\r\nContent-Length: 16000\r\n\r\n${'x'.repeat(100)}`);
    await expect.poll(() => small.budget.used).toBe(16_000);
    const refused = await exchange(small.port, (socket) => void socket.write(`${POST}Content-Length: 8000\r\n\r\n${'x'.repeat(8000)}`));
    expectProblem(refused, 503, 'overloaded');
    expect(refused.headers.get('retry-after')).toBe('1');
    holder.write('x'.repeat(15_900));
    const [answer] = (await once(holder, 'data')) as [Buffer];
    expect(answer.toString()).toContain('HTTP/1.1 200');
    expect(small.budget.used).toBe(0);
  } finally {
    await small.app.close();
  }
});

describe('slow clients', () => {
  test('requests without end over one connection whose answers are not read: the first are answered, the others are overloaded', async () => {
    const ask = (n: number): string =>
      `GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(n - 1) + 'GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    const statuses = async (n: number): Promise<number[]> => {
      const { status, body } = await exchange(toy.port, (socket) => void socket.write(ask(n)));
      return [status, ...Array.from(body.matchAll(/HTTP\/1\.1 (\d+)/g), ([, code]) => Number(code))];
    };
    expect(await statuses(4)).toEqual([200, 200, 200, 200]);
    expect(await statuses(50)).toEqual(Array.from({ length: 50 }, (_, i) => (i < 4 ? 200 : 503)));
  });

  test('a body that does not arrive in time: 408, and a head that does not: 408', async () => {
    const impatient = await startToyApp({ config: { requestTimeoutMs: 1_000, maxInFlightBytes: 1_000_000 } });
    try {
      const body = exchange(impatient.port, (socket) => void socket.write(`${POST}Content-Length: 100\r\n\r\n{`));
      const head = exchange(impatient.port, (socket) => void socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow'));
      expectProblem(await body, 408, 'request_timeout');
      expectProblem(await head, 408, 'request_timeout');
    } finally {
      await impatient.app.close();
    }
  });
});

describe('closing', () => {
  test('what is in flight is answered, its connection ends, and waiting requests are told', async () => {
    const closing = await startToyApp();
    const slow = exchange(closing.port, (socket) => void socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n'));
    await expect.poll(() => closing.seen).toEqual(['/slow']);
    expect(closing.app.closing.aborted).toBe(false);
    const closed = closing.app.close();
    const answer = await slow;
    expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close']);
    await closed;
    expect(closing.app.closing.aborted).toBe(true);
  });

  test('no further request is served on a connection that is open', async () => {
    const closing = await startToyApp();
    const answers = exchange(closing.port, async (socket) => {
      socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
      await expect.poll(() => closing.seen).toEqual(['/slow']);
      void closing.app.close();
      await expect.poll(() => closing.app.closing.aborted).toBe(true);
      socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n');
    });
    const answer = await answers;
    expect(answer.status).toBe(200);
    expect(answer.body).not.toContain('"status":"ok"');
  });
});
