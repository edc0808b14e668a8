/** Reading over real HTTP: evidence, list, feed, quarantine and reports, and who sees what of them. */
import { createHash, createPublicKey, randomUUID, verify } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, send, sendBatch } from '../support/http.ts';
import { multisetDifferences, readAnalytics, readFeed, readPages, waitComplete } from '../support/oracle.ts';
import { importWorld, makeWorld, play, type World } from '../support/registry.ts';
import { makeDataDir, removeDataDir, Service } from '../support/service.ts';
import { canonicalBytes, type SignedLog } from '../support/signing.ts';

let world: World;
let service: Service;
/** Six good logs: the screen decides the supplier (0, 1), the campaign the advertiser (0, 1). */
let plays: { readonly log: SignedLog; readonly store: 0 | 1; readonly campaign: 0 | 1 }[];
const tokens = { operator: '', supplier: '', otherSupplier: '', advertiser: '', stranger: '' };
const dataDir = makeDataDir();

beforeAll(async () => {
  world = makeWorld(2);
  service = await Service.start({ dataDir });
  await importWorld(service, world);
  await makeTokens();
  plays = ([0, 0, 0, 1, 1, 1] as const).map((store, i) => {
    const campaign = (i % 2) as 0 | 1;
    const endedAt = Date.now() - 60_000 * (i + 1);
    return { log: play(world, { device: store, campaign, endedAt }, { location: world.stores[store].location }), store, campaign };
  });
  expect((await sendBatch(service, `[${plays.map(({ log }) => log.body).join(',')}]`)).status).toBe(202);
  // One refusal of each store and campaign, for quarantine.
  for (const device of [0, 1])
    await send(service, play(world, { device, campaign: device as 0 | 1, endedAt: Date.now() - 90_000_000 }).body);
  await waitComplete(service);
});

afterAll(async () => {
  await service.kill();
  removeDataDir(dataDir);
});

function create(...args: readonly string[]): Promise<string> {
  return service.command('token', 'create', '--role', ...args);
}

async function makeTokens(): Promise<void> {
  const [{ supplierId }, { supplierId: otherSupplierId }] = world.stores;
  [tokens.operator, tokens.supplier, tokens.otherSupplier, tokens.advertiser, tokens.stranger] = await Promise.all([
    create('operator'),
    create('supplier', '--supplier', supplierId),
    create('supplier', '--supplier', otherSupplierId),
    create('advertiser', '--advertiser', world.campaigns[0].advertiserId),
    create('advertiser', '--advertiser', randomUUID()),
  ]);
}

function idsOf(wanted: (made: (typeof plays)[number]) => boolean): string[] {
  return plays
    .filter(wanted)
    .map(({ log }) => log.logId)
    .sort();
}

