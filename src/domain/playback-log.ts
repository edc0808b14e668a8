/** Rule 1, the part behind the JSON: from the members of one log to values in the units of the domain, or every fault by name. */
import { decodeCanonicalBase64 } from './base64.ts';
import { canonicalLog, contentHashOf } from './canonical-json.ts';
import { toMilliseconds } from './duration.ts';
import type { GeoPoint } from './facts.ts';
import { memberPointer } from './json-pointer.ts';
import type { RuleSettings } from './limits.ts';
import type { PlaybackStatus } from './play.ts';
import type { PlaybackLogMessage } from './playback-log-schema.ts';
import { parseTimestamp } from './timestamp.ts';
import { isUuid } from './uuid.ts';

export { type PlaybackLogMessage, PlaybackLogSchema } from './playback-log-schema.ts';

export interface DecodedLog {
  /** Ids: lower-case UUIDs. */
  readonly logId: string;
  readonly deviceId: string;
  readonly campaignId: string;
  readonly contentId: string;
  /** Milliseconds since 1970 UTC. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly durationActualMs: number;
  readonly durationExpectedMs: number;
  readonly reportedStatus: PlaybackStatus;
  readonly location: GeoPoint | null;
  /** 64 lower-case hex digits, without the prefix. */
  readonly screenshotHash: string | null;
  readonly keyId: string | null;
  readonly signature: Buffer;
  /** What was signed; may share its memory with others, so copy before handing it to another thread. */
  readonly canonical: Buffer;
  /** SHA-256 of `canonical`, lower-case hex. */
  readonly contentHash: string;
}

export type DecodeResult =
  | { ok: true; log: DecodedLog }
  /** `fields`: a JSON Pointer for every field at fault, sorted. The ids where they can be read, for the answer and for counting. */
  | { ok: false; fields: string[]; detail: string; logId: string | null; deviceId: string | null };

/** The members before anything is known of their values. */
type Unread = { readonly [Name in keyof PlaybackLogMessage]?: unknown };

const REQUIRED_MEMBERS = 10;
const NIL_UUID = '00000000-0000-0000-0000-000000000000';

/**
 * Decodes a log that was read strictly (`strict-json.ts`).
 *
 * Only log_id refuses the nil UUID by its syntax. As another id it is a UUID like any other, and no device or campaign can be registered
 * under it.
 */
export function decodeLog(value: object, rules: RuleSettings): DecodeResult {
  const message = value as Unread;
  const logId = readLogId(message.log_id);
  const deviceId = readId(message.device_id);
  const campaignId = readId(message.campaign_id);
  const contentId = readId(message.content_id);
  const startedAt = readInstant(message.started_at);
  const endedAt = readInstant(message.ended_at);
  const durationActualMs = readDuration(message.duration_actual);
  const durationExpectedMs = readPositiveDuration(message.duration_expected);
  const reportedStatus = readStatus(message.status);
  const location = message.location === undefined ? null : readLocation(message.location);
  const screenshotHash = message.screenshot_hash === undefined ? null : readScreenshotHash(message.screenshot_hash);
  const keyId = message.key_id === undefined ? null : readKeyId(message.key_id);
  const signature = readSignature(message.signature);
  if (
    logId === undefined ||
    deviceId === undefined ||
    campaignId === undefined ||
    contentId === undefined ||
    startedAt === undefined ||
    endedAt === undefined ||
    durationActualMs === undefined ||
    durationExpectedMs === undefined ||
    reportedStatus === undefined ||
    location === undefined ||
    screenshotHash === undefined ||
    keyId === undefined ||
    signature === undefined ||
    (rules.requireScreenshot && screenshotHash === null) ||
    countMembers(value) !== expectedMembers(message)
  ) {
    return explain(value, rules, logId ?? null, deviceId ?? null);
  }
  const canonical = Buffer.from(canonicalLog(value as PlaybackLogMessage), 'utf8');
  return {
    ok: true,
    log: {
      logId,
      deviceId,
      campaignId,
      contentId,
      startedAt,
      endedAt,
      durationActualMs,
      durationExpectedMs,
      reportedStatus,
      location,
      screenshotHash,
      keyId,
      signature,
      canonical,
      contentHash: contentHashOf(canonical),
    },
  };
}

function countMembers(value: object): number {
  let count = 0;
  for (const _name in value) count += 1;
  return count;
}

/** How many members there are when none is unknown; the required ones are known to be there. */
function expectedMembers(message: Unread): number {
  const optional =
    Number(message.location !== undefined) + Number(message.screenshot_hash !== undefined) + Number(message.key_id !== undefined);
  return REQUIRED_MEMBERS + optional;
}

// Readers: the value in the domain's unit, or undefined where it breaks its rule. An optional member that is null reads as null.

function readId(value: unknown): string | undefined {
  return typeof value === 'string' && (isUuid(value) || value === NIL_UUID) ? value.toLowerCase() : undefined;
}

function readLogId(value: unknown): string | undefined {
  return typeof value === 'string' && isUuid(value) ? value.toLowerCase() : undefined;
}

function readInstant(value: unknown): number | undefined {
  return typeof value === 'string' ? parseTimestamp(value) : undefined;
}

function readDuration(value: unknown): number | undefined {
  return typeof value === 'number' ? toMilliseconds(value) : undefined;
}

function readPositiveDuration(value: unknown): number | undefined {
  return readDuration(value) || undefined;
}

