import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type Answer, Connections } from '../../../bench/load/connections.ts';

let server: Server | null = null;
let connections: Connections | null = null;
let opened = 0;

afterEach(async () => {
  connections?.close();
  if (server) {
    server.close();
    await once(server, 'close');
  }
  server = null;
});

/** A server of bytes: `onRequest` gets each whole request as it came. */
async function serve(count: number, onRequest: (request: string, socket: Socket) => void): Promise<Connections> {
  opened = 0;
  const made = createServer((socket) => {
    opened += 1;
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/.exec(text)?.[1]);
      if (end < 0 || text.length < end + 4 + length) return;
      const request = text;
      text = '';
      onRequest(request, socket);
    });
  });
  made.listen(0, '127.0.0.1');
  await once(made, 'listening');
  server = made;
  connections = new Connections(`http://127.0.0.1:${(made.address() as AddressInfo).port}`, count);
  return connections;
}

function post(to: Connections, body: string): Promise<Answer> {
  return new Promise((resolve) => to.post('/logs', Buffer.from(body), resolve));
}

const answer = (body: string, status = '202 Accepted', more = ''): string =>
  `HTTP/1.1 ${status}\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;

test('sends a request whole and reads its answer, one connection after another', async () => {
  const to = await serve(1, (request, socket) => socket.write(answer(request.slice(request.indexOf('\r\n\r\n') + 4))));
  const large = 'x'.repeat(200_000);
  const answers = await Promise.all([post(to, 'one'), post(to, 'two'), post(to, large)]);
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
  expect(answers.map(({ start }) => start)).toEqual(['one', 'two', 'x'.repeat(100)]);
  expect(opened).toBe(1);
});

test('reads an answer that comes in pieces', async () => {
  const to = await serve(1, (_request, socket) => {
    const pieces = answer('{"accepted":1}', '207 Multi-Status').match(/.{1,7}/gs) ?? [];
    const next = (): void => {
      const piece = pieces.shift();
      if (piece !== undefined) socket.write(piece, () => setTimeout(next, 1));
    };
    next();
  });
  expect(await post(to, 'a')).toEqual({ status: 207, retryAfter: false, start: '{"accepted":1}' });
  expect(await post(to, 'b')).toEqual({ status: 207, retryAfter: false, start: '{"accepted":1}' });
});

test('connects again after the last answer of a connection', async () => {
  const to = await serve(1, (_request, socket) => socket.end(answer('no', '503 Unavailable', 'Connection: close\r\nRetry-After: 2\r\n')));
  expect(await post(to, 'a')).toEqual({ status: 503, retryAfter: true, start: 'no' });
  expect(await post(to, 'b')).toEqual({ status: 503, retryAfter: true, start: 'no' });
  expect(opened).toBe(2);
});

test('says so where no answer comes, and goes on', async () => {
  let requests = 0;
  const to = await serve(1, (_request, socket) => {
    requests += 1;
    if (requests === 1) socket.destroy();
    else if (requests === 2) socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    else socket.write(answer('fine'));
  });
  const answers = await Promise.all([post(to, 'a'), post(to, 'b'), post(to, 'c')]);
  expect(answers.map(({ status }) => status)).toEqual([0, 0, 202]);
});
