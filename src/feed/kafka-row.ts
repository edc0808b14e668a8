/** A feed record of Kafka, read back into the row that analytics loads: the same row that the embedded feed carries. */
import { FeedFault } from '../analytics/feed-source.ts';
import { type PlaybackStatus, STATUSES } from '../domain/play.ts';
import { MAX_PLAY_ROW_BYTES, type PlayRow, writePlayRow } from '../domain/play-row.ts';
import { parseTimestamp } from '../domain/timestamp.ts';
import { isUuid } from '../domain/uuid.ts';

const scratch = Buffer.alloc(MAX_PLAY_ROW_BYTES);
const HASH = /^[0-9a-f]{64}$/;
const MAX_DURATION_MS = 0xffff_ffff;

class Fields {
  readonly #record: Readonly<Record<string, unknown>>;

  constructor(value: Buffer | null) {
    const record: unknown = JSON.parse(value?.toString('utf8') ?? 'null');
    if (typeof record !== 'object' || record === null || Array.isArray(record)) throw new RangeError('it is no JSON object');
    this.#record = record as Readonly<Record<string, unknown>>;
  }

  #take<T>(name: string, is: (value: unknown) => value is T): T {
    const value = this.#record[name];
    if (!is(value)) throw new RangeError(`its "${name}" is ${value === undefined ? 'absent' : JSON.stringify(value)}`);
    return value;
  }

  uuid(name: string): string {
    return this.#take(name, (value): value is string => typeof value === 'string' && isUuid(value)).toLowerCase();
  }

  hash(name: string): string {
    return this.#take(name, (value): value is string => typeof value === 'string' && HASH.test(value));
  }

  instant(name: string): number {
    const text = this.#take(name, (value): value is string => typeof value === 'string' && parseTimestamp(value) !== undefined);
    return parseTimestamp(text) as number;
  }

  milliseconds(name: string): number {
    const seconds = this.#take(
      name,
      (value): value is number => typeof value === 'number' && value >= 0 && value * 1000 <= MAX_DURATION_MS,
    );
    return Math.round(seconds * 1000);
  }

  status(name: string): PlaybackStatus {
    return this.#take(name, (value): value is PlaybackStatus => STATUSES.includes(value as PlaybackStatus));
  }

  boolean(name: string): boolean {
    return this.#take(name, (value): value is boolean => typeof value === 'boolean');
  }

  ruleVersion(name: string): number {
    return this.#take(name, (value): value is number => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff);
  }

  metresOrNull(name: string): number | null {
    return this.#take(name, (value): value is number | null => value === null || (typeof value === 'number' && Number.isFinite(value)));
  }

  textOrNull(name: string): string | null {
    return this.#take(name, (value): value is string | null => value === null || typeof value === 'string');
  }
}

/**
 * @returns one RowBinary row, good until the next call.
 * @throws FeedFault when the value is not a feed record.
 */
export function rowOfMessage(value: Buffer | null, place: string): Buffer {
  try {
    return scratch.subarray(0, writePlayRow(scratch, 0, rowOf(new Fields(value))));
  } catch (error) {
    throw new FeedFault(
      `the feed record ${place} cannot be loaded (${(error as Error).message}): analytics stops before it rather than leave it out; ` +
        'see docs/operations-kafka.md, "A record of the feed cannot be read"',
      { cause: error },
    );
  }
}

function rowOf(fields: Fields): PlayRow {
  return {
    logId: fields.uuid('log_id'),
    deviceId: fields.uuid('device_id'),
    campaignId: fields.uuid('campaign_id'),
    contentId: fields.uuid('content_id'),
    storeId: fields.uuid('store_id'),
    supplierId: fields.uuid('supplier_id'),
    advertiserId: fields.uuid('advertiser_id'),
    contentHash: fields.hash('content_hash'),
    startedAt: fields.instant('started_at'),
    endedAt: fields.instant('ended_at'),
    receivedAt: fields.instant('received_at'),
    distanceM: fields.metresOrNull('distance_m'),
    durationActualMs: fields.milliseconds('duration_actual'),
    durationExpectedMs: fields.milliseconds('duration_expected'),
    ruleVersion: fields.ruleVersion('rule_version'),
    status: fields.status('status'),
    reportedStatus: fields.status('reported_status'),
    billable: fields.boolean('billable'),
    contentKnown: fields.boolean('content_known'),
    clockChecked: fields.boolean('clock_checked'),
    region: fields.textOrNull('region'),
  };
}
