/** Reports and the list over HTTP on the real analytics process, held against a slow and obvious model. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { assert, asyncProperty, constantFrom, integer, nat, option, record, shuffledSubarray, subarray, tuple } from 'fast-check';
import type { FastifyInstance } from 'fastify';
import pino from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EmbeddedAnalytics } from '../../src/analytics/embedded/process.ts';
import { type Play, STATUSES } from '../../src/domain/play.ts';
import type { AnalyticsQueries } from '../../src/query/analytics-port.ts';
import { listRoutes } from '../../src/query/list-routes.ts';
import type { Cell, ReportRow } from '../../src/query/report-row.ts';
import { reportRoutes } from '../../src/query/report-routes.ts';
import type { Identity } from '../../src/server/access.ts';
import { buildApp } from '../../src/server/app.ts';
import { FeedFile, uuidOf } from '../support/feed-file.ts';
import { HOUR, makePlays, model, VALUE, ZONES } from '../support/report-model.ts';
import { waitUntil } from '../support/wait-until.ts';

const COMPLETE = Date.UTC(2027, 0, 2);

const sorted = (rows: readonly unknown[]): string[] => rows.map((row) => JSON.stringify(row)).sort();

/** A token has 32 characters at least. */
const TOKEN_PADDING = 'x'.repeat(32);

const TOKENS: Readonly<Record<string, Identity>> = {
  operator: { role: 'operator' },
  supplier: { role: 'supplier', supplierId: uuidOf(6, 1) },
  advertiser: { role: 'advertiser', advertiserId: uuidOf(7, 1) },
  stranger: { role: 'advertiser', advertiserId: uuidOf(7, 77) },
};