describe('evidence', () => {
  test('is enough to verify the play again, with node:crypto alone', async () => {
    const { log } = plays[0] as (typeof plays)[number];
    const { status, json } = await call(service, `/api/v1/playback-logs/${log.logId.toUpperCase()}`);
    expect(status).toBe(200);
    const canonical = Buffer.from(json.canonical, 'base64');
    const { signature, ...fields } = JSON.parse(log.body) as Record<string, unknown>;
    expect(canonical).toEqual(canonicalBytes(fields));
    expect(json.log).toEqual({ ...fields, signature });
    expect(json.content_hash).toBe(createHash('sha256').update(canonical).digest('hex'));
    expect(json.content_hash).toBe(log.hash);
    expect(verify('sha256', canonical, createPublicKey(json.key.public_key), Buffer.from(json.signature, 'base64'))).toBe(true);
    expect(json.key).toMatchObject({ key_id: 'k1', algorithm: 'RS256', valid_from: null, valid_until: null });
    expect(json.verdict).toMatchObject({
      outcome: 'accepted',
      status: 'COMPLETED',
      reported_status: 'COMPLETED',
      billable: true,
      completion: 1,
      distance_m: 0,
      rule_version: 1,
    });
    expect(json.enrichment).toMatchObject({
      store_id: world.stores[0].storeId,
      store_location: world.stores[0].location,
      supplier_id: world.stores[0].supplierId,
      advertiser_id: world.campaigns[0].advertiserId,
    });
    expect(json.positions).toEqual({ journal: expect.stringMatching(/^[0-9a-f-]{36}\/0\/\d+$/), feed: expect.stringMatching(/^\d+$/) });
  });

  test('of what is not here: 404; of what is no id: 400', async () => {
    expect((await call(service, `/api/v1/playback-logs/${randomUUID()}`)).json).toMatchObject({
      status: 404,
      code: 'not_found',
      retryable: false,
    });
    expect((await call(service, '/api/v1/playback-logs/7')).json).toMatchObject({ status: 400, code: 'invalid_parameter' });
  });

  test('of an acknowledged log that is not settled yet: 404 not_settled, soon after 200', async () => {
    const { body, logId } = play(world);
    await send(service, body);
    const seen = new Set<string>();
    let answer = await call(service, `/api/v1/playback-logs/${logId}`);
    while (answer.status === 404) {
      seen.add(`${answer.json.code} ${answer.json.retryable}`);
      answer = await call(service, `/api/v1/playback-logs/${logId}`);
    }
    expect(answer.status).toBe(200);
    expect([...seen].filter((what) => what !== 'not_settled true')).toEqual([]);
    plays.push({ log: { body, logId, hash: '', provable: true }, store: 0, campaign: 0 });
    await waitComplete(service);
  });
});

describe('a token sees its own plays only', () => {
  test('evidence of another is 404, not 403', async () => {
    const [mine, other] = [plays[0], plays[3]] as [(typeof plays)[number], (typeof plays)[number]];
    for (const [token, log, status] of [
      [tokens.supplier, mine, 200],
      [tokens.supplier, other, 404],
      [tokens.otherSupplier, mine, 404],
      [tokens.advertiser, mine, 200],
      [tokens.advertiser, other, 404],
      [tokens.stranger, mine, 404],
      [tokens.operator, other, 200],
    ] as const) {
      const answer = await call(service, `/api/v1/playback-logs/${log.log.logId}`, { token });
      expect(answer.status).toBe(status);
      if (status === 404) expect(answer.json.code).toBe('not_found');
    }
  });

  test('in list, feed, quarantine and report', async () => {
    for (const [token, ids, refused] of [
      [tokens.operator, idsOf(() => true), 2],
      [tokens.supplier, idsOf(({ store }) => store === 0), 1],
      [tokens.otherSupplier, idsOf(({ store }) => store === 1), 1],
      [tokens.advertiser, idsOf(({ campaign }) => campaign === 0), 1],
      [tokens.stranger, [], 0],
    ] as const) {
      const listed = await readPages(service, '/api/v1/playback-logs', token);
      expect(listed.map((item) => String(item['log_id'])).sort()).toEqual(ids);
      const feed = (await call(service, '/api/v1/feed', { token })).text.split('\n').filter((line) => line !== '');
      expect(feed.map((line) => (JSON.parse(line) as { log_id: string }).log_id).sort()).toEqual(ids);
      expect(await readPages(service, '/api/v1/quarantine', token)).toHaveLength(refused);
      const report = await call(service, '/api/v1/reports/plays', { token });
      expect(report.json.rows[0]?.plays ?? 0).toBe(ids.length);
    }
  });

  test('also where it asks for those of another', async () => {
    const query = `supplier_id=${world.stores[1].supplierId}`;
    expect((await call(service, `/api/v1/playback-logs?${query}`, { token: tokens.supplier })).json.items).toEqual([]);
    const report = await call(service, `/api/v1/reports/plays?by=supplier_id&${query}`, { token: tokens.supplier });
    expect(report.json.rows).toEqual([]);
    expect(report.json.reason).toMatch(/\.$/);
  });

  test('roles: reading is not changing, and no token is 401', async () => {
    const store = `/api/v1/stores/${world.stores[0].storeId}`;
    expect((await call(service, store, { token: tokens.operator })).status).toBe(200);
    expect((await call(service, store, { token: tokens.operator, method: 'DELETE' })).json).toMatchObject({
      status: 403,
      code: 'forbidden',
    });
    expect((await call(service, store, { token: tokens.supplier })).json).toMatchObject({ status: 403, code: 'forbidden' });
    for (const token of [null, 'x'.repeat(40), 'short']) {
      const answer = await call(service, '/api/v1/playback-logs', { token });
      expect([answer.status, answer.json.code]).toEqual([401, 'unauthorized']);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    }
  });
});

