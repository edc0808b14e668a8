/**
 * Reads what devices send. `JSON.parse` gives the values and judges the syntax; one scan over the text then finds what it hides: names
 * that were written twice, and how long and how deep each log was as sent. Faults of one log stay with that log; faults of
 * the bytes, the syntax and the envelope refuse the request.
 */
import { isAscii } from 'node:buffer';
import { afterSpace, afterString, type Extent, measure } from './json-scan.ts';
import { parseNames } from './json-names.ts';
import { memberPointer } from './json-pointer.ts';
import { MAX_BATCH_BYTES, MAX_JSON_DEPTH, MAX_LOG_BYTES } from './limits.ts';

export interface LogFault {
  readonly code: 'malformed' | 'too_large';
  readonly detail: string;
}

/** One log as it was sent. */
export interface RawLog {
  /** An object, not an array, of bounded depth; null where there is a fault, for then nothing in it can be relied on. */
  readonly value: unknown;
  readonly fault: LogFault | null;
  /** The text as sent. It keeps the whole body's text in memory for as long as it is held. */
  text(): string;
}

export type ReadResult<T> =
  | { ok: true; value: T }
  | { ok: false; code: 'malformed' | 'too_large' | 'invalid_field'; detail: string; fields?: string[] };

export interface RawBatch {
  /** As sent, not yet read as a timestamp; null where the batch does not tell. */
  readonly sentAt: string | null;
  readonly logs: RawLog[];
}

type Refusal = Extract<ReadResult<never>, { ok: false }>;

/** Pointers that a refused envelope names at most; a body of nothing but unknown members has hundreds of thousands. */
const MAX_ENVELOPE_FIELDS = 100;

class ScannedLog implements RawLog {
  readonly value: unknown;
  readonly fault: LogFault | null;
  readonly #body: string;
  readonly #start: number;
  readonly #end: number;

  constructor(value: unknown, fault: LogFault | null, body: string, start: number, end: number) {
    this.value = fault === null ? value : null;
    this.fault = fault;
    this.#body = body;
    this.#start = start;
    this.#end = end;
  }

  text(): string {
    return this.#body.slice(this.#start, this.#end);
  }
}

/** The body of the single endpoint: one log and nothing else, at most 16 KiB with the white space around it. */
export function readSingleLog(body: Uint8Array): ReadResult<RawLog> {
  if (body.byteLength > MAX_LOG_BYTES) return refuse('too_large', tooManyBytes(body.byteLength));
  const parsed = parse(body);
  if (!parsed.ok) return parsed;
  const { text, value } = parsed.value;
  const start = afterSpace(text, 0);
  return { ok: true, value: examine(value, text, start, newExtent(), hasEscapes(text)) };
}

/** The body of the batch endpoint: `{"sent_at"?, "logs": […]}` or the bare array, of 1 to `maxLogs` logs. */
export function readBatch(body: Uint8Array, maxLogs: number): ReadResult<RawBatch> {
  if (body.byteLength > MAX_BATCH_BYTES) {
    return refuse('too_large', `The batch has ${body.byteLength} bytes and ${MAX_BATCH_BYTES} are taken; send fewer logs at once.`);
  }
  const parsed = parse(body);
  if (!parsed.ok) return parsed;
  const { text, value } = parsed.value;
  const start = afterSpace(text, 0);
  if (Array.isArray(value)) return readElements(value, '', text, start, null, maxLogs);
  if (typeof value !== 'object' || value === null) {
    return refuse('malformed', 'The body is neither an object nor an array; send {"logs": […]} or an array of logs.');
  }
  return readEnvelope(value as Record<string, unknown>, text, start, maxLogs);
}