describe('reports and lists', () => {
  const plays = makePlays(1_500);
  let dir: string;
  let feed: FeedFile;
  let analytics: EmbeddedAnalytics;
  let app: FastifyInstance;

  beforeAll(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'playproof-reports-'));
    const feedFile = path.join(dir, 'playproof.db');
    feed = new FeedFile(feedFile);
    const directory = path.join(dir, 'analytics');
    analytics = new EmbeddedAnalytics({ directory, feedFile });
    const queries: AnalyticsQueries = { rows: (sql, params) => analytics.rows(sql, params) };
    const deps = { analytics: queries, completeUntil: () => Promise.resolve({ instant: COMPLETE }) };
    app = await buildApp({
      config: { requestTimeoutMs: 30_000, maxInFlightBytes: 160 * 1024 * 1024 },
      logger: pino({ level: 'silent' }),
      authenticate: (token) => TOKENS[token.slice(TOKEN_PADDING.length)] ?? null,
      plugins: [reportRoutes(deps), listRoutes(deps)],
      health: { live: () => ({ status: 'ok', checks: {} }), ready: () => ({ status: 'ok', checks: {} }) } as never,
      metrics: new Registry(),
    });
    await analytics.start();
    const empty = await get('/api/v1/reports/plays?by=day&time_zone=Europe/Berlin');
    expect(empty.json()).toEqual({
      rows: [],
      complete_until: '2027-01-02T00:00:00.000Z',
      reason: 'No play has been loaded yet. Logs received from 2027-01-02T00:00:00.000Z on may not be in yet.',
    });
    const last = feed.add(plays);
    await waitUntil(() => analytics.status().loadedOffset === last);
    // I1: everything below holds while each log lies there several times.
    await analytics.rows('ALTER TABLE playproof.plays MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1', {});
    await analytics.rows('TRUNCATE TABLE playproof.positions', {});
    // A third and a fourth copy: more than the list allows for when it looks for its stretch of time.
    await analytics.rows('INSERT INTO playproof.plays SELECT * FROM playproof.plays', {});
    await analytics.stop(5_000);
    analytics = new EmbeddedAnalytics({ directory, feedFile });
    await analytics.start();
    await waitUntil(() => analytics.status().loadedOffset === last);
    const [copies] = await analytics.rows<{ n: number }>('SELECT count() AS n FROM playproof.plays', {});
    expect(copies?.n).toBe(3 * plays.length);
  });

  afterAll(async () => {
    await app.close();
    await analytics.stop(5_000);
    feed.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const get = (url: string, token = 'operator') => app.inject({ url, headers: { authorization: `Bearer ${TOKEN_PADDING}${token}` } });
  const reason = async (query: string): Promise<string | undefined> => {
    const answer = await get(`/api/v1/reports/plays?${query}`);
    expect(answer.statusCode).toBe(200);
    return answer.json<{ reason?: string }>().reason;
  };
  const report = async (query: string, token = 'operator'): Promise<ReportRow[]> => {
    const answer = await get(`/api/v1/reports/plays?${query}`, token);
    expect(answer.statusCode, answer.body).toBe(200);
    return answer.json<{ rows: ReportRow[] }>().rows;
  };

  test.each(ZONES)('days and hours of %s are those of its clocks, the nights of the change too', async (zone) => {
    for (const by of [['day'], ['hour'], ['day', 'hour', 'status']]) {
      const rows = await report(`by=${by.join(',')}&time_zone=${encodeURIComponent(zone)}`);
      expect(sorted(rows)).toEqual(sorted(model(plays, by, zone)));
    }
  });

  test('the two 02:00 of an autumn night stay two, in their order', async () => {
    const rows = await report('by=hour&time_zone=Europe/Berlin&from=2026-10-24T23:00:00Z&to=2026-10-25T02:00:00Z');
    expect(rows.map((row) => row.hour)).toEqual(['2026-10-25T01:00:00+02:00', '2026-10-25T02:00:00+02:00', '2026-10-25T02:00:00+01:00']);
    expect(rows.map((row) => row.plays).every((n) => Number(n) > 0)).toBe(true);
    const spring = await report('by=hour&time_zone=europe/berlin&from=2026-03-29T00:00:00Z&to=2026-03-29T02:00:00Z');
    expect(spring.map((row) => row.hour)).toEqual(['2026-03-29T01:00:00+01:00', '2026-03-29T03:00:00+02:00']);
  });

  test('any dimensions, span and filters give what the model gives, in sorted order', async () => {
    const names = Object.keys(VALUE);
    const filters = record({
      campaign: subarray([0, 1, 2, 3]),
      device: subarray([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], { maxLength: 3 }),
      status: subarray([...STATUSES], { maxLength: 2 }),
      span: option(tuple(nat(24 * 300), integer({ min: 1, max: 24 * 300 }))),
      by: shuffledSubarray(names, { maxLength: 4 }),
      zone: constantFrom(...ZONES),
    });
    await assert(
      asyncProperty(filters, async ({ campaign, device, status, span, by, zone }) => {
        const query = new URLSearchParams({ time_zone: zone });
        if (by.length > 0) query.set('by', by.join(','));
        for (const n of campaign) query.append('campaign_id', uuidOf(3, n).toUpperCase());
        for (const n of device) query.append('device_id', uuidOf(2, n));
        for (const s of status) query.append('status', s);
        const from = span ? Date.UTC(2026, 2, 28) + span[0] * HOUR : -Infinity;
        const to = span ? from + span[1] * HOUR : Infinity;
        if (span) {
          query.set('from', new Date(from).toISOString());
          query.set('to', new Date(to).toISOString());
        }
        const wanted = plays.filter(
          (play) =>
            (campaign.length === 0 || campaign.some((n) => play.campaignId === uuidOf(3, n))) &&
            (device.length === 0 || device.some((n) => play.deviceId === uuidOf(2, n))) &&
            (status.length === 0 || status.includes(play.status)) &&
            play.endedAt >= from &&
            play.endedAt < to,
        );
        const rows = await report(query.toString());
        if (wanted.length === 0 && by.length === 0) expect(rows[0]?.plays).toBe(0);
        else expect(sorted(rows)).toEqual(sorted(model(wanted, by, zone)));
        const keys = rows.map((row) => by.map((name) => (name === 'hour' ? instantText(row[name]) : String(row[name] ?? ''))));
        expect(keys).toEqual([...keys].sort(compareTuples));
      }),
      { numRuns: 60 },
    );
  });

  test('a supplier and an advertiser see their own plays only, whatever they ask for', async () => {
    const own: Readonly<Record<string, (play: Play) => boolean>> = {
      supplier: (play) => play.supplierId === uuidOf(6, 1),
      advertiser: (play) => play.advertiserId === uuidOf(7, 1),
      stranger: () => false,
    };
    for (const [token, mine] of Object.entries(own)) {
      const visible = plays.filter(mine);
      expect(sorted(await report('by=supplier_id,advertiser_id,day', token))).toEqual(
        sorted(model(visible, ['supplier_id', 'advertiser_id', 'day'], 'UTC')),
      );
      const page = await get('/api/v1/playback-logs?limit=1000', token);
      const ids = page.json<{ items: { log_id: string }[] }>().items.map((item) => item.log_id);
      expect(ids.sort()).toEqual(visible.map((play) => play.logId).sort());
      const other = `supplier_id=${uuidOf(6, 0)}&advertiser_id=${uuidOf(7, 0)}`;
      expect(await report(`by=day&${other}`, token)).toEqual([]);
      expect((await get(`/api/v1/playback-logs?${other}`, token)).json()).toEqual({ items: [], next_cursor: null });
    }
    expect((await get('/api/v1/reports/plays?by=day', 'stranger')).json()).toMatchObject({
      reason: 'No play of yours has been loaded yet. Logs received from 2027-01-02T00:00:00.000Z on may not be in yet.',
    });
    expect((await get('/api/v1/reports/plays', 'nobody')).statusCode).toBe(401);
  });

  test('an empty report says why', async () => {
    expect(await reason('by=day&from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z')).toMatch(
      /^No play ended in this span; those that are loaded ended from 2026-03-28T\S+Z to 2026-12-31T\S+Z\.$/,
    );
    expect(await reason(`by=day&campaign_id=${uuidOf(3, 99)}&to=2026-12-31T00:00:00Z`)).toBe('No play fits the filters.');
    expect(await reason('by=day')).toBeUndefined();
    expect(await report(`campaign_id=${uuidOf(3, 99)}`)).toMatchObject([{ plays: 0, billable_seconds: 0, devices: 0 }]);
  });

  test('CSV: quoted, defused, with its completeness in a header', async () => {
    const answer = await get('/api/v1/reports/plays?by=region&format=csv');
    expect(answer.headers).toMatchObject({
      'complete-until': '2027-01-02T00:00:00.000Z',
      'content-disposition': 'attachment; filename="plays.csv"',
    });
    const lines = answer.body.split('\r\n');
    expect(lines[0]).toBe('"region","plays","billable","completed","partial","skipped","error","billable_seconds","devices","stores"');
    const rows = model(plays, ['region'], 'UTC');
    expect(lines.slice(1, -1).sort()).toEqual(
      rows
        .map((row) => {
          const region = row.region === null ? '' : `'${String(row.region).replaceAll('"', '""')}`;
          return [region, ...Object.values(row).slice(1).map(String)].map((cell) => `"${cell}"`).join(',');
        })
        .sort(),
    );
    expect(lines.at(-1)).toBe('');
  });

  test('the list pages through every play once, newest first, with everything that was decided', async () => {
    for (const [limit, filter, mine] of [
      [7, `device_id=${uuidOf(2, 3)}`, (play: Play) => play.deviceId === uuidOf(2, 3)],
      [400, 'status=ERROR&status=SKIPPED', (play: Play) => play.status === 'ERROR' || play.status === 'SKIPPED'],
    ] as const) {
      const seen: ReportRow[] = [];
      let cursor = '';
      for (let page = 0; page < 1_000; page += 1) {
        const answer = (await get(`/api/v1/playback-logs?limit=${limit}&${filter}${cursor}`)).json<{
          items: ReportRow[];
          next_cursor: string | null;
        }>();
        expect(answer.items.length).toBeLessThanOrEqual(limit);
        seen.push(...answer.items);
        if (answer.next_cursor === null) break;
        expect(answer.items.length).toBe(limit);
        cursor = `&cursor=${answer.next_cursor}`;
      }
      const wanted = plays.filter(mine);
      expect(seen.map((item) => String(item.log_id)).sort()).toEqual(wanted.map((play) => play.logId).sort());
      const times = seen.map((item) => String(item.ended_at));
      expect(times).toEqual([...times].sort().toReversed());
    }
    const play = plays.find((p) => p.distanceM === null && p.region !== null) as Play;
    const answer = (await get(`/api/v1/playback-logs?limit=1000&device_id=${play.deviceId}`)).json<{ items: ReportRow[] }>();
    expect(answer.items.find((item) => item.log_id === play.logId)).toEqual({
      log_id: play.logId,
      device_id: play.deviceId,
      campaign_id: play.campaignId,
      content_id: play.contentId,
      store_id: play.storeId,
      supplier_id: play.supplierId,
      advertiser_id: play.advertiserId,
      region: play.region,
      started_at: new Date(play.startedAt).toISOString(),
      ended_at: new Date(play.endedAt).toISOString(),
      received_at: new Date(play.receivedAt).toISOString(),
      status: play.status,
      reported_status: play.reportedStatus,
      billable: play.billable,
      completion: Math.min(1, play.durationActualMs / 15_000),
      duration_actual: play.durationActualMs / 1000,
      duration_expected: 15,
      distance_m: null,
      content_known: true,
      clock_checked: true,
      content_hash: play.contentHash,
      rule_version: 1,
    });
  });

  test.each([
    '/api/v1/reports/plays?by=nonsense',
    '/api/v1/reports/plays?by=',
    '/api/v1/reports/plays?by=day,day',
    '/api/v1/reports/plays?bye=day',
    '/api/v1/reports/plays?by=day&by=hour',
    '/api/v1/reports/plays?time_zone=Mars/Olympus',
    '/api/v1/reports/plays?time_zone=%2B02:00',
    '/api/v1/reports/plays?format=xml',
    '/api/v1/reports/plays?from=2026-02-30T00:00:00Z',
    '/api/v1/reports/plays?from=2026-02-03T00:00:00+07:00',
    '/api/v1/reports/plays?from=2026-02-03T00:00:00Z&to=2026-02-03T00:00:00Z',
    '/api/v1/reports/plays?campaign_id=1',
    '/api/v1/reports/plays?status=completed',
    '/api/v1/playback-logs?limit=0',
    '/api/v1/playback-logs?limit=1001',
    '/api/v1/playback-logs?cursor=x',
    `/api/v1/playback-logs?cursor=${Buffer.from('[1e300,"a"]').toString('base64url')}`,
    `/api/v1/playback-logs?cursor=${Buffer.from('{"a":1}').toString('base64url')}`,
    '/api/v1/playback-logs?time_zone=UTC',
  ])('%s is an invalid_parameter', async (url) => {
    const answer = await get(url);
    expect(answer.json()).toMatchObject({ status: 400, code: 'invalid_parameter' });
  });
});

function instantText(hour: Cell | undefined): string {
  return new Date(String(hour)).toISOString();
}

function compareTuples(a: readonly string[], b: readonly string[]): number {
  for (const [at, text] of a.entries()) {
    const other = b[at] ?? '';
    if (text !== other) return text < other ? -1 : 1;
  }
  return 0;
}
