/** `/openapi.json` held against real answers: every operation is called, and what it answers is what the document says. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Compile } from 'typebox/schema';
import { type Call, call, type Reply, send, sendBatch } from '../support/http.ts';
import type { OpenApiDocument, Operation } from '../support/openapi-document.ts';
import { waitComplete } from '../support/oracle.ts';
import { importDocument, importWorld, makeWorld, play, type World } from '../support/registry.ts';
import { makeDataDir, removeDataDir, Service } from '../support/service.ts';
import { makeKey, tamper } from '../support/signing.ts';

/** The operation as the document names it, the address that is called, and the status that must be answered. */
type Case = readonly [operation: string, address: string, status: number, call?: Call];

const HOUR_MS = 3_600_000;
const dataDir = makeDataDir();
let world: World;
let service: Service;
let document: OpenApiDocument;
const called = new Set<string>();

beforeAll(async () => {
  world = makeWorld(2);
  service = await Service.start({ dataDir });
  await importWorld(service, world);
  document = (await call(service, '/openapi.json')).json as OpenApiDocument;
  const good = play(world, {}, { location: world.stores[0].location });
  expect((await send(service, good.body)).status).toBe(202);
  await send(service, play(world, { endedAt: Date.now() - 30 * HOUR_MS }).body);
  await send(service, '{"log_id":7}');
  await waitComplete(service);
  goodId = good.logId;
});

let goodId = '';

afterAll(async () => {
  await service.kill();
  removeDataDir(dataDir);
});

function operationOf(name: string): Operation {
  const [method = '', path = ''] = name.split(' ');
  const operation = document.paths[path]?.[method.toLowerCase()];
  if (!operation) throw new Error(`the document has no ${name}`);
  return operation;
}

/** A sentence for each way in which the answer is not what the document says. */
function faultsOf(name: string, { status, type, json, text }: Reply): string[] {
  const response = operationOf(name).responses[String(status)];
  if (!response) return [`${name} answered ${status}, which is not documented`];
  if (!response.content) return text === '' ? [] : [`${name} answered ${status} with a body`];
  const content = response.content[type];
  if (!content) return [`${name} answered ${status} as ${type}, documented are ${Object.keys(response.content).join(', ')}`];
  const schema = resolved(content.schema) as object;
  const value: unknown = json ?? text;
  const [fits, errors] = Compile(schema).Errors(value);
  return [
    ...(fits ? [] : errors.map(({ instancePath, message }) => `${name} ${status}: ${instancePath} ${message}`)),
    ...undocumented(name, schema, value),
  ];
}

function resolved(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map(resolved);
  const reference = (schema as { $ref?: string }).$ref;
  if (reference !== undefined) return resolved(document.components.schemas[reference.split('/').at(-1) ?? '']);
  return Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, resolved(value)]));
}

/** Members of an answer that its schema does not know; a client could not rely on them. */
function undocumented(at: string, schema: unknown, value: unknown): string[] {
  const { properties, items, anyOf, additionalProperties } = schema as {
    properties?: Record<string, unknown>;
    items?: unknown;
    anyOf?: unknown[];
    additionalProperties?: boolean;
  };
  if (typeof value !== 'object' || value === null) return [];
  if (anyOf) {
    const fitting = anyOf.find((one) => Compile(one as object).Check(value));
    return fitting === undefined ? [] : undocumented(at, fitting, value);
  }
  if (Array.isArray(value)) return items === undefined ? [] : value.flatMap((item) => undocumented(`${at}/…`, items, item));
  if (!properties || additionalProperties === true || Object.keys(properties).length === 0) return [];
  return Object.entries(value).flatMap(([name, member]) => {
    const known = properties[name];
    return known === undefined ? [`${at}/${name} is not documented`] : undocumented(`${at}/${name}`, known, member);
  });
}

const storeBody = { name: 'Store', supplier_id: randomUUID(), location: { lat: 1, lng: 2 }, region: 'South', time_zone: 'UTC' };
const [storeId, deviceId, campaignId, contentId, unknown] = Array.from({ length: 5 }, () => randomUUID()) as [
  string,
  string,
  string,
  string,
  string,
];
const PUT = { method: 'PUT' };
const DELETE = { method: 'DELETE' };

