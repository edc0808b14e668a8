/** Calls of the service, with the whole answer read. */
import { ADMIN_TOKEN, type Service } from './service.ts';

export interface Call {
  readonly method?: string;
  /** Null: none. Absent: the administrator's. */
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text and bytes go as they are, anything else as JSON. */
  readonly body?: unknown;
  /** Gives up after this long, as a device would: then nobody knows. */
  readonly timeoutMs?: number;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The media type without its parameters. */
  readonly type: string;
  /** The parsed body; undefined where it is no JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a test looks into whatever was answered
  readonly json: any;
}

export async function call(service: Service | string, path: string, options: Call = {}): Promise<Reply> {
  const base = typeof service === 'string' ? service : service.url;
  const { body } = options;
  const token = options.token === undefined ? ADMIN_TOKEN : options.token;
  const headers: Record<string, string> = {
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(token !== null && { authorization: `Bearer ${token}` }),
    ...options.headers,
  };
  const answer = await fetch(`${base}${path}`, {
    method: options.method ?? (body === undefined ? 'GET' : 'POST'),
    headers,
    ...(options.timeoutMs !== undefined && { signal: AbortSignal.timeout(options.timeoutMs) }),
    ...(body !== undefined && { body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const type = (answer.headers.get('content-type') ?? '').split(';')[0] ?? '';
  return { status: answer.status, headers: answer.headers, text, type, json: /[+/]json$/.test(type) ? parsed(text) : undefined };
}

/** A log or a batch, sent as a device sends it: without a token. */
export function send(service: Service | string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
  return call(service, '/api/v1/playback-logs', { body, token: null, headers });
}

export function sendBatch(service: Service | string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
  return call(service, '/api/v1/playback-logs/batch', { body, token: null, headers });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