function readStatus(value: unknown): PlaybackStatus | undefined {
  return value === 'COMPLETED' || value === 'PARTIAL' || value === 'SKIPPED' || value === 'ERROR' ? value : undefined;
}

function readLocation(value: unknown): GeoPoint | null | undefined {
  return value === null || locationFaults(value).length === 0 ? (value as GeoPoint | null) : undefined;
}

function readScreenshotHash(value: unknown): string | null | undefined {
  if (typeof value !== 'string') return value === null ? null : undefined;
  const digits = value.length === 71 && value.startsWith('sha256:') ? value.slice(7) : value;
  return digits.length === 64 && isHex(digits) ? digits.toLowerCase() : undefined;
}

function readKeyId(value: unknown): string | null | undefined {
  if (typeof value !== 'string') return value === null ? null : undefined;
  // 64 characters are at most 128 UTF-16 units; where there are more units than characters, the characters count.
  if (value.length === 0 || value.length > 128) return undefined;
  if (value.length <= 64) return value;
  let characters = 0;
  for (const _character of value) characters += 1;
  return characters <= 64 ? value : undefined;
}

function readSignature(value: unknown): Buffer | undefined {
  return typeof value === 'string' ? decodeCanonicalBase64(value) : undefined;
}

function isHex(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charCodeAt(i);
    const lower = char | 32;
    if (!((char >= 48 && char <= 57) || (lower >= 97 && lower <= 102))) return false;
  }
  return true;
}

const NO_FAULTS: readonly string[] = [];

/** Pointers within a location that is not null. */
function locationFaults(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return ['/location'];
  const { lat, lng } = value as { lat?: unknown; lng?: unknown };
  const latFits = typeof lat === 'number' && lat >= -90 && lat <= 90;
  const lngFits = typeof lng === 'number' && lng >= -180 && lng <= 180;
  if (latFits && lngFits && countMembers(value) === 2) return NO_FAULTS;
  const unknown = Object.keys(value).filter((name) => name !== 'lat' && name !== 'lng');
  const faults = unknown.map((name) => memberPointer('/location', name));
  if (!latFits) faults.push('/location/lat');
  if (!lngFits) faults.push('/location/lng');
  return faults;
}

interface Member {
  readonly read: (value: unknown) => unknown;
  readonly rule: string;
  readonly optional?: true;
}

/** What each member must be, as a client is told. */
const MEMBERS: { readonly [Name in keyof Required<PlaybackLogMessage>]: Member } = {
  log_id: { read: readLogId, rule: 'a UUID in its 36-character form, and not the nil UUID' },
  device_id: { read: readId, rule: 'a UUID in its 36-character form' },
  campaign_id: { read: readId, rule: 'a UUID in its 36-character form' },
  content_id: { read: readId, rule: 'a UUID in its 36-character form' },
  started_at: { read: readInstant, rule: 'a timestamp such as 2026-11-20T16:29:15.250+07:00, with at most three fraction digits' },
  ended_at: { read: readInstant, rule: 'a timestamp such as 2026-11-20T16:29:30.250+07:00, with at most three fraction digits' },
  duration_actual: { read: readDuration, rule: 'seconds from 0 to 86400 with at most three decimals, as a number' },
  duration_expected: { read: readPositiveDuration, rule: 'seconds above 0 and up to 86400 with at most three decimals, as a number' },
  status: { read: readStatus, rule: 'COMPLETED, PARTIAL, SKIPPED or ERROR' },
  location: { read: readLocation, rule: 'null or {"lat", "lng"} in degrees, lat from -90 to 90 and lng from -180 to 180', optional: true },
  screenshot_hash: { read: readScreenshotHash, rule: '64 hex digits, with or without the prefix sha256:', optional: true },
  key_id: { read: readKeyId, rule: 'null or a text of 1 to 64 characters', optional: true },
  signature: { read: readSignature, rule: 'standard base64 with padding and zero pad bits' },
};

/** Faults that the sentence spells out; `fields` names them all. */
const MAX_SENTENCES = 5;

function explain(value: object, rules: RuleSettings, logId: string | null, deviceId: string | null): DecodeResult {
  const faults = new Map<string, string>();
  const message = value as Readonly<Record<string, unknown>>;
  for (const [name, member] of Object.entries(MEMBERS)) {
    const given = message[name];
    const required = member.optional !== true || (name === 'screenshot_hash' && rules.requireScreenshot);
    if (given === undefined ? !required : member.read(given) !== undefined && !(required && given === null)) continue;
    const rule = `${given === undefined ? 'is missing; it ' : ''}must be ${member.rule}`;
    const within = name === 'location' ? locationFaults(given) : [memberPointer('', name)];
    for (const pointer of within) faults.set(pointer, name === 'location' ? `breaks the rule of /location, which ${rule}` : rule);
  }
  for (const name of Object.keys(value)) {
    if (!Object.hasOwn(MEMBERS, name)) faults.set(memberPointer('', name), 'is no member of a playback log; leave it out');
  }
  const fields = [...faults.keys()].sort();
  const sentences = fields.slice(0, MAX_SENTENCES).map((pointer) => `${pointer.slice(0, 80).toWellFormed()} ${faults.get(pointer)}`);
  const more = fields.length > MAX_SENTENCES ? `; and ${fields.length - MAX_SENTENCES} more, see fields` : '';
  return { ok: false, fields, detail: `${sentences.join('; ')}${more}.`, logId, deviceId };
}
