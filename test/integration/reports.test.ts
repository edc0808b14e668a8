/** Proof-of-play reports over real HTTP: figures, dimensions, CSV, and the time zone of the asker on days of 23 and 25 hours. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, type Reply, sendBatch } from '../support/http.ts';
import { waitComplete } from '../support/oracle.ts';
import { importWorld, makeWorld, play, type World } from '../support/registry.ts';
import { makeDataDir, removeDataDir, Service } from '../support/service.ts';
import type { SignedLog } from '../support/signing.ts';

const HOUR_MS = 3_600_000;
const ZONE = 'Europe/Berlin';
/** The last two changes of Berlin's clocks, whatever today is: one to summer time, one back. */
const CHANGES = lastChanges();

let world: World;
let service: Service;
const dataDir = makeDataDir();

beforeAll(async () => {
  world = makeWorld(2);
  // Plays of the last year are taken, so that both changes can be reported.
  service = await Service.start({ dataDir, env: { PLAYPROOF_MAX_AGE_SECONDS: '31536000' } });
  await importWorld(service, world);
  await waitComplete(service);
});

afterAll(async () => {
  await service.kill();
  removeDataDir(dataDir);
});

function lastChanges(): { readonly spring: number; readonly autumn: number } {
  let at = Temporal.Now.zonedDateTimeISO(ZONE);
  const found = { spring: 0, autumn: 0 };
  while (found.spring === 0 || found.autumn === 0) {
    const change = at.getTimeZoneTransition('previous');
    if (!change) throw new Error(`${ZONE} never changes its clocks`);
    const summer = change.offsetNanoseconds > change.subtract({ hours: 1 }).offsetNanoseconds;
    found[summer ? 'spring' : 'autumn'] = change.epochMilliseconds;
    at = change;
  }
  return found;
}

function report(query: string): Promise<Reply> {
  return call(service, `/api/v1/reports/plays?${query}`);
}

async function taken(logs: readonly SignedLog[]): Promise<void> {
  const answer = await sendBatch(service, `[${logs.map(({ body }) => body).join(',')}]`);
  expect([answer.status, answer.text]).toEqual([202, expect.any(String)]);
  await waitComplete(service);
}

/** One play in the middle of each hour that passes. */
async function playEachHour(start: number, hours: number): Promise<void> {
  await taken(Array.from({ length: hours }, (_, hour) => play(world, { endedAt: start + hour * HOUR_MS + HOUR_MS / 2 })));
}

test('an empty report says why it is empty', async () => {
  const { status, json } = await report('by=day');
  expect([status, json.rows]).toEqual([200, []]);
  expect(json.reason).toMatch(/\.$/);
  expect(Date.parse(json.complete_until)).toBeLessThanOrEqual(Date.now());
});

describe('figures', () => {
  test('are those of what was sent', async () => {
    const endedAt = Date.now() - HOUR_MS;
    await taken([
      play(world, { endedAt }),
      play(world, { endedAt }, { duration_actual: 12.345 }),
      play(world, { endedAt }, { duration_actual: 5 }),
      play(world, { endedAt, device: 1 }, { status: 'SKIPPED', duration_actual: 0 }),
      play(world, { endedAt, device: 1, campaign: 1 }, { status: 'ERROR', duration_actual: 1 }),
    ]);
    const { json } = await report('');
    expect(json.rows).toEqual([
      { plays: 5, billable: 2, completed: 2, partial: 1, skipped: 1, error: 1, billable_seconds: 27.345, devices: 2, stores: 2 },
    ]);
    const by = await report('by=campaign_id,status');
    const [one, two] = world.campaigns.map(({ campaignId }) => campaignId) as [string, string];
    const rows = by.json.rows.map((row: Record<string, unknown>) => [row['campaign_id'], row['status'], row['plays']]) as unknown[][];
    expect(rows).toEqual(
      [
        [one, 'COMPLETED', 2],
        [one, 'PARTIAL', 1],
        [one, 'SKIPPED', 1],
        [two, 'ERROR', 1],
      ].sort(([a, b], [c, d]) => (`${a} ${b}` < `${c} ${d}` ? -1 : 1)),
    );
    expect((await report('by=region')).json.rows.map((row: { region: string }) => row.region)).toEqual(['North', 'South']);
    expect((await report(`status=COMPLETED&status=ERROR`)).json.rows[0].plays).toBe(3);
    expect((await report(`store_id=${world.stores[1].storeId}`)).json.rows[0].plays).toBe(2);
  });

  test('from is inside, to is outside', async () => {
    const [{ ended_at: edge }] = (await call(service, '/api/v1/playback-logs?limit=1')).json.items as [{ ended_at: string }];
    const after = new Date(Date.parse(edge) + 1).toISOString();
    expect((await report(`from=${edge}&to=${after}`)).json.rows[0].plays).toBe(5);
    const { json } = await report(`from=${after}`);
    expect(json.rows[0]?.plays ?? 0).toBe(0);
    expect(json.reason).toMatch(/\.$/);
  });

  test('as CSV are the same, every cell quoted', async () => {
    const csv = await report('by=campaign_id,status&format=csv');
    expect(csv.type).toBe('text/csv');
    const lines = csv.text.trimEnd().split('\r\n');
    expect(lines[0]).toBe(
      '"campaign_id","status","plays","billable","completed","partial","skipped","error","billable_seconds","devices","stores"',
    );
    const { rows } = (await report('by=campaign_id,status')).json as { rows: Record<string, string | number>[] };
    expect(lines.slice(1)).toEqual(
      rows.map((row) =>
        Object.values(row)
          .map((cell) => `"${cell}"`)
          .join(','),
      ),
    );
  });
});

describe('days of Berlin around a change of its clocks', () => {
  test.each([
    ['spring', 23, CHANGES.spring],
    ['autumn', 25, CHANGES.autumn],
  ] as const)('the %s day has %i hours', async (_, hours, change) => {
    const midnight = Temporal.Instant.fromEpochMilliseconds(change).toZonedDateTimeISO(ZONE).startOfDay();
    const [start, date] = [midnight.epochMilliseconds, midnight.toPlainDate().toString()];
    await playEachHour(start, hours);
    const span = `from=${new Date(start).toISOString()}&to=${new Date(start + hours * HOUR_MS).toISOString()}`;
    const days = await report(`by=day&time_zone=${ZONE}&${span}`);
    expect(days.json.rows.map((row: { day: string; plays: number }) => [row.day, row.plays])).toEqual([[date, hours]]);
    const inHours = await report(`by=hour&time_zone=${ZONE}&${span}`);
    const labels = inHours.json.rows.map((row: { hour: string }) => row.hour) as string[];
    expect(new Set(labels).size).toBe(hours);
    expect(inHours.json.rows.every((row: { plays: number }) => row.plays === 1)).toBe(true);
    expect(labels.map((label) => Date.parse(label))).toEqual(Array.from({ length: hours }, (__, hour) => start + hour * HOUR_MS));
    const utc = await report(`by=day&${span}`);
    expect(utc.json.rows).toHaveLength(2);
  });
});
