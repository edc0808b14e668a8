/**
 * A play as one row of ClickHouse's RowBinary format. The worker that judged a log writes the row once; journal, archive and
 * feed carry it as it is, and loading analytics only puts rows one after another. It is also where the verdict and the
 * enrichment are read from again, so it is written and read here and nowhere else.
 */
import { type Play, STATUSES } from './play.ts';
import { readUuidHalves, writeUuidHalves } from './uuid.ts';

/** Columns in the order of the bytes. `status` numbers are places in STATUSES. */
export const PLAY_ROW_COLUMNS = [
  ['log_id', 'UUID'],
  ['device_id', 'UUID'],
  ['campaign_id', 'UUID'],
  ['content_id', 'UUID'],
  ['store_id', 'UUID'],
  ['supplier_id', 'UUID'],
  ['advertiser_id', 'UUID'],
  ['content_hash', 'FixedString(32)'],
  ['started_at', "DateTime64(3, 'UTC')"],
  ['ended_at', "DateTime64(3, 'UTC')"],
  ['received_at', "DateTime64(3, 'UTC')"],
  /** Metres; NaN where the log has no location. */
  ['distance_m', 'Float64'],
  ['duration_actual_ms', 'UInt32'],
  ['duration_expected_ms', 'UInt32'],
  ['rule_version', 'UInt16'],
  ['status', "Enum8('COMPLETED' = 0, 'PARTIAL' = 1, 'SKIPPED' = 2, 'ERROR' = 3)"],
  ['reported_status', "Enum8('COMPLETED' = 0, 'PARTIAL' = 1, 'SKIPPED' = 2, 'ERROR' = 3)"],
  ['billable', 'Bool'],
  ['content_known', 'Bool'],
  ['clock_checked', 'Bool'],
  /** Empty where the store has none. */
  ['region', 'String'],
] as const;

/** What the row holds of a play. */
export type PlayRow = Omit<Play, 'storeLocation' | 'keyId' | 'keyAlgorithm' | 'keyValidFrom' | 'keyValidUntil' | 'canonical' | 'signature'>;

/** Where the content hash stands in a row. */
export const ROW_HASH_AT = 7 * 16;
const TIMES_AT = ROW_HASH_AT + 32;
const SMALL_AT = TIMES_AT + 4 * 8;
const FIXED_BYTES = SMALL_AT + 4 + 4 + 2 + 5;

/** The most bytes a row can take, for a region of at most `MAX_REGION_BYTES`. */
export const MAX_REGION_BYTES = 512;
export const MAX_PLAY_ROW_BYTES = FIXED_BYTES + 2 + MAX_REGION_BYTES;

/** Writes the row at `offset`; `target` has room for MAX_PLAY_ROW_BYTES. Returns its length. */
export function writePlayRow(target: Buffer, offset: number, row: PlayRow): number {
  writeUuidHalves(target, offset, row.logId);
  writeUuidHalves(target, offset + 16, row.deviceId);
  writeUuidHalves(target, offset + 32, row.campaignId);
  writeUuidHalves(target, offset + 48, row.contentId);
  writeUuidHalves(target, offset + 64, row.storeId);
  writeUuidHalves(target, offset + 80, row.supplierId);
  writeUuidHalves(target, offset + 96, row.advertiserId);
  target.write(row.contentHash, offset + ROW_HASH_AT, 32, 'hex');
  writeInstant(target, offset + TIMES_AT, row.startedAt);
  writeInstant(target, offset + TIMES_AT + 8, row.endedAt);
  writeInstant(target, offset + TIMES_AT + 16, row.receivedAt);
  target.writeDoubleLE(row.distanceM ?? Number.NaN, offset + TIMES_AT + 24);
  let at = offset + SMALL_AT;
  target.writeUInt32LE(row.durationActualMs, at);
  target.writeUInt32LE(row.durationExpectedMs, at + 4);
  target.writeUInt16LE(row.ruleVersion, at + 8);
  target[at + 10] = STATUSES.indexOf(row.status);
  target[at + 11] = STATUSES.indexOf(row.reportedStatus);
  target[at + 12] = row.billable ? 1 : 0;
  target[at + 13] = row.contentKnown ? 1 : 0;
  target[at + 14] = row.clockChecked ? 1 : 0;
  at = offset + FIXED_BYTES;
  const region = row.region ?? '';
  const length = region === '' ? 0 : Buffer.byteLength(region);
  if (length > MAX_REGION_BYTES) throw new RangeError(`a region of ${length} bytes; ${MAX_REGION_BYTES} are allowed`);
  // The length as LEB128: one byte below 128, two below 16 384.
  if (length < 128) {
    target[at] = length;
    at += 1;
  } else {
    target[at] = (length & 0x7f) | 0x80;
    target[at + 1] = length >> 7;
    at += 2;
  }
  if (length > 0) target.write(region, at, length, 'utf8');
  return at + length - offset;
}

