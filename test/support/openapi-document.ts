/** What is wrong with an OpenAPI 3.1 document, as far as it can be told without the specification's own schema. */
import { Compile } from 'typebox/schema';
import { CODES } from '../../src/domain/codes.ts';

export interface Operation {
  parameters?: { name: string; in: string; required?: boolean; schema: object }[];
  requestBody?: { content: Record<string, { schema: object }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
  security?: object[];
  description?: string;
  summary?: string;
}

export interface OpenApiDocument {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { securitySchemes: Record<string, { type: string; scheme: string }>; schemas: Record<string, object> };
}

/** Every keyword that a schema of OpenAPI 3.1 (JSON Schema 2020-12) may have and ours do. */
const KEYWORDS = new Set(
  'type properties required additionalProperties items anyOf oneOf allOf enum const description title format pattern minimum maximum minLength maxLength minItems maxItems examples example exclusiveMinimum exclusiveMaximum patternProperties multipleOf default contentEncoding contentMediaType not $ref'.split(
    ' ',
  ),
);
const MAPS = new Set(['properties', 'patternProperties']);
const LISTS = new Set(['anyOf', 'oneOf', 'allOf']);
const METHODS = new Set(['get', 'put', 'post', 'delete', 'head', 'patch', 'options', 'trace']);

/** A sentence for each fault; empty where there is none. */
export function faultsOfDocument(document: OpenApiDocument): string[] {
  const faults: string[] = [];
  if (document.openapi !== '3.1.0') faults.push(`openapi is ${document.openapi}`);
  const schemas: [string, unknown][] = Object.entries(document.components.schemas).map(([name, schema]) => [`components ${name}`, schema]);
  for (const [path, methods] of Object.entries(document.paths)) {
    if (!path.startsWith('/') || path.includes(':')) faults.push(`the path ${path} is not in the form of OpenAPI`);
    for (const [method, operation] of Object.entries(methods)) {
      const at = `${method} ${path}`;
      if (!METHODS.has(method)) faults.push(`${at} is no method`);
      faults.push(...parameterFaults(at, path, operation), ...responseFaults(at, operation));
      schemas.push(...schemasOf(operation).map((schema): [string, unknown] => [at, schema]));
    }
  }
  for (const [at, schema] of schemas) faults.push(...schemaFaults(at, schema, document));
  return faults;
}

function parameterFaults(at: string, path: string, { parameters = [] }: Operation): string[] {
  const faults: string[] = [];
  for (const [, name] of path.matchAll(/\{([^}]+)\}/g)) {
    if (!parameters.some((one) => one.name === name && one.in === 'path' && one.required)) faults.push(`${at} does not declare {${name}}`);
  }
  const names = parameters.map((one) => `${one.in} ${one.name}`);
  if (new Set(names).size !== names.length) faults.push(`${at} declares a parameter twice`);
  if (parameters.some((one) => !one.schema)) faults.push(`${at} has a parameter without a schema`);
  return faults;
}

function responseFaults(at: string, { responses }: Operation): string[] {
  const faults: string[] = [];
  if (!Object.keys(responses).some((status) => status.startsWith('2'))) faults.push(`${at} documents no success`);
  for (const [status, { description, content }] of Object.entries(responses)) {
    if (!/^[1-5]\d\d$/.test(status)) faults.push(`${at} answers ${status}`);
    if (!description || description === 'Default Response') faults.push(`${at} does not describe its ${status}`);
    if (content?.['application/problem+json'] === undefined) continue;
    for (const [, code] of description.matchAll(/`([a-z_]+)`/g)) {
      if (CODES[code as keyof typeof CODES]?.status !== Number(status)) faults.push(`${at} says that ${code} is a ${status}`);
    }
  }
  return faults;
}

function schemasOf(operation: Operation): unknown[] {
  const contents = [operation.requestBody?.content, ...Object.values(operation.responses).map(({ content }) => content)];
  const bodies = contents.flatMap((content) => Object.values(content ?? {}));
  return [...bodies, ...(operation.parameters ?? [])].map(({ schema }) => schema);
}

function schemaFaults(at: string, schema: unknown, document: OpenApiDocument): string[] {
  const faults = unknownKeywords(schema).map((keyword) => `${at} has the schema keyword ${keyword}`);
  const { $ref: reference } = schema as { $ref?: string };
  if (reference !== undefined) {
    const name = /^#\/components\/schemas\/(\w+)$/.exec(reference)?.[1];
    if (name === undefined || !(name in document.components.schemas)) faults.push(`${at} refers to ${reference}, which is not there`);
    return faults;
  }
  try {
    Compile(schema as object);
  } catch (error) {
    faults.push(`${at} has a schema that does not compile: ${String(error)}`);
  }
  return faults;
}

function unknownKeywords(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return typeof schema === 'boolean' ? [] : [`(${String(schema)})`];
  return Object.entries(schema).flatMap(([name, value]) => {
    if (!KEYWORDS.has(name)) return [name];
    if (MAPS.has(name)) return Object.values(value as object).flatMap(unknownKeywords);
    if (LISTS.has(name)) return (value as unknown[]).flatMap(unknownKeywords);
    return name === 'items' || name === 'additionalProperties' ? unknownKeywords(value) : [];
  });
}
