/** What the console asks the service, on the real service: who may ask, and what of it is whose. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, send, sendBatch } from '../support/http.ts';
import { waitComplete } from '../support/oracle.ts';
import { importWorld, makeWorld, play, type World } from '../support/registry.ts';
import { makeDataDir, removeDataDir, Service } from '../support/service.ts';

let world: World;
let service: Service;
const tokens = { operator: '', supplier: '', advertiser: '', stranger: '' };
const dataDir = makeDataDir();

/** Three plays of the first screen for the first campaign, one of the second for the second; each screen has two refusals. */
beforeAll(async () => {
  world = makeWorld(3);
  service = await Service.start({ dataDir });
  await importWorld(service, world);
  const create = (...args: readonly string[]) => service.command('token', 'create', '--role', ...args);
  [tokens.operator, tokens.supplier, tokens.advertiser, tokens.stranger] = await Promise.all([
    create('operator'),
    create('supplier', '--supplier', world.stores[0].supplierId),
    create('advertiser', '--advertiser', world.campaigns[0].advertiserId),
    create('advertiser', '--advertiser', randomUUID()),
  ]);
  const logs = [0, 0, 0, 1].map(
    (device, i) => play(world, { device, campaign: device as 0 | 1, endedAt: Date.now() - 1_000 * (i + 1) }).body,
  );
  const body = `{"sent_at":"${new Date(Date.now() + 90_000).toISOString()}","logs":[${logs.slice(0, 3).join(',')}]}`;
  expect((await sendBatch(service, body)).status).toBe(202);
  expect((await send(service, logs[3] ?? '')).status).toBe(202);
  for (const device of [0, 0, 1, 1]) {
    expect((await send(service, play(world, { device, campaign: device as 0 | 1, endedAt: Date.now() - 90_000_000 }).body)).status).toBe(
      422,
    );
  }
  await waitComplete(service);
});
afterAll(async () => {
  await service.kill();
  removeDataDir(dataDir);
});

const get = async (address: string, token: string) => (await call(service, address, { token })).json;
const idsOf = async (token: string) =>
  (await get('/api/v1/device-activity', token)).items.map((item: { device_id: string }) => item.device_id);
const groupsOf = async (token: string, query = '') => (await get(`/api/v1/quarantine/groups${query}`, token)).groups;
const plays = async (query: string) =>
  (await get(`/api/v1/reports/plays?${query}`, tokens.operator)).rows.map((row: { plays: number }) => row.plays);

describe('who may ask', () => {
  it('anybody who is signed in: who they are; operators: live figures and search; nobody else', async () => {
    for (const [role, token] of Object.entries(tokens)) {
      const session = await get('/api/v1/session', token);
      expect(session.role).toBe(role === 'stranger' ? 'advertiser' : role);
      expect(session.supplier_id).toBe(role === 'supplier' ? world.stores[0].supplierId : null);
      for (const address of ['/api/v1/status', '/api/v1/search?kind=store']) {
        expect([address, role, (await call(service, address, { token })).status]).toEqual([address, role, role === 'operator' ? 200 : 403]);
      }
      const preview = await call(service, '/api/v1/registry/import/preview', { token, body: {} });
      expect(preview.status).toBe(403);
    }
    for (const address of ['session', 'status', 'names?kind=store', 'search?kind=store', 'device-activity', 'quarantine/groups']) {
      expect([address, (await call(service, `/api/v1/${address}`, { token: null })).status]).toEqual([address, 401]);
    }
  });
});

describe('live figures', () => {
  it('count what was accepted, billable and refused, second by second', async () => {
    const { totals, refused, points, checks } = await get('/api/v1/status', tokens.operator);
    expect(totals).toMatchObject({ accepted: 4, billable: 4, duplicates: 0, refused: 4, settled_plays: 4 });
    expect(refused).toEqual([{ code: 'too_old', count: 4, last_minute: expect.any(Number) }]);
    expect(Object.keys(checks)).toEqual(expect.arrayContaining(['journal', 'settle', 'analytics']));
    const { at } = points.at(-1);
    const later = await get(`/api/v1/status?since=${at}`, tokens.operator);
    expect(later.points.every((point: { at: number }) => point.at > at)).toBe(true);
    expect((await call(service, '/api/v1/status?since=yesterday')).status).toBe(400);
  });
});

describe('devices', () => {
  it('are heard, silent or switched off, with what they played and what their clock said', async () => {
    const { items, summary, total } = await get('/api/v1/device-activity', tokens.operator);
    expect([summary, total]).toEqual([{ heard: 2, quiet: 0, silent: 1, inactive: 0 }, 3]);
    const first = items.find((item: { device_id: string }) => item.device_id === world.devices[0]?.deviceId);
    expect(first).toMatchObject({ state: 'heard', plays: 3, billable: 3, store_name: 'Store 1' });
    expect(first.clock_offset_seconds).toBeGreaterThan(60);
    expect(first.clock_offset_seconds).toBeLessThanOrEqual(90);
    const { items: silent } = await get('/api/v1/device-activity?state=silent', tokens.operator);
    expect(silent).toMatchObject([{ device_id: world.devices[2]?.deviceId, last_received_at: null, plays: 0 }]);
  });

  it('are those of the stores of a supplier, and to an advertiser those its plays ran on', async () => {
    const own = world.devices.filter(({ store }) => store === world.stores[0]).map(({ deviceId }) => deviceId);
    expect((await idsOf(tokens.supplier)).sort()).toEqual(own.sort());
    expect(await idsOf(tokens.advertiser)).toEqual([world.devices[0]?.deviceId]);
    expect(await idsOf(tokens.stranger)).toEqual([]);
  });

  it('come page by page', async () => {
    const first = await get('/api/v1/device-activity?limit=2', tokens.operator);
    const second = await get(`/api/v1/device-activity?limit=2&cursor=${first.next_cursor}`, tokens.operator);
    expect([first.items.length, second.items.length, second.next_cursor]).toEqual([2, 1, null]);
    expect((await call(service, '/api/v1/device-activity?cursor=bm8')).status).toBe(400);
  });
});

describe('refusals by reason', () => {
  it('are counted by device, and only those of the asker', async () => {
    const all = await groupsOf(tokens.operator);
    expect(all).toHaveLength(2);
    expect(all[0]).toMatchObject({ code: 'too_old', logs: 2, refusals: 2, retryable: false });
    expect((await groupsOf(tokens.supplier)).map((group: { device_id: string }) => group.device_id)).toEqual([world.devices[0]?.deviceId]);
    expect(await groupsOf(tokens.stranger)).toEqual([]);
    expect(await groupsOf(tokens.operator, `?device_id=${world.devices[1]?.deviceId}`)).toHaveLength(1);
    expect(await groupsOf(tokens.operator, '?code=in_future')).toEqual([]);
  });
});

describe('reports, further', () => {
  it('can be of a content and of a region, and by what the devices claimed', async () => {
    expect(await plays(`content_id=${world.contentId}`)).toEqual([4]);
    expect(await plays(`content_id=${randomUUID()}`)).toEqual([0]);
    expect(await plays('region=South')).toEqual([3]);
    expect(await plays('region=South&region=North')).toEqual([4]);
    expect(await plays('region=')).toEqual([0]);
    expect(await plays('by=reported_status')).toEqual([4]);
  });
});
