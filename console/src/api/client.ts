/** Calls of the service, with the types of its own document. Every failure is an `ApiFault` with a sentence for people. */
import type { Calls, Problem } from './types.ts';

export type CallName = keyof Calls;
export type Answer<K extends CallName> = Calls[K]['answer'];

type Loose<T> = { [P in keyof T]?: T[P] | undefined };
export type Input<K extends CallName> = (Calls[K]['path'] extends null ? { readonly path?: never } : { readonly path: Calls[K]['path'] }) &
  (Calls[K]['query'] extends null ? { readonly query?: never } : { readonly query?: Loose<Calls[K]['query']> }) &
  (Calls[K]['body'] extends null ? { readonly body?: never } : { readonly body: Calls[K]['body'] });

const TIMEOUT_MS = 30_000;

/** What went wrong: the service's own problem document, or that there was no answer at all. */
export class ApiFault extends Error {
  override readonly name = 'ApiFault';
  readonly problem: Problem | null;
  /** Seconds until another try makes sense. */
  readonly retryAfter: number | null;

  constructor(message: string, problem: Problem | null, retryAfter: number | null = null) {
    super(message);
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  get code(): Problem['code'] | 'unreachable' {
    return this.problem?.code ?? 'unreachable';
  }

  get retryable(): boolean {
    return this.problem?.retryable ?? true;
  }
}

let token: string | null = null;
let onUnauthorized: (fault: ApiFault) => void = () => {};

/** The token is held here and in this tab's session storage, never in an address. */
export function presentToken(next: string | null, whenRefused: (fault: ApiFault) => void): void {
  token = next;
  onUnauthorized = whenRefused;
}

/** @throws ApiFault */
export async function call<K extends CallName>(name: K, input: Input<K>, signal?: AbortSignal): Promise<Answer<K>> {
  const { body }: { readonly body?: unknown } = input;
  const init = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const response = await request(name, input, init, signal);
  if (response.status === 204) return JSON.parse('null') as Answer<K>;
  return (await response.json()) as Answer<K>;
}

/** The same call, its body as it is sent: an import document, or an answer that is a file. @throws ApiFault */
export async function request(
  name: CallName,
  input: { readonly path?: unknown; readonly query?: unknown },
  init: { readonly body?: BodyInit; readonly headers?: Record<string, string> } = {},
  signal?: AbortSignal,
): Promise<Response> {
  const [method = 'GET'] = name.split(' ');
  const address = addressOf(name, input);
  let response: Response;
  try {
    const limits = [AbortSignal.timeout(TIMEOUT_MS), ...(signal ? [signal] : [])];
    response = await fetch(address, {
      ...init,
      method,
      headers: { ...init.headers, ...(token !== null && { authorization: `Bearer ${token}` }) },
      signal: AbortSignal.any(limits),
      cache: 'no-store',
      credentials: 'omit',
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiFault('The service does not answer. It may be restarting, or the connection is away.', null);
  }
  if (response.ok) return response;
  const fault = await faultOf(response);
  if (response.status === 401) onUnauthorized(fault);
  throw fault;
}

export function addressOf(name: CallName, { path, query }: { readonly path?: unknown; readonly query?: unknown }): string {
  const [, pattern = ''] = name.split(' ');
  const names = (path ?? {}) as Record<string, string>;
  const address = pattern.replaceAll(/\{(\w+)\}/g, (_, part: string) => encodeURIComponent(names[part] ?? ''));
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries((query ?? {}) as Record<string, string | string[] | undefined>)) {
    for (const one of value === undefined ? [] : [value].flat()) parameters.append(key, one);
  }
  const text = parameters.toString();
  return text === '' ? address : `${address}?${text}`;
}

async function faultOf(response: Response): Promise<ApiFault> {
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
  try {
    const problem = (await response.json()) as Problem;
    if (typeof problem.detail === 'string') return new ApiFault(problem.detail, problem, Number.isFinite(retryAfter) ? retryAfter : null);
  } catch {
    // Not ours: a proxy in between answered in its own words.
  }
  return new ApiFault(`Something between here and the service answered with HTTP ${response.status}.`, null);
}
