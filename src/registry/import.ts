/**
 * Reads an import document: one JSON object `{stores?, devices?, campaigns?, contents?}`, or NDJSON, one object with a `type` a
 * line. Devices may carry `keys` and `assignments`. The order of what is named does not matter. Nothing is written here.
 */
import type { Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { Problem } from '../server/problem.ts';
import { decodeUtf8, parseStrictJson } from '../server/strict-json-body.ts';
import { faultsOf } from '../server/validation.ts';
import { ImportFaults, type Place } from './import-faults.ts';
import {
  type AssignmentEntry,
  type CampaignFields,
  type ContentFields,
  type DeviceFields,
  type ImportFormat,
  type KeyFields,
  MAX_IMPORT_BYTES,
  type StoreFields,
} from './registry.ts';
import { CampaignObject, ContentObject, DeviceImport, KeyImport, StoreObject } from './schemas.ts';
import { decodeCampaign, decodeContent, decodeDevice, decodeHistory, decodeKey, decodeStore, instantOf, type Report } from './wire.ts';

export interface Planned<T> {
  readonly place: Place;
  readonly id: string;
  readonly value: T;
}

/** A device is put as a PUT would put it, or with its history. */
export type PlannedDevice = { readonly put: DeviceFields } | { readonly history: readonly AssignmentEntry[] };

export interface PlannedKey {
  readonly key: KeyFields;
  readonly compromisedAt: number | null;
}

/** What is to be registered, each id at most once among its kind; a key's `id` is that of its device. */
export interface ImportPlan {
  readonly stores: readonly Planned<StoreFields>[];
  readonly devices: readonly Planned<PlannedDevice>[];
  readonly keys: readonly Planned<PlannedKey>[];
  readonly campaigns: readonly Planned<CampaignFields>[];
  readonly contents: readonly Planned<ContentFields>[];
}

/** The names of types in NDJSON, and of the lists in the JSON form. Keys have no list: there they stand with their devices. */
const LISTS = { stores: 'store', devices: 'device', campaigns: 'campaign', contents: 'content' } as const;
const VALIDATORS = {
  store: Compile(StoreObject),
  device: Compile(DeviceImport),
  key: Compile(KeyImport),
  campaign: Compile(CampaignObject),
  content: Compile(ContentObject),
};
type Type = keyof typeof VALIDATORS;
type AnyValidator = (typeof VALIDATORS)[Type];

/** @throws Problem: too_large, malformed, or invalid_field that names every fault. */
export function readImport(body: Uint8Array, format: ImportFormat): ImportPlan {
  if (body.length > MAX_IMPORT_BYTES) {
    throw new Problem('too_large', `An import has at most ${MAX_IMPORT_BYTES / 1024 / 1024} MiB; send it in parts.`);
  }
  const faults = new ImportFaults();
  const reader = new PlanReader(faults);
  if (format === 'json') readObject(parseStrictJson(body), reader, faults);
  else readLines(body, reader, faults);
  faults.throwIfAny();
  return reader.plan;
}

/** NDJSON when the first line is an object with a `type` of its own. */
export function guessImportFormat(body: Uint8Array): ImportFormat {
  const text = Buffer.from(body.buffer, body.byteOffset, body.length);
  const end = text.indexOf(10);
  try {
    const first: unknown = JSON.parse(text.toString('utf8', 0, end < 0 ? text.length : end));
    return isObject(first) && typeof first.type === 'string' ? 'ndjson' : 'json';
  } catch {
    return 'json';
  }
}

function readObject(document: unknown, reader: PlanReader, faults: ImportFaults): void {
  if (!isObject(document))
    throw new Problem('invalid_field', 'The document must be an object with lists of what to register.', { fields: [''] });
  for (const [name, list] of Object.entries(document)) {
    const type = Object.hasOwn(LISTS, name) ? LISTS[name as keyof typeof LISTS] : undefined;
    const place = { line: null, pointer: `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}` };
    if (type === undefined) faults.add(place, { told: `is not known here; the lists are ${Object.keys(LISTS).join(', ')}` });
    else if (!Array.isArray(list)) faults.add(place, { told: 'must be a list' });
    else for (const [index, item] of list.entries()) reader.take(type, item, { line: null, pointer: `${place.pointer}/${index}` });
  }
}

function readLines(body: Uint8Array, reader: PlanReader, faults: ImportFaults): void {
  // The whole text first: a line on its own could end inside a character.
  decodeUtf8(body);
  for (let start = 0, line = 1; start < body.length; line += 1) {
    const found = body.indexOf(10, start);
    const end = found < 0 ? body.length : found;
    const bytes = body.subarray(start, end);
    start = end + 1;
    if (bytes.every((byte) => byte === 32 || byte === 9 || byte === 13)) continue;
    const place = { line, pointer: '' };
    try {
      const value = parseStrictJson(bytes);
      const { type, ...rest } = isObject(value) ? value : {};
      if (typeof type === 'string' && Object.hasOwn(VALIDATORS, type)) reader.take(type as Type, rest, place);
      else faults.add(place, { field: '/type', told: `must be one of ${Object.keys(VALIDATORS).join(', ')}` });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      faults.add(place, { code: error.code, told: `cannot be read: ${error.detail.replace(/\.$/, '')}` });
    }
  }
}

class PlanReader {
  readonly plan = {
    stores: [] as Planned<StoreFields>[],
    devices: [] as Planned<PlannedDevice>[],
    keys: [] as Planned<PlannedKey>[],
    campaigns: [] as Planned<CampaignFields>[],
    contents: [] as Planned<ContentFields>[],
  };
  readonly #faults: ImportFaults;
  /** What was read so far, by kind and id, as text. */
  readonly #seen = new Map<string, string>();

  constructor(faults: ImportFaults) {
    this.#faults = faults;
  }

  take(type: Type, item: unknown, place: Place): void {
    const report: Report = (field, told) => this.#faults.add(place, { field, told });
    if (type === 'store') {
      const body = this.#check(VALIDATORS.store, item, place);
      if (body) this.#plan(this.plan.stores, type, body.store_id, decodeStore(body, report), place);
    } else if (type === 'device') {
      const body = this.#check(VALIDATORS.device, item, place);
      if (body) this.#device(body, place, report);
    } else if (type === 'key') {
      const body = this.#check(VALIDATORS.key, item, place);
      if (body) this.#key(body.device_id, body, place);
    } else if (type === 'campaign') {
      const body = this.#check(VALIDATORS.campaign, item, place);
      if (body) this.#plan(this.plan.campaigns, type, body.campaign_id, decodeCampaign(body), place);
    } else {
      const body = this.#check(VALIDATORS.content, item, place);
      if (body) this.#plan(this.plan.contents, type, body.content_id, decodeContent(body, report), place);
    }
  }

  #device(body: Static<typeof DeviceImport>, place: Place, report: Report): void {
    const { device_id, store_id, active, since, assignments, keys } = body;
    if (assignments) {
      const history = decodeHistory(assignments, '/assignments', report);
      const last = history.at(-1) as AssignmentEntry;
      const told = 'must agree with the last of assignments, or be left out';
      if (store_id !== undefined && store_id.toLowerCase() !== last.storeId) report('/store_id', told);
      if (active !== undefined && active !== last.active) report('/active', told);
      if (since !== undefined && instantOf(since) !== last.since) report('/since', told);
      this.#plan<PlannedDevice>(this.plan.devices, 'device', device_id, { history }, place);
    } else if (store_id === undefined) {
      report('/store_id', 'is missing, and so is assignments');
    } else {
      const put = decodeDevice({ store_id, ...(active !== undefined && { active }), ...(since !== undefined && { since }) });
      this.#plan<PlannedDevice>(this.plan.devices, 'device', device_id, { put }, place);
    }
    for (const [index, key] of (keys ?? []).entries()) {
      this.#key(device_id, key, { line: place.line, pointer: `${place.pointer}/keys/${index}` });
    }
  }

  #key(deviceId: string, body: Omit<Static<typeof KeyImport>, 'device_id'>, place: Place): void {
    // A key that was revoked before it began ends where it begins; whoever writes the registry out and in again says so.
    const { valid_until: end, ...rest } = body;
    const endsAtStart = instantOf(end) !== null && instantOf(end) === instantOf(body.valid_from);
    const key = decodeKey(endsAtStart ? rest : body, (field, told) => this.#faults.add(place, { field, told }));
    const validUntil = endsAtStart ? instantOf(end) : key.validUntil;
    this.plan.keys.push({
      place,
      id: deviceId.toLowerCase(),
      value: { key: { ...key, validUntil }, compromisedAt: instantOf(body.compromised_at) },
    });
  }

  /** The same thing said twice is said once; two things under one id are a fault. */
  #plan<T>(list: Planned<T>[], type: Type, id: string, value: T, place: Place): void {
    const name = `${type} ${id.toLowerCase()}`;
    const text = JSON.stringify(value);
    const before = this.#seen.get(name);
    if (before === undefined) {
      this.#seen.set(name, text);
      list.push({ place, id: id.toLowerCase(), value });
    } else if (before !== text) {
      this.#faults.add(place, { field: `/${type}_id`, told: 'stands in this document before, with something else' });
    }
  }

  #check<T>(schema: { Check(value: unknown): value is T; Errors: AnyValidator['Errors'] }, item: unknown, place: Place): T | null {
    if (schema.Check(item)) return item;
    for (const { pointer, told } of faultsOf(schema.Errors(item))) this.#faults.add(place, { field: pointer, told });
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
