/** All that analytics has of a play in a few bytes: worked out of a stored play, and by ClickHouse (or chDB) of a row. */
import { hash } from 'node:crypto';
import type { PlayRow } from '../domain/play-row.ts';

export const FINGERPRINT_BYTES = 16;

export function digest(text: string, bytes: number): Buffer {
  return hash('sha256', text, 'buffer').subarray(0, bytes);
}

type Part = readonly [sql: string, of: (play: PlayRow) => string | number];

/** Each column of a play as text, in SQL (the table is `p`) and here; the region, which may hold anything, at the end. */
const PARTS: readonly Part[] = [
  ['toString(p.log_id)', ({ logId }) => logId],
  ['toString(p.device_id)', ({ deviceId }) => deviceId],
  ['toString(p.campaign_id)', ({ campaignId }) => campaignId],
  ['toString(p.content_id)', ({ contentId }) => contentId],
  ['toString(p.store_id)', ({ storeId }) => storeId],
  ['toString(p.supplier_id)', ({ supplierId }) => supplierId],
  ['toString(p.advertiser_id)', ({ advertiserId }) => advertiserId],
  ['lower(hex(p.content_hash))', ({ contentHash }) => contentHash],
  ['toString(toUnixTimestamp64Milli(p.started_at))', ({ startedAt }) => startedAt],
  ['toString(toUnixTimestamp64Milli(p.ended_at))', ({ endedAt }) => endedAt],
  ['toString(toUnixTimestamp64Milli(p.received_at))', ({ receivedAt }) => receivedAt],
  ['toString(p.duration_actual_ms)', ({ durationActualMs }) => durationActualMs],
  ['toString(p.duration_expected_ms)', ({ durationExpectedMs }) => durationExpectedMs],
  ['toString(p.rule_version)', ({ ruleVersion }) => ruleVersion],
  ['toString(p.status)', ({ status }) => status],
  ['toString(p.reported_status)', ({ reportedStatus }) => reportedStatus],
  ['toString(toUInt8(p.billable))', ({ billable }) => Number(billable)],
  ['toString(toUInt8(p.content_known))', ({ contentKnown }) => Number(contentKnown)],
  ['toString(toUInt8(p.clock_checked))', ({ clockChecked }) => Number(clockChecked)],
  // Kept to 0.1 m; the texts of floating-point numbers differ between programs.
  [
    "if(isNaN(p.distance_m), '-', toString(toInt64(round(p.distance_m * 10))))",
    ({ distanceM }) => (distanceM === null ? '-' : Math.round(distanceM * 10)),
  ],
  ['p.region', ({ region }) => region ?? ''],
];

/** ClickHouse's expression for the fingerprint of a row as lower-case hex; the table is `p`. */
export const ROW_FINGERPRINT_SQL = `substring(lower(hex(SHA256(concat(${PARTS.map(([sql]) => sql).join(", ' ', ")})))), 1, ${2 * FINGERPRINT_BYTES})`;

/** Of the row of analytics that this play has to have. */
export function rowFingerprintOf(play: PlayRow): Buffer {
  return digest(PARTS.map(([, of]) => of(play)).join(' '), FINGERPRINT_BYTES);
}
