/** The threads of accept on real files: who is answered what, and when. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Dispatcher } from '../../src/accept/dispatcher.ts';
import type { WriterNote } from '../../src/accept/writer.ts';
import { loadConfig } from '../../src/config.ts';
import { Counters } from '../../src/counters.ts';
import { formatInstant } from '../../src/domain/timestamp.ts';
import { DATABASE_FILE } from '../../src/journal/sqlite-journal.ts';
import { REGISTRY_FILE } from '../../src/registry/database.ts';
import { SqliteRegistry } from '../../src/registry/sqlite-registry.ts';
import { makeKey, signLog } from '../support/signing.ts';
import { waitUntil } from '../support/wait-until.ts';

const key = makeKey('k1');
const ids = { store: randomUUID(), device: randomUUID(), campaign: randomUUID() };

let directory: string;
let dispatcher: Dispatcher;
let counters: Counters;
let notes: WriterNote[];
let closed: boolean;

beforeEach(async () => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'playproof-dispatcher-'));
  const registry = new SqliteRegistry(path.join(directory, REGISTRY_FILE));
  const location = { lat: 10, lng: 106 };
  await registry.put('store', ids.store, { supplierId: randomUUID(), name: 'A', location, region: null, timeZone: 'UTC' });
  await registry.put('device', ids.device, { storeId: ids.store, active: true, since: null });
  await registry.put('campaign', ids.campaign, { advertiserId: randomUUID(), name: null });
  await registry.addKey(ids.device, { keyId: 'k1', algorithm: 'RS256', publicKey: key.publicKey, validFrom: null, validUntil: null });
  registry.close();
  counters = new Counters();
  notes = [];
  closed = false;
  dispatcher = new Dispatcher(loadConfig({ PLAYPROOF_DATA_DIR: directory }), counters, { onNote: (note) => notes.push(note) });
  await waitUntil(() => notes.some(({ type }) => type === 'ready' || type === 'fatal'));
  expect(notes.map(({ type }) => type)).toEqual(['ready']);
});

afterEach(async () => {
  if (!closed) await dispatcher.close();
  rmSync(directory, { recursive: true });
});

function log(): string {
  const now = Date.now();
  const fields = {
    log_id: randomUUID(),
    device_id: ids.device,
    campaign_id: ids.campaign,
    content_id: randomUUID(),
    started_at: formatInstant(now - 15_000),
    ended_at: formatInstant(now),
    duration_actual: 15,
    duration_expected: 15,
    status: 'COMPLETED',
  };
  return signLog(fields, key).body;
}

async function submit(text: string, batch = false) {
  const bytes = new Uint8Array(Buffer.byteLength(text));
  bytes.set(Buffer.from(text));
  const { status, body } = await dispatcher.submit(bytes, batch, null, Date.now());
  return { status, body: JSON.parse(body.toString('utf8')) as Record<string, unknown> };
}

function idOf(text: string): unknown {
  return (JSON.parse(text) as { log_id: string }).log_id;
}

describe('the dispatcher', () => {
  it('gives every request its own answer, however they are gathered', async () => {
    const texts = Array.from({ length: 150 }, (_, i) => (i % 3 === 2 ? `{"number": ${i}` : log()));
    const batches = Array.from({ length: 10 }, (_, i) => Array.from({ length: i + 1 }, log));
    const [singles, rest] = await Promise.all([
      Promise.all(texts.map((text) => submit(text))),
      Promise.all(batches.map((logs) => submit(`[${logs.join(',')}]`, true))),
    ]);
    for (const [i, { status, body }] of singles.entries()) {
      if (i % 3 === 2) expect([status, body['code']]).toEqual([400, 'malformed']);
      else expect([status, body['outcome'], body['log_id']]).toEqual([202, 'accepted', idOf(texts[i] ?? '')]);
    }
    for (const [i, { status, body }] of rest.entries()) {
      expect([status, body['accepted'], body['rejected']]).toEqual([202, i + 1, 0]);
      expect((body['results'] as { log_id: string }[]).map(({ log_id: logId }) => logId)).toEqual(batches[i]?.map(idOf));
    }
    expect(dispatcher.inFlight).toEqual({ requests: 0, bytes: 0 });
    expect(dispatcher.oldestReceivedAt).toBeNull();
    expect(counters.get('accepted')).toBe(100 + 55);
    await waitUntil(() => counters.get('settled') === 155);
    expect(counters.get('settledPlays')).toBe(155);
  });

  it('I1: answers what is in flight before it closes, takes nothing more, and leaves everything settled', async () => {
    const inFlight = Promise.all(Array.from({ length: 40 }, () => submit(log())));
    const closing = dispatcher.close();
    closed = true;
    expect(() => dispatcher.admit(false)).toThrow(expect.objectContaining({ code: 'unavailable' }) as Error);
    expect((await inFlight).map(({ status }) => status)).toEqual(Array(40).fill(202));
    await closing;
    const db = new DatabaseSync(path.join(directory, DATABASE_FILE), { readOnly: true });
    expect(db.prepare('SELECT count(*) AS n FROM owners').get()).toEqual({ n: 40 });
    expect(db.prepare('SELECT name, seq FROM positions ORDER BY name').all()).toEqual([
      { name: 'end', seq: 40 },
      { name: 'settle', seq: 40 },
    ]);
    db.close();
    expect(notes.filter(({ type }) => type === 'fatal')).toEqual([]);
  });

  it('acknowledges nothing when the journal breaks, says that the service must end, and still closes', async () => {
    expect((await submit(log())).status).toBe(202);
    const db = new DatabaseSync(path.join(directory, DATABASE_FILE), { timeout: 5_000 });
    db.exec('DROP TABLE journal');
    db.close();
    const answers = await Promise.all([submit(log()), submit(`[${log()}]`, true)]);
    expect(answers.map(({ status, body }) => [status, body['code'], body['retryable']])).toEqual([
      [503, 'unavailable', true],
      [503, 'unavailable', true],
    ]);
    expect(notes).toContainEqual({ type: 'fatal', message: expect.stringContaining('nothing more is acknowledged') });
    await dispatcher.close();
    closed = true;
  });

  it('always takes 64 batches and 128 single logs', async () => {
    const many = [...Array.from({ length: 128 }, () => submit(log())), ...Array.from({ length: 64 }, () => submit(`[${log()}]`, true))];
    expect(new Set((await Promise.all(many)).map(({ status }) => status))).toEqual(new Set([202]));
  });
});
