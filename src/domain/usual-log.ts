/**
 * The short way for the usual spelling. Screens send a log as they signed it: no blanks, members in the order of RFC 8785, nothing
 * escaped, nothing null. Such bytes are read in one pass, without values and texts in between, and what was signed lies in them
 * already.
 *
 * It knows no refusal. At anything that is not exactly as expected it gives up with null, and `strict-json.ts` and `decodeLog` read
 * the same bytes from their beginning; what it does read they would read alike, which a test holds.
 */
import { contentHashOf } from './canonical-json.ts';
import { MAX_BATCH_BYTES, MAX_LOG_BYTES } from './limits.ts';
import type { DecodedLog } from './playback-log.ts';
import { bytesOf, MAX_INSTANT, UsualBytes } from './usual-bytes.ts';

export interface UsualLog {
  readonly decoded: DecodedLog;
  /** The log as sent. */
  text(): string;
}

export interface UsualBody {
  readonly sentAt: string | null;
  readonly logs: readonly UsualLog[];
  /** Holds the signed bytes and the signatures of all logs; may be released when nobody looks at them any more. */
  readonly memory: Uint8Array;
}

/** One log and nothing else. */
export function readUsualLog(body: Uint8Array): UsualBody | null {
  if (body.byteLength > MAX_LOG_BYTES) return null;
  const reader = new UsualBytes(body);
  const log = readLog(reader);
  return log && reader.ended ? { sentAt: null, logs: [log], memory: reader.memory } : null;
}

/** `{"sent_at":"…","logs":[…]}`, the same without `sent_at`, or the bare array, of 1 to `maxLogs` logs. */
export function readUsualBatch(body: Uint8Array, maxLogs: number): UsualBody | null {
  if (body.byteLength > MAX_BATCH_BYTES) return null;
  const reader = new UsualBytes(body);
  let sentAt: string | null = null;
  let tail = ARRAY_END;
  if (!reader.skip(ARRAY)) {
    tail = ENVELOPE_END;
    if (reader.skip(SENT_AT)) {
      sentAt = reader.plainText(1, MAX_INSTANT);
      if (sentAt === null || !reader.skip(LOGS_AFTER)) return null;
    } else if (!reader.skip(LOGS)) return null;
  }
  const logs: UsualLog[] = [];
  do {
    const log = logs.length < maxLogs ? readLog(reader) : null;
    if (log === null) return null;
    logs.push(log);
  } while (reader.skip(COMMA));
  return reader.skip(tail) && reader.ended ? { sentAt, logs, memory: reader.memory } : null;
}

const ARRAY = bytesOf('[');
const ARRAY_END = bytesOf(']');
const ENVELOPE_END = bytesOf(']}');
const SENT_AT = bytesOf('{"sent_at":"');
const LOGS_AFTER = bytesOf(',"logs":[');
const LOGS = bytesOf('{"logs":[');
const COMMA = bytesOf(',');
const CAMPAIGN_ID = bytesOf('{"campaign_id":"');
const CONTENT_ID = bytesOf(',"content_id":"');
const DEVICE_ID = bytesOf(',"device_id":"');
const DURATION_ACTUAL = bytesOf(',"duration_actual":');
const DURATION_EXPECTED = bytesOf(',"duration_expected":');
const ENDED_AT = bytesOf(',"ended_at":"');
const KEY_ID = bytesOf(',"key_id":"');
const LAT = bytesOf(',"location":{"lat":');
const LOG_ID = bytesOf(',"log_id":"');
const SCREENSHOT = bytesOf(',"screenshot_hash":"');
const SIGNATURE = bytesOf(',"signature":"');
const STARTED_AT = bytesOf(',"started_at":"');
const STATUS = bytesOf(',"status":"');
const LOG_END = bytesOf('}');

const MAX_KEY_ID = 64;

function readLog(reader: UsualBytes): UsualLog | null {
  const start = reader.at;
  const campaignId = reader.skip(CAMPAIGN_ID) ? reader.uuid() : null;
  const contentId = campaignId !== null && reader.skip(CONTENT_ID) ? reader.uuid() : null;
  const deviceId =
    contentId !== null && reader.skip(DEVICE_ID) ? (reader.again(reader.device) ?? reader.first(reader.device, reader.uuid())) : null;
  if (campaignId === null || contentId === null || deviceId === null) return null;
  const durationActualMs = reader.skip(DURATION_ACTUAL) ? reader.duration() : -1;
  const durationExpectedMs = durationActualMs >= 0 && reader.skip(DURATION_EXPECTED) ? reader.duration() : 0;
  const endedAt = durationExpectedMs > 0 && reader.skip(ENDED_AT) ? reader.instant() : undefined;
  if (endedAt === undefined) return null;
  const keyId = reader.skip(KEY_ID) ? (reader.again(reader.key) ?? reader.first(reader.key, reader.plainText(1, MAX_KEY_ID))) : undefined;
  const location = keyId !== null && reader.skip(LAT) ? reader.location() : undefined;
  if (keyId === null || location === null || !reader.skip(LOG_ID)) return null;
  const logId = reader.uuid();
  const screenshotHash = logId !== null && reader.skip(SCREENSHOT) ? reader.screenshot() : undefined;
  if (logId === null || screenshotHash === null) return null;
  // Canonical order has the signature here, among the others; other screens add it at the end.
  const signatureAt = reader.at;
  let signature = reader.skip(SIGNATURE) ? reader.signature() : undefined;
  const behindSignature = reader.at;
  const startedAt = signature !== null && reader.skip(STARTED_AT) ? reader.instant() : undefined;
  const reportedStatus = startedAt !== undefined && reader.skip(STATUS) ? reader.status() : null;
  if (startedAt === undefined || reportedStatus === null) return null;
  const signedEnd = reader.at;
  const last = signature === undefined;
  if (signature === undefined) signature = reader.skip(SIGNATURE) ? reader.signature() : null;
  if (!signature || !reader.skip(LOG_END) || reader.at - start > MAX_LOG_BYTES) return null;
  const canonical = last
    ? reader.signed(start, signedEnd, signedEnd, signedEnd)
    : reader.signed(start, signatureAt, behindSignature, signedEnd);
  return new Sent(reader.text, start, reader.at, {
    logId,
    deviceId,
    campaignId,
    contentId,
    startedAt,
    endedAt,
    durationActualMs,
    durationExpectedMs,
    reportedStatus,
    location: location ?? null,
    screenshotHash: screenshotHash ?? null,
    keyId: keyId ?? null,
    signature,
    canonical,
    contentHash: contentHashOf(canonical),
  });
}

class Sent implements UsualLog {
  readonly decoded: DecodedLog;
  readonly #body: string;
  readonly #start: number;
  readonly #end: number;

  constructor(body: string, start: number, end: number, decoded: DecodedLog) {
    this.#body = body;
    this.#start = start;
    this.#end = end;
    this.decoded = decoded;
  }

  text(): string {
    return this.#body.slice(this.#start, this.#end);
  }
}
