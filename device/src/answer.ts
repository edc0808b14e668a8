/**
 * What the service's answer says about the logs of a request. Pure. The rule behind every line: only a clear verdict on one log
 * takes it out of the queue; whatever is not understood means *unknown*, and the log is sent again.
 */
import { retryAfterMs } from './backoff.ts';
import type { PostAnswer } from './transport.ts';

export interface LogResult {
  /** accepted, duplicate: proven and kept. refused: for good. later: not now, or not understood. */
  readonly outcome: 'accepted' | 'duplicate' | 'refused' | 'later';
  readonly status?: string;
  readonly billable?: boolean;
  readonly receivedAt?: string;
  /** Of `refused` and `later`. */
  readonly code?: string;
  readonly detail?: string;
  readonly fields?: readonly string[];
}

/** The final codes of one log. Sent alone, a log is given up for these only: another code speaks of the request. */
const FINAL_CODES: ReadonlySet<unknown> = new Set([
  'malformed',
  'too_large',
  'invalid_field',
  'device_disabled',
  'unknown_key',
  'key_not_valid',
  'invalid_signature',
  'log_id_conflict',
  'in_future',
  'too_old',
  'duration_inconsistent',
  'location_out_of_range',
]);

export type Answer =
  | { readonly kind: 'results'; readonly results: readonly LogResult[] }
  /** The request as a whole is not taken for what is in it: smaller ones find out which log it is. */
  | { readonly kind: 'split'; readonly detail: string }
  | { readonly kind: 'clock'; readonly serverTime: number | null; readonly retryAfterMs: number; readonly detail: string }
  | { readonly kind: 'unknown'; readonly detail: string; readonly retryAfterMs: number };

/** Reads the answer to a batch. @param logIds of the logs sent, in their order. @param now the device's clock. */
export function readBatchAnswer(answer: PostAnswer, logIds: readonly string[], now: number): Answer {
  const document = parseObject(answer.body);
  if (answer.status === 202 || answer.status === 207) {
    const results = document?.['results'];
    if (!Array.isArray(results)) return unknown(answer, 'an answer without results', now);
    const byIndex = new Map<unknown, Record<string, unknown>>();
    for (const item of results) if (isRecord(item)) byIndex.set(item['index'], item);
    return { kind: 'results', results: logIds.map((logId, index) => readResult(byIndex.get(index), logId)) };
  }
  if (answer.status === 413 || answer.status === 400) return { kind: 'split', detail: describe(answer, document) };
  return clockOrUnknown(answer, document, now);
}

/** Reads the answer to one log that was sent alone: here a 4xx speaks of that log and nothing else. */
export function readSingleAnswer(answer: PostAnswer, logId: string, now: number): Answer {
  const document = parseObject(answer.body);
  if (answer.status === 200 || answer.status === 202) {
    const result = readResult(document, logId);
    if (result.outcome !== 'later') return { kind: 'results', results: [result] };
    return unknown(answer, 'an answer that names no outcome', now);
  }
  const code = document?.['code'];
  // A proxy's error page has no such code and no `retryable`: it is no verdict.
  if (document && answer.status >= 400 && answer.status < 500 && typeof code === 'string') {
    if (FINAL_CODES.has(code) && document['retryable'] === false) return { kind: 'results', results: [readRefusal(document, code)] };
    if (code === 'unknown_device' || code === 'unknown_campaign') return { kind: 'results', results: [readRefusal(document, code)] };
  }
  return clockOrUnknown(answer, document, now);
}

function readResult(item: Record<string, unknown> | undefined | null, logId: string): LogResult {
  if (!item) return { outcome: 'later', detail: 'the answer leaves this log out' };
  const outcome = item['outcome'];
  const answered = item['log_id'];
  const same = typeof answered === 'string' && answered.toLowerCase() === logId.toLowerCase();
  if (outcome === 'accepted' || outcome === 'duplicate') {
    if (!same) return { outcome: 'later', detail: 'the answer names another log_id' };
    return {
      outcome,
      ...(typeof item['status'] === 'string' && { status: item['status'] }),
      ...(typeof item['billable'] === 'boolean' && { billable: item['billable'] }),
      ...(typeof item['received_at'] === 'string' && { receivedAt: item['received_at'] }),
    };
  }
  // The log_id of a refused log may be null: the service could not read it.
  if (outcome === 'rejected' && typeof item['code'] === 'string' && (same || answered === null || answered === undefined)) {
    return readRefusal(item, item['code']);
  }
  return { outcome: 'later', detail: 'an outcome that is not understood' };
}

function readRefusal(item: Record<string, unknown>, code: string): LogResult {
  const fields = item['fields'];
  return {
    outcome: item['retryable'] === false ? 'refused' : 'later',
    code,
    ...(typeof item['detail'] === 'string' && { detail: item['detail'].slice(0, 1000) }),
    ...(Array.isArray(fields) && { fields: fields.filter((field) => typeof field === 'string').slice(0, 64) }),
  };
}

function clockOrUnknown(answer: PostAnswer, document: Record<string, unknown> | null, now: number): Answer {
  if (document?.['code'] !== 'clock_skew') return unknown(answer, describe(answer, document), now);
  const told = typeof document['server_time'] === 'string' ? Date.parse(document['server_time']) : Number.NaN;
  return {
    kind: 'clock',
    serverTime: Number.isNaN(told) ? null : told,
    retryAfterMs: retryAfterMs(answer.headers['retry-after'], answer.headers['date'], now),
    detail: describe(answer, document),
  };
}

function unknown(answer: PostAnswer, detail: string, now: number): Answer {
  return { kind: 'unknown', detail, retryAfterMs: retryAfterMs(answer.headers['retry-after'], answer.headers['date'], now) };
}

function describe(answer: PostAnswer, document: Record<string, unknown> | null): string {
  const code = typeof document?.['code'] === 'string' ? ` ${document['code']}` : '';
  const detail = typeof document?.['detail'] === 'string' ? `: ${document['detail'].slice(0, 1000)}` : '';
  return `HTTP ${answer.status}${code}${detail}`;
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
