/** What has to agree between the copies, in a few bytes: worked out of an archived play, of a feed record, and by ClickHouse of a row. */
import { hash } from 'node:crypto';
import type { Play } from '../../domain/play.ts';
import { feedRecord } from '../../feed/feed-record.ts';
import { FINGERPRINT_BYTES, ORIGIN_BYTES } from './entries.ts';

function digest(text: string, bytes: number): Uint8Array {
  return hash('sha256', text, 'buffer').subarray(0, bytes);
}

/** Of a feed record as it was read. A key has a fixed length, so nothing can be moved over to the value. */
export function feedFingerprint(key: string, value: string): Uint8Array {
  return digest(`${key}\n${value}`, FINGERPRINT_BYTES);
}

/** Of the feed record that this play has to have, byte for byte. */
export function feedFingerprintOf(play: Play): Uint8Array {
  return feedFingerprint(play.deviceId, JSON.stringify(feedRecord(play)));
}

/** @param position `<journal_id>/<partition>/<offset>` */
export function originOf(position: string): Uint8Array {
  return digest(position, ORIGIN_BYTES);
}

const IDS = ['log_id', 'device_id', 'campaign_id', 'content_id', 'store_id', 'supplier_id', 'advertiser_id'];
const INSTANTS = ['started_at', 'ended_at', 'received_at'];
const NUMBERS = ['duration_actual_ms', 'duration_expected_ms', 'rule_version'];
const FLAGS = ['billable', 'content_known', 'clock_checked'];

/** All columns of a play as one text; numbers of one form, and the region, which may hold anything, at the end. */
const PARTS = [
  ...IDS.map((name) => `toString(p.${name})`),
  'lower(hex(p.content_hash))',
  ...INSTANTS.map((name) => `toString(toUnixTimestamp64Milli(p.${name}))`),
  ...NUMBERS.map((name) => `toString(p.${name})`),
  'toString(p.status)',
  'toString(p.reported_status)',
  ...FLAGS.map((name) => `toString(toUInt8(p.${name}))`),
  // Kept to 0.1 m; the texts of floating-point numbers differ between programs.
  "if(isNaN(p.distance_m), '-', toString(toInt64(round(p.distance_m * 10))))",
  'p.region',
];

/** ClickHouse's expression for the hex of a row's fingerprint; the table is `p`. */
export const ROW_FINGERPRINT_SQL = `substring(lower(hex(SHA256(concat(${PARTS.join(", ' ', ")})))), 1, ${2 * FINGERPRINT_BYTES})`;

/** Of the row of analytics that this play has to have. */
export function rowFingerprintOf(play: Play): Uint8Array {
  const parts: readonly (string | number)[] = [
    play.logId,
    play.deviceId,
    play.campaignId,
    play.contentId,
    play.storeId,
    play.supplierId,
    play.advertiserId,
    play.contentHash,
    play.startedAt,
    play.endedAt,
    play.receivedAt,
    play.durationActualMs,
    play.durationExpectedMs,
    play.ruleVersion,
    play.status,
    play.reportedStatus,
    Number(play.billable),
    Number(play.contentKnown),
    Number(play.clockChecked),
    play.distanceM === null ? '-' : Math.round(play.distanceM * 10),
    play.region ?? '',
  ];
  return digest(parts.join(' '), FINGERPRINT_BYTES);
}