describe('the list', () => {
  test('is newest first, pages without gap or repeat, and filters', async () => {
    const paged: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await call(service, `/api/v1/playback-logs?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`);
      paged.push(...page.json.items.map((item: { log_id: string }) => item.log_id));
      cursor = page.json.next_cursor as string | null;
    } while (cursor !== null);
    expect(paged).toHaveLength(plays.length);
    expect(paged.toSorted()).toEqual(idsOf(() => true));
    const ended = (await readPages(service, '/api/v1/playback-logs')).map((item) => String(item['ended_at']));
    expect(ended).toEqual(ended.toSorted().toReversed());

    const count = async (query: string): Promise<number> => (await readPages(service, `/api/v1/playback-logs?${query}`)).length;
    expect(await count(`device_id=${world.devices[1]?.deviceId.toUpperCase()}`)).toBe(3);
    expect(await count(`store_id=${world.stores[0].storeId}&store_id=${world.stores[1].storeId}`)).toBe(plays.length);
    expect(await count(`campaign_id=${world.campaigns[1].campaignId}&status=COMPLETED`)).toBe(3);
    expect(await count('status=ERROR')).toBe(0);
    const { ended_at: edge } = JSON.parse((plays[1] as (typeof plays)[number]).log.body) as { ended_at: string };
    expect(await count(`from=${edge}`)).toBe(plays.length - 4);
    expect(await count(`to=${edge}`)).toBe(4);
  });
});

describe('the feed', () => {
  test('has every field of the record, one line each', async () => {
    const answer = await call(service, '/api/v1/feed?limit=1');
    expect(answer.type).toBe('application/x-ndjson');
    expect(answer.text.endsWith('\n')).toBe(true);
    const record = JSON.parse(answer.text) as Record<string, unknown>;
    const { log } = plays[0] as (typeof plays)[number];
    expect(record).toMatchObject({
      ...(JSON.parse(log.body) as object),
      content_hash: log.hash,
      reported_status: 'COMPLETED',
      billable: true,
      store_id: world.stores[0].storeId,
      supplier_id: world.stores[0].supplierId,
      advertiser_id: world.campaigns[0].advertiserId,
      completion: 1,
      distance_m: 0,
      content_known: true,
      clock_checked: false,
      rule_version: 1,
      key_id: 'k1',
      position: expect.stringMatching(/^\d+$/),
    });
  });

  test('is read on from a position, without gap or repeat', async () => {
    const whole = (await readFeed(service)).copies.map(({ logId }) => logId);
    const read: string[] = [];
    let after = '';
    for (;;) {
      const { text } = await call(service, `/api/v1/feed?limit=2${after}`);
      if (text === '') break;
      for (const line of text.trimEnd().split('\n')) {
        const { log_id: id, position } = JSON.parse(line) as { log_id: string; position: string };
        read.push(id);
        after = `&after=${position}`;
      }
    }
    expect(read).toEqual(whole);
  });

  test('waits for what is new, and answers at once when it comes', async () => {
    const { last } = await readFeed(service);
    expect((await call(service, `/api/v1/feed?after=${last}`)).text).toBe('');
    expect((await call(service, `/api/v1/feed?after=${last}&wait=0.2`)).text).toBe('');
    const waiting = call(service, `/api/v1/feed?after=${last}&wait=30`);
    const { body, logId } = play(world, { device: 1, campaign: 1 });
    await send(service, body);
    expect((await waiting).text).toContain(logId);
    plays.push({ log: { body, logId, hash: '', provable: true }, store: 1, campaign: 1 });
    await waitComplete(service);
  });
});

