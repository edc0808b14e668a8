/**
 * Pieces of schema that the routes share. Each validates requests and is the documentation of `/openapi.json`.
 * Query parameters are strings, as they were sent: numbers there are checked and read by `limitOf`.
 */
import { type TSchema, Type } from 'typebox';
import { Format } from 'typebox/format';
import { CODES, type Code } from '../domain/codes.ts';
import { parseTimestamp } from '../domain/timestamp.ts';
import { isUuid } from '../domain/uuid.ts';
import { Problem } from './problem.ts';

// The formats of the contract are stricter than those of TypeBox: a nil UUID names nothing, 30 February is no date.
Format.Set('uuid', isUuid);
Format.Set('date-time', (text) => parseTimestamp(text) !== undefined);

export const Uuid = Type.String({ format: 'uuid', description: 'A UUID of any version, in either case' });

export const Instant = Type.String({
  format: 'date-time',
  description: 'RFC 3339 with an offset, at most three fraction digits, upper-case T and Z',
  maxLength: 40,
  examples: ['2026-05-01T10:00:00.000Z'],
});

export const MAX_LIMIT = 1_000;
export const DEFAULT_LIMIT = 100;

/** For query strings. */
export const Limit = Type.String({
  pattern: '^([1-9][0-9]{0,2}|1000)$',
  description: `How many items to answer, 1 to ${MAX_LIMIT} (${DEFAULT_LIMIT})`,
});

export const Cursor = Type.String({
  minLength: 1,
  maxLength: 512,
  description: 'The `next_cursor` of the page before',
});

/** The number behind a validated `limit` parameter. @throws Problem invalid_parameter */
export function limitOf(text: string | undefined, fallback = DEFAULT_LIMIT): number {
  if (text === undefined) return fallback;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > MAX_LIMIT) throw new Problem('invalid_parameter', `The parameter "limit" must be 1 to ${MAX_LIMIT}.`);
  return limit;
}

/** A page of a list; `next_cursor` is null on the last. */
export function Page<Item extends TSchema>(items: Item) {
  return Type.Object({
    items: Type.Array(items),
    next_cursor: Nullable(Type.String({ description: 'Send it as `cursor` for the next page' })),
  });
}

/** The value or null. */
export function Nullable<Value extends TSchema>(value: Value) {
  return Type.Union([value, Type.Null()]);
}

/** A query parameter that may be repeated: one string or several. */
export function Repeatable<Value extends TSchema>(value: Value, maxItems = 100) {
  return Type.Union([value, Type.Array(value, { maxItems })]);
}

/** What was sent for a repeatable parameter, as a list. */
export function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}

/** RFC 9457, as every refusal is answered. */
export const ProblemSchema = Type.Object(
  {
    type: Type.String({ examples: ['urn:playproof:code:invalid_field'] }),
    title: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    code: Type.Enum(Object.keys(CODES) as Code[]),
    detail: Type.String({ description: 'What to change or do next' }),
    retryable: Type.Boolean({ description: 'Whether sending the very same again can help' }),
    fields: Type.Optional(Type.Array(Type.String(), { description: 'A JSON Pointer for every field at fault, sorted' })),
    log_id: Type.Optional(Type.String({ description: 'Of the one log that was sent, where it could be read' })),
    line: Type.Optional(Type.Integer({ minimum: 1, description: 'The line at fault in an import of NDJSON' })),
    server_time: Type.Optional(Type.String({ format: 'date-time' })),
    correlation_id: Type.Optional(Type.String({ description: 'Names the log line of a fault of the service' })),
  },
  { description: 'RFC 9457 problem document' },
);

/** Refusals that any route can give. */
const EVERYWHERE: readonly Code[] = ['overloaded', 'internal'];

/**
 * The `response` entries of a route's refusals: one for each HTTP status, naming its codes.
 * `response: { 200: Answer, ...problemResponses('invalid_parameter', 'not_found') }`
 */
export function problemResponses(...codes: readonly Code[]): Record<number, TSchema> {
  const byStatus = new Map<number, Set<Code>>();
  for (const code of [...codes, ...EVERYWHERE]) {
    const { status } = CODES[code];
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code));
  }
  const responses: Record<number, TSchema> = {};
  for (const [status, names] of [...byStatus].sort(([a], [b]) => a - b)) {
    const description = [...names].map((code) => `\`${code}\`: ${CODES[code].title}`).join('; ');
    responses[status] = { description, content: { 'application/problem+json': { schema: ProblemSchema } } };
  }
  return responses;
}
