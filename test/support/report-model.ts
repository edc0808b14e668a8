/** The proof-of-play report made slowly and obviously, with Intl's time zones instead of our own. */
import { type Play, STATUSES } from '../../src/domain/play.ts';
import type { ReportRow } from '../../src/query/report-row.ts';
import { playOf, uuidOf } from './feed-file.ts';

export const HOUR = 3_600_000;
/** Nights in which clocks change, and ordinary days between. */
const NIGHTS = [Date.UTC(2026, 2, 28, 20), Date.UTC(2026, 9, 24, 20), Date.UTC(2026, 10, 1, 2), Date.UTC(2026, 11, 31, 8)];
export const ZONES = [
  'UTC',
  'Europe/Berlin',
  'Asia/Ho_Chi_Minh',
  'Pacific/Apia',
  'America/St_Johns',
  'Australia/Lord_Howe',
  'Pacific/Kiritimati',
  'America/Vancouver',
  'Asia/Kathmandu',
];

const DAY_FORMATS = new Map(
  ZONES.map((timeZone) => [
    timeZone,
    new Intl.DateTimeFormat('en-CA', {
      timeZone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      hourCycle: 'h23',
      timeZoneName: 'longOffset',
    }),
  ]),
);

/** As Intl says it: its own way to the same labels. */
function local(instant: number, timeZone: string): { day: string; hour: string } {
  const parts = Object.fromEntries((DAY_FORMATS.get(timeZone)?.formatToParts(instant) ?? []).map(({ type, value }) => [type, value]));
  const day = `${parts.year}-${parts.month}-${parts.day}`;
  const offset = (parts.timeZoneName ?? '').replace('GMT', '').replace('+00:00', '') || '.000Z';
  return { day, hour: `${day}T${parts.hour}:00:00${offset}` };
}

export const VALUE: Readonly<Record<string, (play: Play, zone: string) => string | null>> = {
  campaign_id: (play) => play.campaignId,
  advertiser_id: (play) => play.advertiserId,
  supplier_id: (play) => play.supplierId,
  store_id: (play) => play.storeId,
  region: (play) => play.region,
  content_id: (play) => play.contentId,
  device_id: (play) => play.deviceId,
  status: (play) => play.status,
  hour: (play, zone) => local(play.endedAt, zone).hour,
  day: (play, zone) => local(play.endedAt, zone).day,
};

/** Rows of the model, in no particular order. */
export function model(plays: readonly Play[], by: readonly string[], zone: string): ReportRow[] {
  const groups = new Map<string, Play[]>();
  for (const play of plays) {
    const key = JSON.stringify(by.map((name) => VALUE[name]?.(play, zone)));
    groups.set(key, [...(groups.get(key) ?? []), play]);
  }
  return [...groups].map(([key, group]) => ({
    ...Object.fromEntries((JSON.parse(key) as (string | null)[]).map((value, at) => [by[at], value])),
    plays: group.length,
    billable: group.filter((play) => play.billable).length,
    completed: countOf(group, 'COMPLETED'),
    partial: countOf(group, 'PARTIAL'),
    skipped: countOf(group, 'SKIPPED'),
    error: countOf(group, 'ERROR'),
    billable_seconds: group.filter((play) => play.billable).reduce((sum, play) => sum + play.durationActualMs, 0) / 1000,
    devices: new Set(group.map((play) => play.deviceId)).size,
    stores: new Set(group.map((play) => play.storeId)).size,
  }));
}

function countOf(group: readonly Play[], status: string): number {
  return group.filter((play) => play.status === status).length;
}

/** Small and repeatable. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export function makePlays(count: number): Play[] {
  const next = random(20_261_025);
  const pick = (n: number): number => Math.floor(next() * n);
  return Array.from({ length: count }, (_, n) => {
    const device = pick(12);
    const status = STATUSES[pick(4)] ?? 'COMPLETED';
    // Several plays share one instant, so that paging has ties to break.
    const endedAt = (NIGHTS[pick(4)] ?? 0) + Math.floor((next() * 10 * HOUR) / 60_000) * 60_000;
    return playOf(n, {
      endedAt,
      logId: `${pick(2 ** 32)
        .toString(16)
        .padStart(8, '0')}-${pick(2 ** 16)
        .toString(16)
        .padStart(4, '0')}-4000-8000-${n.toString(16).padStart(12, '0')}`,
      deviceId: uuidOf(2, device),
      storeId: uuidOf(5, device % 5),
      supplierId: uuidOf(6, device % 3),
      region: device % 5 === 0 ? null : `=R"${device % 5}`,
      campaignId: uuidOf(3, pick(4)),
      advertiserId: uuidOf(7, pick(4) % 2),
      contentId: uuidOf(4, pick(3)),
      durationActualMs: pick(20_000),
      status,
      reportedStatus: status,
      billable: status === 'COMPLETED',
      distanceM: n % 3 === 0 ? null : n / 10,
    });
  });
}
