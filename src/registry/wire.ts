/**
 * Between what is sent and answered (snake_case, seconds, RFC 3339) and what the registry keeps. What a schema cannot say is
 * checked here. Members that are not set are left out of answers.
 */
import type { Static } from 'typebox';
import type { DeviceKey } from '../domain/facts.ts';
import { toMilliseconds } from '../domain/duration.ts';
import { inspectPublicKey } from '../domain/signature.ts';
import { formatInstant, parseTimestamp } from '../domain/timestamp.ts';
import type {
  AssignmentEntry,
  CampaignEntry,
  CampaignFields,
  ContentEntry,
  ContentFields,
  DeviceEntry,
  DeviceFields,
  KeyFields,
  Revocation,
  StoreEntry,
  StoreFields,
} from './registry.ts';
import type * as Schema from './schemas.ts';

/** Takes the JSON Pointer of a field at fault and what is wrong with it, worded to follow the name of the field. */
export type Report = (pointer: string, told: string) => void;

type Body<S extends keyof typeof Schema> = Static<(typeof Schema)[S]>;

export function decodeStore(body: Body<'StoreBody'>, report: Report): StoreFields {
  const timeZone = body.time_zone ?? null;
  if (timeZone !== null && !isTimeZone(timeZone)) report('/time_zone', 'must be an IANA time zone, such as Europe/Berlin');
  return {
    supplierId: body.supplier_id.toLowerCase(),
    name: body.name,
    location: { lat: body.location.lat, lng: body.location.lng },
    region: body.region ?? null,
    timeZone,
  };
}

export function decodeDevice(body: Body<'DeviceBody'>): DeviceFields {
  return { storeId: body.store_id.toLowerCase(), active: body.active ?? true, since: instantOf(body.since) };
}

/** A whole history: `since` rises strictly, and only the first may lack it. */
export function decodeHistory(list: readonly Body<'DeviceBody'>[], pointer: string, report: Report): AssignmentEntry[] {
  const history = list.map(decodeDevice);
  for (const [place, { since }] of history.entries()) {
    const before = history[place - 1];
    if (!before) continue;
    if (since === null) report(`${pointer}/${place}/since`, 'is missing; only the first assignment has no beginning');
    else if (since <= (before.since ?? Number.NEGATIVE_INFINITY)) report(`${pointer}/${place}/since`, 'must be later than the one before');
  }
  return history;
}

export function decodeKey(body: Body<'KeyBody'>, report: Report): KeyFields {
  const validFrom = instantOf(body.valid_from);
  const validUntil = instantOf(body.valid_until);
  const inspected = inspectPublicKey(body.public_key);
  if (!inspected.ok) report('/public_key', `is not taken: ${inspected.detail.replace(/\.$/, '')}`);
  if (validFrom !== null && validUntil !== null && validUntil <= validFrom) report('/valid_until', 'must be after valid_from');
  return { keyId: body.key_id, algorithm: body.algorithm, publicKey: body.public_key, validFrom, validUntil };
}

export function decodeRevocation(body: Body<'RevokeBody'>): Revocation {
  return { at: instantOf(body.at), compromised: body.compromised ?? false };
}

export function decodeCampaign(body: Body<'CampaignBody'>): CampaignFields {
  return { advertiserId: body.advertiser_id.toLowerCase(), name: body.name ?? null };
}

export function decodeContent(body: Body<'ContentBody'>, report: Report): ContentFields {
  const durationMs = toMilliseconds(body.duration);
  if (durationMs === undefined) report('/duration', 'must have at most three decimals');
  return { durationMs: durationMs ?? 0, name: body.name ?? null };
}

export function encodeStore(entry: StoreEntry): Body<'StoreObject'> {
  const { storeId, supplierId, name, location, region, timeZone } = entry;
  return {
    store_id: storeId,
    name,
    supplier_id: supplierId,
    location: { lat: location.lat, lng: location.lng },
    ...(region !== null && { region }),
    ...(timeZone !== null && { time_zone: timeZone }),
  };
}

/** `store_id`, `active` and `since` are those of the newest assignment, which may lie ahead. */
export function encodeDevice({ deviceId, assignments, keys }: DeviceEntry): Body<'DeviceObject'> {
  const history = assignments.map(encodeAssignment);
  return { device_id: deviceId, ...(history.at(-1) as Body<'DeviceBody'>), assignments: history, keys: keys.map(encodeKey) };
}

export function encodeKey({ keyId, algorithm, publicKey, validFrom, validUntil, compromisedAt }: DeviceKey): Body<'KeyObject'> {
  return {
    key_id: keyId,
    algorithm,
    public_key: publicKey,
    ...(validFrom !== null && { valid_from: formatInstant(validFrom) }),
    ...(validUntil !== null && { valid_until: formatInstant(validUntil) }),
    ...(compromisedAt !== null && { compromised_at: formatInstant(compromisedAt) }),
  };
}

export function encodeCampaign({ campaignId, advertiserId, name }: CampaignEntry): Body<'CampaignObject'> {
  return { campaign_id: campaignId, advertiser_id: advertiserId, ...(name !== null && { name }) };
}

export function encodeContent({ contentId, durationMs, name }: ContentEntry): Body<'ContentObject'> {
  return { content_id: contentId, duration: durationMs / 1000, ...(name !== null && { name }) };
}

/** The schema has found the text to be an instant. */
export function instantOf(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : (parseTimestamp(text) ?? null);
}

function encodeAssignment({ storeId, active, since }: AssignmentEntry): Body<'DeviceBody'> {
  return { store_id: storeId, active, ...(since !== null && { since: formatInstant(since) }) };
}

const TIME_ZONES = new Map<string, boolean>();
const MAX_TIME_ZONES = 2_000;

function isTimeZone(name: string): boolean {
  const known = TIME_ZONES.get(name);
  if (known !== undefined) return known;
  let valid = /^[A-Za-z]/.test(name);
  try {
    // Offsets such as +07:00 pass this too: they are no names.
    new Intl.DateTimeFormat('en', { timeZone: name }).format(0);
  } catch {
    valid = false;
  }
  if (TIME_ZONES.size >= MAX_TIME_ZONES) TIME_ZONES.clear();
  TIME_ZONES.set(name, valid);
  return valid;
}