function readEnvelope(envelope: Record<string, unknown>, text: string, start: number, maxLogs: number): ReadResult<RawBatch> {
  const found = findMembers(text, start);
  const names = Object.keys(envelope);
  const bad = names.find((name) => isReservedName(name) || !name.isWellFormed());
  if (bad !== undefined) return refuse('malformed', `The batch has a member with the name ${quote(bad)}; leave it out.`);
  if (found.count !== names.length) return refuse('malformed', 'The batch has the same member twice; send each member once.');
  const unknown = names.filter((name) => name !== 'logs' && name !== 'sent_at');
  const sentAt = envelope['sent_at'] ?? null;
  if (typeof sentAt === 'string' && !sentAt.isWellFormed())
    return refuse('malformed', 'sent_at has half a surrogate pair; send a timestamp.');
  const logs = envelope['logs'];
  const wrong = [...(Array.isArray(logs) ? [] : ['/logs']), ...(sentAt === null || typeof sentAt === 'string' ? [] : ['/sent_at'])];
  const fields = [...unknown.map((name) => memberPointer('', name)), ...wrong].sort();
  if (unknown.length > 0) {
    const only = unknown.length > MAX_ENVELOPE_FIELDS ? ` (${unknown.length}; the first ${MAX_ENVELOPE_FIELDS} are named)` : '';
    return refuse('invalid_field', `A batch has only the members logs and sent_at; leave the others out${only}.`, fields);
  }
  if (!Array.isArray(logs)) return refuse('invalid_field', `logs must be an array of 1 to ${maxLogs} playback logs.`, fields);
  if (sentAt !== null && typeof sentAt !== 'string') {
    return refuse('invalid_field', 'sent_at must be a timestamp such as 2026-11-20T09:30:00.000Z.', fields);
  }
  return readElements(logs, '/logs', text, found.logsAt, sentAt, maxLogs);
}

/** How many members the object at `start` has as written, and where the value of `logs` begins. */
function findMembers(text: string, start: number): { count: number; logsAt: number } {
  const extent = newExtent();
  let count = 0;
  let logsAt = -1;
  let at = afterSpace(text, start + 1);
  while (text.charCodeAt(at) !== 125) {
    const nameEnd = afterString(text, at);
    // A name may be spelled with escapes; what it says is what counts.
    const name = text.slice(at, nameEnd);
    const isLogs = name === '"logs"' || (name.includes('\\') && JSON.parse(name) === 'logs');
    const valueAt = afterSpace(text, afterSpace(text, nameEnd) + 1);
    if (isLogs) logsAt = valueAt;
    measure(text, valueAt, extent);
    count += 1;
    at = afterSpace(text, extent.end);
    if (text.charCodeAt(at) === 44) at = afterSpace(text, at + 1);
  }
  return { count, logsAt };
}

function readElements(
  values: readonly unknown[],
  pointer: string,
  text: string,
  start: number,
  sentAt: string | null,
  maxLogs: number,
): ReadResult<RawBatch> {
  if (values.length === 0) return refuse('invalid_field', `The batch has no log; send 1 to ${maxLogs}.`, [pointer]);
  if (values.length > maxLogs) {
    return refuse('too_large', `The batch has ${values.length} logs and ${maxLogs} are taken at once; send it in smaller batches.`);
  }
  const extent = newExtent();
  const escapes = hasEscapes(text);
  const logs: RawLog[] = [];
  let at = start;
  for (const value of values) {
    // After the bracket before the first log, and after the comma before each other.
    at = afterSpace(text, at + 1);
    logs.push(examine(value, text, at, extent, escapes));
    at = afterSpace(text, extent.end);
  }
  return { ok: true, value: { sentAt, logs } };
}

function examine(value: unknown, text: string, start: number, extent: Extent, escapes: boolean): RawLog {
  measure(text, start, extent);
  return new ScannedLog(value, faultOf(value, text, start, extent, escapes), text, start, extent.end);
}