/** In this order: what is put is read, listed, and retired at the end. */
function cases(): Case[] {
  const key = makeKey('spare');
  const keyBody = { key_id: key.keyId, algorithm: key.algorithm, public_key: key.publicKey, valid_from: '2026-01-01T00:00:00Z' };
  const [suffix, listing] = ['/api/v1', 'limit=1'];
  return [
    ['GET /health/live', '/health/live', 200],
    ['GET /health/ready', '/health/ready', 200],
    ['GET /metrics', '/metrics', 200],
    ['GET /openapi.json', '/openapi.json', 200],
    ['PUT /api/v1/stores/{store_id}', `${suffix}/stores/${storeId}`, 201, { ...PUT, body: storeBody }],
    ['PUT /api/v1/stores/{store_id}', `${suffix}/stores/${storeId}`, 200, { ...PUT, body: storeBody }],
    ['PUT /api/v1/stores/{store_id}', `${suffix}/stores/${storeId}`, 400, { ...PUT, body: {} }],
    ['PUT /api/v1/stores/{store_id}', `${suffix}/stores/${storeId}`, 401, { ...PUT, body: {}, token: null }],
    ['PUT /api/v1/stores/{store_id}', `${suffix}/stores/${storeId}`, 415, { ...PUT, body: 'x', headers: { 'content-type': 'text/plain' } }],
    ['GET /api/v1/stores/{store_id}', `${suffix}/stores/${storeId}`, 200],
    ['GET /api/v1/stores/{store_id}', `${suffix}/stores/${unknown}`, 404],
    ['GET /api/v1/stores', `${suffix}/stores?${listing}`, 200],
    ['GET /api/v1/stores', `${suffix}/stores?limit=0`, 400],
    ['PUT /api/v1/devices/{device_id}', `${suffix}/devices/${deviceId}`, 201, { ...PUT, body: { store_id: storeId } }],
    ['PUT /api/v1/devices/{device_id}', `${suffix}/devices/${deviceId}`, 200, { ...PUT, body: { store_id: storeId, active: false } }],
    ['PUT /api/v1/devices/{device_id}', `${suffix}/devices/${deviceId}`, 422, { ...PUT, body: { store_id: unknown } }],
    ['POST /api/v1/devices/{device_id}/keys', `${suffix}/devices/${deviceId}/keys`, 201, { body: keyBody }],
    ['POST /api/v1/devices/{device_id}/keys', `${suffix}/devices/${deviceId}/keys`, 200, { body: keyBody }],
    ['POST /api/v1/devices/{device_id}/keys', `${suffix}/devices/${deviceId}/keys`, 409, { body: { ...keyBody, algorithm: 'PS256' } }],
    ['POST /api/v1/devices/{device_id}/keys', `${suffix}/devices/${unknown}/keys`, 404, { body: keyBody }],
    [
      'POST /api/v1/devices/{device_id}/keys/{key_id}/revoke',
      `${suffix}/devices/${deviceId}/keys/spare/revoke`,
      200,
      { body: { compromised: true } },
    ],
    ['POST /api/v1/devices/{device_id}/keys/{key_id}/revoke', `${suffix}/devices/${deviceId}/keys/none/revoke`, 404, { body: {} }],
    ['GET /api/v1/devices/{device_id}', `${suffix}/devices/${deviceId}`, 200],
    ['GET /api/v1/devices', `${suffix}/devices?${listing}`, 200],
    ['PUT /api/v1/campaigns/{campaign_id}', `${suffix}/campaigns/${campaignId}`, 201, { ...PUT, body: { advertiser_id: unknown } }],
    ['GET /api/v1/campaigns/{campaign_id}', `${suffix}/campaigns/${campaignId}`, 200],
    ['GET /api/v1/campaigns', `${suffix}/campaigns?${listing}`, 200],
    ['PUT /api/v1/contents/{content_id}', `${suffix}/contents/${contentId}`, 201, { ...PUT, body: { duration: 1.5, name: 'x' } }],
    ['GET /api/v1/contents/{content_id}', `${suffix}/contents/${contentId}`, 200],
    ['GET /api/v1/contents', `${suffix}/contents?${listing}`, 200],
    ['POST /api/v1/registry/import', `${suffix}/registry/import`, 200, { body: importDocument(world) }],
    [
      'POST /api/v1/registry/import',
      `${suffix}/registry/import`,
      400,
      { body: '{"type":"planet"}', headers: { 'content-type': 'application/x-ndjson' } },
    ],
    ['GET /api/v1/playback-logs/{log_id}', `${suffix}/playback-logs/${goodId}`, 200],
    ['GET /api/v1/playback-logs/{log_id}', `${suffix}/playback-logs/${unknown}`, 404],
    ['GET /api/v1/playback-logs', `${suffix}/playback-logs?limit=10`, 200],
    ['GET /api/v1/playback-logs', `${suffix}/playback-logs?colour=red`, 400],
    ['GET /api/v1/playback-logs', `${suffix}/playback-logs`, 401, { token: 'x'.repeat(40) }],
    ['GET /api/v1/feed', `${suffix}/feed`, 200],
    ['GET /api/v1/feed', `${suffix}/feed?after=x`, 400],
    ['GET /api/v1/quarantine', `${suffix}/quarantine`, 200],
    ['GET /api/v1/reports/plays', `${suffix}/reports/plays?by=campaign_id,day,region,hour,status`, 200],
    ['GET /api/v1/reports/plays', `${suffix}/reports/plays?by=day&from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z`, 200],
    ['GET /api/v1/reports/plays', `${suffix}/reports/plays?by=day&format=csv`, 200],
    ['GET /api/v1/reports/plays', `${suffix}/reports/plays?by=x`, 400],
    ['GET /api/v1/audit/rows', `${suffix}/audit/rows`, 200],
    ['GET /api/v1/audit/rows', `${suffix}/audit/rows?from=0`, 200],
    ['GET /api/v1/audit/rows', `${suffix}/audit/rows?log_id=${goodId}`, 200],
    ['GET /api/v1/audit/rows', `${suffix}/audit/rows?from=x`, 400],
    ['GET /api/v1/quarantine/groups', `${suffix}/quarantine/groups`, 200],
    ['GET /api/v1/session', `${suffix}/session`, 200],
    ['GET /api/v1/status', `${suffix}/status`, 200],
    ['GET /api/v1/status', `${suffix}/status?since=x`, 400],
    ['GET /api/v1/search', `${suffix}/search?kind=store&q=store`, 200],
    ['GET /api/v1/search', `${suffix}/search?kind=device`, 200],
    ['GET /api/v1/names', `${suffix}/names?kind=store`, 200],
    ['GET /api/v1/device-activity', `${suffix}/device-activity`, 200],
    ['POST /api/v1/registry/import/preview', `${suffix}/registry/import/preview`, 200, { body: importDocument(world) }],
    ['DELETE /api/v1/contents/{content_id}', `${suffix}/contents/${contentId}`, 204, DELETE],
    ['DELETE /api/v1/campaigns/{campaign_id}', `${suffix}/campaigns/${campaignId}`, 204, DELETE],
    ['DELETE /api/v1/devices/{device_id}', `${suffix}/devices/${deviceId}`, 204, DELETE],
    ['DELETE /api/v1/stores/{store_id}', `${suffix}/stores/${storeId}`, 204, DELETE],
    ['DELETE /api/v1/stores/{store_id}', `${suffix}/stores/${unknown}`, 404, DELETE],
    ['PUT /api/v1/stores/{store_id}', `${suffix}/stores/${storeId}`, 409, { ...PUT, body: storeBody }],
  ];
}

