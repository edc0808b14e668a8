import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Compile } from 'typebox/schema';
import { CODES } from '../../../src/domain/codes.ts';
import { ProblemSchema } from '../../../src/server/schemas.ts';
import { startToyApp, type ToyApp } from './toy-app.ts';

interface Operation {
  parameters?: { name: string; in: string; required?: boolean; schema: object }[];
  requestBody?: { content: Record<string, { schema: object }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
  security?: object[];
  description?: string;
}
interface Document {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { securitySchemes: Record<string, { type: string; scheme: string }> };
}

let toy: ToyApp;
let document: Document;
beforeAll(async () => {
  toy = await startToyApp();
  document = (await (await fetch(`${toy.base}/openapi.json`)).json()) as Document;
});
afterAll(() => toy.app.close());

/** Every keyword that a schema of OpenAPI 3.1 (JSON Schema 2020-12) may have and ours do. */
const KEYWORDS = new Set(
  'type properties required additionalProperties items anyOf enum const description title format pattern minimum maximum minLength maxLength minItems maxItems examples example exclusiveMinimum exclusiveMaximum patternProperties'.split(
    ' ',
  ),
);

function schemasOf(operation: Operation): object[] {
  const bodies = [
    ...Object.values(operation.requestBody?.content ?? {}),
    ...Object.values(operation.responses).flatMap((r) => Object.values(r.content ?? {})),
  ];
  return [...bodies.map((body) => body.schema), ...(operation.parameters ?? []).map((parameter) => parameter.schema)];
}

function unknownKeywords(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([name, value]) => {
    if (!KEYWORDS.has(name)) return [name];
    if (name === 'properties' || name === 'patternProperties') return Object.values(value as object).flatMap(unknownKeywords);
    if (name === 'anyOf') return (value as unknown[]).flatMap(unknownKeywords);
    return name === 'items' || name === 'additionalProperties' ? unknownKeywords(value) : [];
  });
}

const operations = (): [string, string, Operation][] =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): [string, string, Operation] => [path, method, operation]),
  );

test('the document is OpenAPI 3.1 with a bearer scheme', () => {
  expect(document.openapi).toBe('3.1.0');
  expect(document.info).toMatchObject({ title: 'Playproof', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string });
  expect(document.components.securitySchemes['bearer']).toMatchObject({ type: 'http', scheme: 'bearer' });
});

test('it has every route, in the form of OpenAPI, and none of the pages of /docs', () => {
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining([
      '/health/live',
      '/health/ready',
      '/metrics',
      '/openapi.json',
      '/api/v1/things',
      '/api/v1/things/{thing_id}',
      '/raw',
    ]),
  );
  expect(Object.keys(document.paths).filter((path) => path.includes(':') || path.startsWith('/docs'))).toEqual([]);
});

test('every path parameter is declared and required', () => {
  for (const [path, , operation] of operations()) {
    for (const [, name] of path.matchAll(/\{([^}]+)\}/g)) {
      expect(operation.parameters).toContainEqual(expect.objectContaining({ name, in: 'path', required: true }));
    }
  }
});

test('every schema is plain JSON Schema that compiles', () => {
  for (const [, , operation] of operations()) {
    for (const schema of schemasOf(operation)) {
      expect(unknownKeywords(schema)).toEqual([]);
      Compile(schema);
    }
  }
});

test('every response has a description, and every refusal the problem document with its codes', () => {
  for (const [, , operation] of operations()) {
    for (const [status, response] of Object.entries(operation.responses)) {
      expect(response.description).toBeTruthy();
      if (Number(status) < 400 || response.content?.['application/json']) continue;
      expect(Object.keys(response.content ?? {})).toEqual(['application/problem+json']);
      for (const [, code] of response.description.matchAll(/`([a-z_]+)`/g)) {
        expect(CODES[code as keyof typeof CODES].status).toBe(Number(status));
      }
    }
    expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['500', '503']));
  }
});

test('what a route asks of the token is documented', () => {
  const put = document.paths['/api/v1/things/{thing_id}']?.['put'];
  expect(put?.security).toEqual([{ bearer: [] }]);
  expect(Object.keys(put?.responses ?? {})).toEqual(expect.arrayContaining(['200', '400', '401', '403']));
  expect(put?.description).toContain('`admin`');
  expect(document.paths['/health/live']?.['get']?.security).toEqual([]);
});

test('a real refusal fits the documented problem document', async () => {
  const answer = await fetch(`${toy.base}/api/v1/things`);
  expect(Compile(ProblemSchema).Check(await answer.json())).toBe(true);
});

describe('/docs', () => {
  test('loads nothing from elsewhere, and its policy forbids it', async () => {
    const page = await fetch(`${toy.base}/docs`);
    expect(page.status).toBe(200);
    const html = await page.text();
    expect(
      [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link).filter((link) => /^(https?:)?\/\//.test(link ?? '')),
    ).toEqual([]);
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/https?:|\*/);
    for (const [, link] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
      const asset = await fetch(new URL(link ?? '', `${toy.base}/docs/`));
      expect([link, asset.status]).toEqual([link, 200]);
      await asset.arrayBuffer();
    }
  });
});
