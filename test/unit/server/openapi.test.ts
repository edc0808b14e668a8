import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Compile } from 'typebox/schema';
import { faultsOfDocument, type OpenApiDocument } from '../../support/openapi-document.ts';
import { ProblemSchema } from '../../../src/server/schemas.ts';
import { startToyApp, type ToyApp } from './toy-app.ts';

let toy: ToyApp;
let document: OpenApiDocument;
beforeAll(async () => {
  toy = await startToyApp();
  document = (await (await fetch(`${toy.base}/openapi.json`)).json()) as OpenApiDocument;
});
afterAll(() => toy.app.close());

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

test('it is a valid document: parameters, schemas, descriptions, codes', () => {
  expect(faultsOfDocument(document)).toEqual([]);
});

test('every route says that it can fail', () => {
  for (const operation of Object.values(document.paths).flatMap((methods) => Object.values(methods))) {
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