/** How many bytes the row at `offset` says that it takes; A `source` that ends too early gives a number that is not its length. */
export function playRowLength(source: Uint8Array, offset: number): number {
  const low = source[offset + FIXED_BYTES] ?? Number.NaN;
  if (!(low >= 128)) return FIXED_BYTES + 1 + low;
  return FIXED_BYTES + 2 + ((low & 0x7f) | ((source[offset + FIXED_BYTES + 1] ?? Number.NaN) << 7));
}

/** The device of the row at `offset`, without reading the rest. */
export function rowDeviceId(source: Uint8Array, offset: number): string {
  return readUuidHalves(source, offset + 16);
}

export function readPlayRow(source: Buffer, offset: number): PlayRow {
  const small = offset + SMALL_AT;
  const distance = source.readDoubleLE(offset + TIMES_AT + 24);
  let at = offset + FIXED_BYTES;
  let length = source[at] as number;
  at += 1;
  if (length >= 128) {
    length = (length & 0x7f) | ((source[at] as number) << 7);
    at += 1;
  }
  return {
    logId: readUuidHalves(source, offset),
    deviceId: readUuidHalves(source, offset + 16),
    campaignId: readUuidHalves(source, offset + 32),
    contentId: readUuidHalves(source, offset + 48),
    storeId: readUuidHalves(source, offset + 64),
    supplierId: readUuidHalves(source, offset + 80),
    advertiserId: readUuidHalves(source, offset + 96),
    contentHash: source.toString('hex', offset + ROW_HASH_AT, offset + ROW_HASH_AT + 32),
    startedAt: readInstant(source, offset + TIMES_AT),
    endedAt: readInstant(source, offset + TIMES_AT + 8),
    receivedAt: readInstant(source, offset + TIMES_AT + 16),
    distanceM: Number.isNaN(distance) ? null : distance,
    durationActualMs: source.readUInt32LE(small),
    durationExpectedMs: source.readUInt32LE(small + 4),
    ruleVersion: source.readUInt16LE(small + 8),
    status: statusOf(source[small + 10]),
    reportedStatus: statusOf(source[small + 11]),
    billable: source[small + 12] === 1,
    contentKnown: source[small + 13] === 1,
    clockChecked: source[small + 14] === 1,
    region: length === 0 ? null : source.toString('utf8', at, at + length),
  };
}

function statusOf(code: number | undefined): Play['status'] {
  const status = STATUSES[code ?? -1];
  if (!status) throw new RangeError(`status ${code} in a play row`);
  return status;
}

/** Milliseconds as a signed 64-bit integer, without a BigInt: instants stay far below 2^53. */
function writeInstant(target: Buffer, offset: number, instant: number): void {
  const high = Math.floor(instant / 0x1_0000_0000);
  target.writeUInt32LE(instant - high * 0x1_0000_0000, offset);
  target.writeInt32LE(high, offset + 4);
}

function readInstant(source: Buffer, offset: number): number {
  return source.readInt32LE(offset + 4) * 0x1_0000_0000 + source.readUInt32LE(offset);
}