describe('quarantine', () => {
  test('pages, newest first, and filters by code and screen', async () => {
    for (let i = 0; i < 3; i += 1) await send(service, play(world, {}, { campaign_id: randomUUID() }).body);
    await waitComplete(service);
    const first = await call(service, '/api/v1/quarantine?limit=2');
    expect(first.json.items).toHaveLength(2);
    const second = await call(service, `/api/v1/quarantine?limit=2&cursor=${first.json.next_cursor}`);
    const third = await call(service, `/api/v1/quarantine?limit=2&cursor=${second.json.next_cursor}`);
    expect(third.json.next_cursor).toBeNull();
    const ids = [first, second, third].flatMap(({ json }) =>
      json.items.map((item: { quarantine_id: number }) => item.quarantine_id),
    ) as number[];
    expect(ids).toHaveLength(5);
    expect(ids).toEqual(ids.toSorted((a, b) => b - a));
    expect(first.json.items[0]).toMatchObject({ code: 'unknown_campaign', retryable: true, signature_proven: true, count: 1 });
    expect(await readPages(service, '/api/v1/quarantine?code=too_old')).toHaveLength(2);
    expect(await readPages(service, `/api/v1/quarantine?code=too_old&device_id=${world.devices[1]?.deviceId}`)).toHaveLength(1);
  });
});

describe('parameters that are wrong', () => {
  test.each([
    '/api/v1/playback-logs?colour=red',
    '/api/v1/playback-logs?limit=0',
    '/api/v1/playback-logs?limit=1001',
    '/api/v1/playback-logs?limit=ten',
    '/api/v1/playback-logs?cursor=AAAA',
    '/api/v1/playback-logs?cursor=',
    '/api/v1/playback-logs?status=DONE',
    '/api/v1/playback-logs?device_id=7',
    '/api/v1/playback-logs?from=yesterday',
    '/api/v1/playback-logs?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z',
    '/api/v1/feed?after=-1',
    '/api/v1/feed?after=1e3',
    '/api/v1/feed?wait=31',
    '/api/v1/feed?cursor=1',
    '/api/v1/quarantine?code=unauthorized',
    '/api/v1/quarantine?cursor=cTE%3D%3D',
    '/api/v1/quarantine?cursor=zzzz',
    '/api/v1/reports/plays?by=colour',
    '/api/v1/reports/plays?by=day,day',
    '/api/v1/reports/plays?time_zone=Mars/Base',
    '/api/v1/reports/plays?time_zone=%2B02:00',
    '/api/v1/reports/plays?format=xml',
    '/api/v1/reports/plays?limit=5',
    '/api/v1/stores?cursor=AAAA',
    '/api/v1/stores?x=1',
    '/health/live?x=1',
  ])('%s', async (address) => {
    const answer = await call(service, address);
    expect([answer.status, answer.json?.code, answer.type]).toEqual([400, 'invalid_parameter', 'application/problem+json']);
  });

  test('a cursor that was tampered with, in any place', async () => {
    const { next_cursor: cursor } = (await call(service, '/api/v1/playback-logs?limit=1')).json as { next_cursor: string };
    expect((await call(service, `/api/v1/playback-logs?limit=1&cursor=${cursor}%3D`)).status).toBe(400);
    for (let at = 0; at < cursor.length; at += 7) {
      const other = cursor[at] === 'A' ? 'B' : 'A';
      const answer = await call(service, `/api/v1/playback-logs?limit=1&cursor=${cursor.slice(0, at)}${other}${cursor.slice(at + 1)}`);
      // It names another place in the list, or none; it never fails.
      expect([200, 400]).toContain(answer.status);
    }
  });
});

test('analytics has what the feed has', async () => {
  const feed = (await readFeed(service)).copies;
  expect(multisetDifferences('analytics', await readAnalytics(service), 'feed', feed)).toEqual([]);
  expect(feed).toHaveLength(plays.length);
});
