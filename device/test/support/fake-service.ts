/** A service over real HTTP that answers as the test says and remembers what it was sent. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeRequest {
  readonly path: string;
  readonly body: string;
  readonly headers: http.IncomingHttpHeaders;
  /** Of a batch: the logs as they were parsed; of a single: one. */
  readonly logs: readonly { readonly log_id: string }[];
  readonly logIds: readonly string[];
}

export interface FakeAnswer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  /** Cuts the connection instead, before anything or in the middle of the answer. */
  readonly cut?: 'before' | 'middle';
}

export interface FakeService {
  readonly baseUrl: string;
  readonly requests: FakeRequest[];
  /** Called for each request in turn. */
  answer: (request: FakeRequest, index: number) => FakeAnswer;
  close(): Promise<void>;
}

export async function startFakeService(): Promise<FakeService> {
  const requests: FakeRequest[] = [];
  const server = http.createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const parsed = JSON.parse(body) as { logs?: { log_id: string }[]; log_id: string };
      const logs = parsed.logs ?? [parsed];
      const request = { path: incoming.url ?? '', body, headers: incoming.headers, logs, logIds: logs.map((log) => log.log_id) };
      requests.push(request);
      const answer = service.answer(request, requests.length - 1);
      if (answer.cut === 'before') {
        incoming.socket.destroy();
        return;
      }
      const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {});
      outgoing.writeHead(answer.status ?? 202, { 'content-type': 'application/json', ...answer.headers });
      if (answer.cut === 'middle') {
        outgoing.write(text.slice(0, text.length / 2));
        setTimeout(() => incoming.socket.destroy(), 5);
      } else outgoing.end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const service: FakeService = {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: acceptAll,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return service;
}

export const acceptAll = (request: FakeRequest): FakeAnswer => resultsFor(request, () => ({ outcome: 'accepted' }));

/** The answer to a batch or a single log, each log's part as `of` says. */
export function resultsFor(request: FakeRequest, of: (logId: string, index: number) => Record<string, unknown>): FakeAnswer {
  const results = request.logIds.map((logId, index) => ({ index, log_id: logId, ...of(logId, index) }));
  if (!request.path.endsWith('/batch')) {
    const only = results[0] as Record<string, unknown>;
    return only['outcome'] === 'rejected' ? { status: 422, body: only } : { status: 202, body: only };
  }
  return { status: results.every((result) => result['outcome' as never] !== 'rejected') ? 202 : 207, body: { results } };
}
