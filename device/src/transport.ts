/** One POST over HTTP with a bound on everything. The port that a test, or firmware with its own network stack, replaces. */
import http from 'node:http';
import https from 'node:https';

export interface PostRequest {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** For the whole exchange, from connecting to the last byte of the answer. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface PostAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

/** Resolves with any complete answer, whatever its status; rejects when there is none, and then nothing is known. */
export interface Transport {
  post(request: PostRequest): Promise<PostAnswer>;
  close(): void;
}

const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** HTTP/1.1 over one kept connection. */
export function createTransport(): Transport {
  const options = { keepAlive: true, maxSockets: 1 };
  const agents = { http: new http.Agent(options), https: new https.Agent(options) };
  return {
    post: (request) => post(request, agents),
    close() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

function post(request: PostRequest, agents: { http: http.Agent; https: https.Agent }): Promise<PostAnswer> {
  return new Promise((resolve, reject) => {
    const secure = request.url.startsWith('https:');
    const body = Buffer.from(request.body, 'utf8');
    const outgoing = (secure ? https : http).request(
      request.url,
      {
        method: 'POST',
        agent: secure ? agents.https : agents.http,
        headers: { ...request.headers, 'content-type': 'application/json', 'content-length': String(body.length) },
        signal: request.signal,
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        incoming.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > MAX_ANSWER_BYTES) outgoing.destroy(new Error(`an answer of more than ${MAX_ANSWER_BYTES} bytes`));
          else chunks.push(chunk);
        });
        incoming.on('error', fail);
        incoming.on('aborted', () => fail(new Error('the connection broke in the middle of the answer')));
        incoming.on('end', () => {
          clearTimeout(timer);
          if (!incoming.complete) return fail(new Error('the answer ended too early'));
          const headers: Record<string, string | undefined> = {};
          for (const [name, value] of Object.entries(incoming.headers)) headers[name] = Array.isArray(value) ? value.join(', ') : value;
          resolve({ status: incoming.statusCode ?? 0, headers, body: Buffer.concat(chunks).toString('utf8') });
        });
      },
    );
    const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${request.timeoutMs} ms`)), request.timeoutMs);
    function fail(error: Error): void {
      clearTimeout(timer);
      reject(error);
    }
    outgoing.on('error', fail);
    outgoing.end(body);
  });
}
