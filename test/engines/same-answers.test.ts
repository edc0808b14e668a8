/** The same input on the embedded engines and on the distributed ones: whoever reads cannot tell them apart. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { randomFrom } from '../support/load.ts';
import { call, sendBatch } from '../support/http.ts';
import { readPages, waitComplete as waitEmbedded } from '../support/oracle.ts';
import { importWorld, makeWorld, play, type World } from '../support/registry.ts';
import { makeDataDir, removeDataDir, Service } from '../support/service.ts';
import type { SignedLog } from '../support/signing.ts';
import { Installation } from './support/installation.ts';
import { readTopic, waitComplete } from './support/oracle.ts';

type Fields = Record<string, unknown>;

const HOUR_MS = 3_600_000;
const dataDir = makeDataDir();
let world: World;
let embedded: Service;
let installation: Installation;
let distributed: Service;
let accepted: string[];

beforeAll(async () => {
  world = makeWorld(4);
  [embedded, installation] = await Promise.all([Service.start({ dataDir }), Installation.start()]);
  distributed = await installation.run('one', 'accept,settle,analytics,query');
  const logs = input();
  accepted = [];
  for (const service of [embedded, distributed]) {
    await importWorld(service, world);
    const { status, json } = await sendBatch(service, {
      sent_at: new Date().toISOString(),
      logs: logs.map(({ body }) => JSON.parse(body)),
    });
    expect(status).toBe(207);
    accepted = json.results.filter(({ outcome }: Fields) => outcome === 'accepted').map(({ log_id }: Fields) => log_id);
  }
  const sent = Date.now();
  await Promise.all([waitEmbedded(embedded, sent), waitComplete(distributed, sent)]);
});

afterAll(async () => {
  await embedded?.kill();
  await installation?.dispose();
  removeDataDir(dataDir);
});

/** Plays of every kind, and refusals of some. */
function input(): SignedLog[] {
  const random = randomFrom(7);
  const logs = Array.from({ length: 70 }, (_, i) => {
    const device = world.devices[i % 4] as World['devices'][number];
    const { lat, lng } = device.store.location;
    const changes = [
      {},
      { duration_actual: 9 },
      { status: 'PARTIAL', duration_actual: 7.123 },
      { status: 'SKIPPED', duration_actual: 0, location: null },
      // Refused: a play has a content.
      { content_id: null },
      { status: 'ERROR', duration_actual: 1.001, content_id: '0197a1c0-7b5e-7c3a-9d55-2f6b8a4e1d09' },
      { location: { lat: lat + 0.0123, lng }, screenshot_hash: `sha256:${'ab'.repeat(32)}`, key_id: 'k1' },
    ][i % 7] as Fields;
    return play(world, { device: i % 4, campaign: (i % 2) as 0 | 1, endedAt: Date.now() - Math.floor(random() * 20 * HOUR_MS) }, changes);
  });
  const refused = [
    play(world, { endedAt: Date.now() - 30 * HOUR_MS }),
    play(world, {}, { location: { lat: 0, lng: 0 } }),
    play(world, {}, { campaign_id: '0197a1c0-7b5e-7c3a-9d55-2f6b8a4e1d01' }),
    play(world, {}, { status: 'PLAYED' }),
    play(world, {}, { duration_actual: 80 }),
  ];
  return [...logs, ...refused];
}

/** Without what has to differ: when it was received, and where it stands. */
function comparable(fields: Fields, ...without: readonly string[]): Fields {
  const left = Object.entries(fields).filter(([name]) => !['position', 'positions', 'received_at', ...without].includes(name));
  return Object.fromEntries(left.map(([name, value]) => [name, isFields(value) ? comparable(value) : value]));
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function byLogId(items: readonly Fields[]): Fields[] {
  return [...items].sort((a, b) => String(a['log_id']).localeCompare(String(b['log_id'])));
}

test('feed, report and evidence equal on embedded and distributed, field by field (positions aside): the feed', async () => {
  const { text } = await call(embedded, '/api/v1/feed');
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => comparable(JSON.parse(line) as Fields));
  const records = (await readTopic(installation)).map((record) => comparable({ ...record }));
  expect(lines.length).toBe(accepted.length);
  expect(lines.length).toBeGreaterThan(50);
  expect(byLogId(records)).toEqual(byLogId(lines));
  expect((await call(distributed, '/api/v1/feed')).status).toBe(501);
});

test('feed, report and evidence equal on embedded and distributed, field by field (positions aside): evidence', async () => {
  for (const logId of accepted.slice(0, 30)) {
    const [one, other] = await Promise.all([embedded, distributed].map((service) => call(service, `/api/v1/playback-logs/${logId}`)));
    expect(other?.status).toBe(200);
    expect(comparable(other?.json as Fields)).toEqual(comparable(one?.json as Fields));
  }
});

test.each(['campaign_id,day', 'advertiser_id,supplier_id,region', 'store_id,status', 'device_id,hour', 'content_id'])(
  'feed, report and evidence equal on embedded and distributed, field by field (positions aside): the report by %s',
  async (by) => {
    const address = `/api/v1/reports/plays?by=${by}&time_zone=Asia/Ho_Chi_Minh`;
    const [one, other] = await Promise.all([embedded, distributed].map((service) => call(service, address)));
    expect(one?.json.rows.length).toBeGreaterThan(0);
    expect(other?.json.rows).toEqual(one?.json.rows);
    const [csv, otherCsv] = await Promise.all([embedded, distributed].map((service) => call(service, `${address}&format=csv`)));
    expect(otherCsv?.text).toEqual(csv?.text);
  },
);

test('lists and quarantine are equal too', async () => {
  for (const address of ['/api/v1/playback-logs', '/api/v1/quarantine']) {
    const [one, other] = await Promise.all([embedded, distributed].map((service) => readPages(service, address)));
    expect(one?.length).toBeGreaterThan(3);
    const lists = [one, other].map((items) =>
      byLogId((items ?? []).map((item) => comparable(item, 'first_received_at', 'last_received_at', 'quarantine_id', 'detail'))),
    );
    expect(lists[1]).toEqual(lists[0]);
  }
});
