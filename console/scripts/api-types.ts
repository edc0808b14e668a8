/** TypeScript types of our own OpenAPI document, as far as its schemas go: what the console may send and what it is answered. */
import type { OpenApiDocument, Operation } from '../../test/support/openapi-document.ts';

const HEAD = `/** Written by \`npm run types -w console\` from the service's OpenAPI document; a test holds the two together. Do not edit. */
`;

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
}

/** One entry for each call: `'GET /api/v1/…': { path; query; body; answer }`. */
export function typesOf(document: OpenApiDocument): string {
  const calls = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => `  '${method.toUpperCase()} ${path}': ${callOf(operation)};\n`),
  );
  const named = Object.entries(document.components.schemas).map(([name, schema]) => `export type ${name} = ${typeOf(schema)};\n`);
  return `${HEAD}\n${named.sort().join('\n')}\nexport interface Calls {\n${calls.sort().join('')}}\n`;
}

function callOf(operation: Operation): string {
  const parameters = (place: string): string => {
    const list = (operation.parameters ?? []).filter((one) => one.in === place);
    if (list.length === 0) return 'null';
    return `{ ${list.map(({ name, required, schema }) => `${key(name)}${required ? '' : '?'}: ${typeOf(schema)};`).join(' ')} }`;
  };
  const answers = Object.entries(operation.responses)
    .filter(([status]) => status.startsWith('2'))
    .flatMap(([, { content }]) => Object.entries(content ?? {}).filter(([type]) => type === 'application/json'));
  const bodies = Object.entries(operation.requestBody?.content ?? {}).filter(([type]) => type === 'application/json');
  return `{ path: ${parameters('path')}; query: ${parameters('query')}; body: ${union(bodies)}; answer: ${union(answers)} }`;
}

export function typeOf(given: object): string {
  const schema = given as Schema;
  if (schema.$ref !== undefined) return schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1);
  if ('const' in schema) return literal(schema.const);
  if (schema.enum) return schema.enum.map(literal).join(' | ');
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return [...new Set(choices.map(typeOf))].join(' | ');
  if (schema.type === 'array') return `(${typeOf(schema.items ?? {})})[]`;
  if (schema.type === 'object') return objectOf(schema);
  if (schema.type === 'integer' || schema.type === 'number') return 'number';
  if (schema.type === 'string' || schema.type === 'boolean' || schema.type === 'null') return schema.type;
  return 'unknown';
}

function objectOf({ properties = {}, patternProperties, additionalProperties, required = [] }: Schema): string {
  const rest = patternProperties ? Object.values(patternProperties)[0] : additionalProperties;
  const names = Object.keys(properties);
  if (names.length === 0) return `Record<string, ${typeof rest === 'object' ? typeOf(rest) : 'unknown'}>`;
  const members = names.map((name) => `${key(name)}${required.includes(name) ? '' : '?'}: ${typeOf(properties[name] ?? {})};`);
  return `{ ${members.join(' ')} }`;
}

function key(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? name : `'${name}'`;
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value.replaceAll("'", "\\'")}'` : JSON.stringify(value);
}

function union(list: readonly [string, { schema: object }][]): string {
  return list.length === 0 ? 'null' : [...new Set(list.map(([, { schema }]) => typeOf(schema)))].join(' | ');
}
