/**
 * TypeBox as Fastify's validator. Nothing is coerced, defaulted or stripped: what a handler sees is what was sent.
 * A fault of the body is `invalid_field` with a JSON Pointer for every field at fault; a fault of the path or the query is
 * `invalid_parameter`.
 */
import type { FastifySchema, FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { TLocalizedValidationError } from 'typebox/error';
import { Settings } from 'typebox/system';
import { Problem } from './problem.ts';

/** "Every field at fault" is true up to this many errors; TypeBox alone stops at 8. */
const MAX_ERRORS = 1_000;
Settings.Set({ maxErrors: MAX_ERRORS });

/** Faults that are spelled out in the sentence; `fields` names all. */
const MAX_TOLD = 5;

type RouteSchema = Parameters<FastifySchemaCompiler<FastifySchema>>[0];
type Part = 'body' | 'querystring' | 'params' | 'headers';

interface Fault {
  readonly pointer: string;
  readonly told: string;
}

/** The validator of one part of one route. Compiles once, at registration. */
export function compileValidator(route: RouteSchema): (value: unknown) => true | { error: Problem } {
  const part = (route.httpPart ?? 'body') as Part;
  const validator = Compile(closed(route.schema as TSchema, part));
  return (value) => {
    if (validator.Check(value)) return true;
    return { error: problemOf(part, faultsOf(validator.Errors(value))) };
  };
}

/** Unknown parameters are refused, whatever the schema says about them. */
function closed(schema: TSchema, part: Part): TSchema {
  return part === 'querystring' || part === 'params' ? { ...schema, additionalProperties: false } : schema;
}

/** Sorted by pointer, one for each; a missing or unknown member's pointer names the member. */
export function faultsOf(errors: readonly TLocalizedValidationError[]): Fault[] {
  const faults = new Map<string, string>();
  const add = (pointer: string, told: string): void => {
    if (!faults.has(pointer)) faults.set(pointer, told);
  };
  for (const error of errors) {
    if (error.keyword === 'required') {
      for (const name of error.params.requiredProperties) add(`${error.instancePath}/${escapePointer(name)}`, 'is missing');
    } else if (error.keyword === 'additionalProperties') {
      for (const name of error.params.additionalProperties) add(`${error.instancePath}/${escapePointer(name)}`, 'is not known here');
    } else if (error.keyword === 'boolean') {
      add(error.instancePath, 'is not known here');
    } else {
      add(error.instancePath, messageOf(error));
    }
  }
  return [...faults].map(([pointer, told]) => ({ pointer, told })).sort((a, b) => (a.pointer < b.pointer ? -1 : 1));
}

function messageOf(error: TLocalizedValidationError): string {
  if (error.keyword === 'enum') return `must be one of ${error.params.allowedValues.map(String).join(', ')}`;
  if (error.keyword === 'const') return `must be ${String(error.params.allowedValue)}`;
  if (error.keyword === 'format') return `must be a ${FORMATS[error.params.format] ?? error.params.format}`;
  if (error.keyword === 'pattern') return 'has a form that is not allowed';
  return error.message;
}

const FORMATS: Readonly<Record<string, string>> = {
  uuid: 'UUID (8-4-4-4-12 hex digits, not the nil UUID)',
  'date-time': 'RFC 3339 instant with an offset, such as 2026-05-01T10:00:00.000Z',
};

function problemOf(part: Part, faults: readonly Fault[]): Problem {
  const told = faults.slice(0, MAX_TOLD).map((fault) => `${nameOf(part, fault.pointer)} ${fault.told}`);
  const more = faults.length > MAX_TOLD ? `; and ${faults.length - MAX_TOLD} more` : '';
  const detail = `${told.join('; ')}${more}.`;
  if (part !== 'body') return new Problem('invalid_parameter', detail);
  return new Problem('invalid_field', detail, { fields: faults.map((fault) => fault.pointer) });
}

function nameOf(part: Part, pointer: string): string {
  const name = shorten(pointer);
  if (part === 'body') return name === '' ? 'The body' : name;
  return `The parameter "${name.slice(1)}"`;
}

/** Names come from the client: bounded, so that an answer is not as long as the question. */
function shorten(pointer: string): string {
  return pointer.length > 120 ? `${pointer.slice(0, 120)}…` : pointer;
}

/** RFC 6901. */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