function faultOf(value: unknown, text: string, start: number, extent: Extent, escapes: boolean): LogFault | null {
  const length = extent.end - start;
  // A UTF-16 unit takes at most three bytes of UTF-8, so the bytes of a short text need no counting.
  if (length * 3 > MAX_LOG_BYTES) {
    const bytes = length > MAX_LOG_BYTES ? length : Buffer.byteLength(text.slice(start, extent.end));
    if (bytes > MAX_LOG_BYTES) return { code: 'too_large', detail: tooManyBytes(bytes) };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return malformed('A playback log is a JSON object; send one.');
  if (extent.depth > MAX_JSON_DEPTH) return malformed(`The log is nested ${extent.depth} deep and ${MAX_JSON_DEPTH} are read.`);
  const walk: Walk = { escapes, names: 0, fault: null };
  walkValue(value, walk);
  if (walk.fault !== null) return malformed(walk.fault);
  // JSON.parse keeps the last of two equal names: then the text has more members than the values.
  if (walk.names !== extent.members) return malformed('The log has the same member twice; send each member once.');
  return null;
}

interface Walk {
  /** Half a surrogate pair can only be spelled with an escape: as bytes it is no UTF-8. */
  readonly escapes: boolean;
  names: number;
  fault: string | null;
}

/** Counts the names, and finds the first name, string or number that is not taken. Recursion is bounded by MAX_JSON_DEPTH. */
function walkValue(value: unknown, walk: Walk): void {
  if (typeof value === 'string') {
    if (walk.escapes && !value.isWellFormed())
      walk.fault ??= 'A text in the log has half a surrogate pair, which UTF-8 cannot say; correct the text.';
  } else if (typeof value === 'number') {
    // Also true for Infinity, which is what JSON.parse makes of 1e400. Beyond this bound every double is an integer.
    if (Math.abs(value) > Number.MAX_SAFE_INTEGER) {
      walk.fault ??= 'A number in the log is beyond ±9007199254740991, where numbers are not exact any more; correct the number.';
    }
  } else if (Array.isArray(value)) {
    for (const element of value) walkValue(element, walk);
  } else if (typeof value === 'object' && value !== null) {
    for (const name in value) {
      walk.names += 1;
      if (isReservedName(name)) walk.fault ??= `The log has a member with the name ${name}, which is not read; leave it out.`;
      if (walk.escapes && !name.isWellFormed()) walk.fault ??= 'The name of a member has half a surrogate pair; leave it out.';
      walkValue((value as Record<string, unknown>)[name], walk);
    }
  }
}

function isReservedName(name: string): boolean {
  return name === '__proto__' || name === 'constructor' || name === 'prototype';
}

/** Decodes once and parses once: bytes of ASCII alone become a one-byte string, the fastest thing to parse and to scan. */
function parse(body: Uint8Array): ReadResult<{ text: string; value: unknown }> {
  if (body.byteLength === 0) return refuse('malformed', 'The body is empty; send JSON.');
  let text: string;
  if (isAscii(body)) {
    text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
  } else {
    if (body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf) {
      return refuse('malformed', 'The body begins with a byte-order mark; send the JSON without it.');
    }
    try {
      // A new decoder each time: a fatal one that failed is of no use until its state is cleared.
      text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
    } catch {
      return refuse('malformed', 'The body is not UTF-8; send UTF-8.');
    }
  }
  try {
    return { ok: true, value: { text, value: parseNames(text) } };
  } catch (error) {
    // V8's message can quote what was sent; where it gives the place, that is all that is passed on.
    const position = /at position \d+/.exec(error instanceof Error ? error.message : '');
    return refuse('malformed', `The body is not JSON${position ? ` (${position[0]})` : ''}; send one JSON document and nothing after it.`);
  }
}

/** Looks for the one character first: that is the fastest search there is, and most bodies have none. */
function hasEscapes(text: string): boolean {
  return text.includes('\\') && text.includes('\\u');
}

function newExtent(): Extent {
  return { end: 0, members: 0, depth: 0 };
}

function malformed(detail: string): LogFault {
  return { code: 'malformed', detail };
}

function tooManyBytes(bytes: number): string {
  return `The log has ${bytes} bytes and ${MAX_LOG_BYTES} are taken; make it smaller.`;
}

/** A name as it may be shown: escaped, and not at any length. */
function quote(name: string): string {
  return JSON.stringify(name.slice(0, 40).toWellFormed());
}

function refuse(code: Refusal['code'], detail: string, fields?: string[]): Refusal {
  return fields ? { ok: false, code, detail, fields: fields.slice(0, MAX_ENVELOPE_FIELDS) } : { ok: false, code, detail };
}