async function check(name: string, answer: Reply, status: number): Promise<void> {
  expect([name, answer.status]).toEqual([name, status]);
  expect(faultsOf(name, answer)).toEqual([]);
  if (status < 300) called.add(name);
}

test('what is read and administered answers as documented', async () => {
  for (const [name, address, status, options] of cases()) await check(name, await call(service, address, options), status);
});

describe('logs', () => {
  const SINGLE = 'POST /api/v1/playback-logs';
  const BATCH = 'POST /api/v1/playback-logs/batch';

  test('one at a time', async () => {
    const { body } = play(world);
    await check(SINGLE, await send(service, body), 202);
    await check(SINGLE, await send(service, body), 200);
    await check(SINGLE, await send(service, '{'), 400);
    await check(SINGLE, await send(service, '{"log_id":7}'), 400);
    await check(SINGLE, await send(service, tamper(play(world), { duration_actual: 1 }).body), 401);
    await check(SINGLE, await send(service, play(world, {}, { log_id: (JSON.parse(body) as { log_id: string }).log_id }).body), 409);
    await check(SINGLE, await send(service, 'x'.repeat(20_000)), 413);
    await check(SINGLE, await send(service, body, { 'content-type': 'text/plain' }), 415);
    await check(SINGLE, await send(service, play(world, { endedAt: 0 }).body), 422);
    await check(SINGLE, await send(service, body, { 'device-time': '2020-01-01T00:00:00Z' }), 422);
  });

  test('in batches', async () => {
    const [one, two] = [play(world), play(world)];
    await check(BATCH, await sendBatch(service, `[${one.body}]`), 202);
    await check(BATCH, await sendBatch(service, `[${one.body},7,{},${two.body},${tamper(play(world), { duration_actual: 1 }).body}]`), 207);
    await check(BATCH, await sendBatch(service, '[]'), 400);
    await check(BATCH, await sendBatch(service, JSON.stringify(Array.from({ length: 101 }, () => 1))), 413);
    await check(BATCH, await sendBatch(service, '[{}]', { 'content-encoding': 'gzip' }), 415);
    await check(BATCH, await sendBatch(service, `{"sent_at":"2020-01-01T00:00:00Z","logs":[${one.body}]}`), 422);
  });
});

test('feed records have one shape, and it is the one of the contract', async () => {
  const lines = (await call(service, '/api/v1/feed')).text.trimEnd().split('\n');
  const shapes = new Set(
    lines.map((line) =>
      Object.keys(JSON.parse(line) as object)
        .sort()
        .join(' '),
    ),
  );
  expect([...shapes]).toEqual([
    'advertiser_id billable campaign_id clock_checked completion content_hash content_id content_known device_id distance_m duration_actual ' +
      'duration_expected ended_at key_id location log_id position received_at region reported_status rule_version screenshot_hash signature ' +
      'started_at status store_id supplier_id',
  ]);
});

test('every operation of the document was called with success', () => {
  const all = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(all.filter((name) => !called.has(name))).toEqual([]);
});

test('/docs answers', async () => {
  const answer = await call(service, '/docs', { token: null });
  expect([answer.status, answer.type]).toEqual([200, 'text/html']);
});
