/** The registry's documents: what is kept of each kind, what is told of it, and the facts that logs are judged by. */
import type { Db } from 'mongodb';
import type { CampaignFacts, ContentFacts, DeviceFacts, DeviceKey } from '../domain/facts.ts';
import { effectiveAssignments } from './facts.ts';
import { changeOf, demandRoom, newOfHistory } from './history.ts';
import type { KeptKey } from './key-rules.ts';
import { type Kept, MongoTable, type State } from './mongo-table.ts';
import { retired, unknownStore } from './refusals.ts';
import type {
  AssignmentEntry,
  CampaignFields,
  ContentFields,
  DeviceEntry,
  DeviceFields,
  EntryTypes,
  Kind,
  StoreFields,
} from './registry.ts';

export interface KeptDevice {
  readonly assignments: readonly AssignmentEntry[];
  /** In the order of registration. */
  readonly keys: readonly KeptKey[];
}

/** What is kept of each kind under `entry`. A device's history and keys are in its one document, so a change of them is atomic. */
export interface KeptTypes {
  readonly store: StoreFields;
  readonly device: KeptDevice;
  readonly campaign: CampaignFields;
  readonly content: ContentFields;
}

/** Kinds that a PUT replaces as a whole. */
export type ReplacedKind = 'store' | 'campaign' | 'content';

const COLLECTIONS = { store: 'stores', device: 'devices', campaign: 'campaigns', content: 'contents' } as const;

export function tableOf<K extends Kind>(db: Db, kind: K): MongoTable<KeptTypes[K]> {
  return new MongoTable<KeptTypes[K]>(db, COLLECTIONS[kind]);
}

export const ENTRY_OF: { readonly [K in keyof KeptTypes]: (id: string, kept: KeptTypes[K]) => EntryTypes[K]['entry'] } = {
  store: (storeId, fields) => ({ storeId, ...fields }),
  device: deviceEntry,
  campaign: (campaignId, fields) => ({ campaignId, ...fields }),
  content: (contentId, fields) => ({ contentId, ...fields }),
};

function deviceEntry(deviceId: string, { assignments, keys }: KeptDevice): DeviceEntry {
  return { deviceId, assignments, keys: keys.map(keyOf) };
}

export function keyOf({ registeredUntil: _said, ...key }: KeptKey): DeviceKey {
  return key;
}

/** @throws Problem id_retired */
export function replaced<K extends ReplacedKind>(
  kind: K,
  id: string,
  before: Kept<KeptTypes[K]> | null,
  fields: KeptTypes[K],
): State<KeptTypes[K]> {
  if (before !== null && before.retired_at !== null) throw retired(kind, id);
  return { retired_at: null, entry: fields };
}

/** Whether a store can be named: 'retired' ones still can in a history, for a time that is over. */
export type StoreStates = ReadonlyMap<string, 'registered' | 'retired'>;

export function storeStates(stores: ReadonlyMap<string, Kept<StoreFields>>): StoreStates {
  return new Map(Array.from(stores, ([id, { retired_at }]) => [id, retired_at === null ? 'registered' : 'retired']));
}

/** The device after a PUT. @throws Problem id_retired, unknown_store, invalid_field */
export function putDevice(
  id: string,
  before: Kept<KeptDevice> | null,
  fields: DeviceFields,
  stores: StoreStates,
  now: number,
): State<KeptDevice> {
  const { storeId, active } = fields;
  if (before !== null && before.retired_at !== null) throw retired('device', id);
  demandStore(storeId, stores, '/store_id');
  if (!before) return { retired_at: null, entry: { assignments: [{ storeId, active, since: null }], keys: [] } };
  const change = changeOf(before.entry.assignments, fields, now);
  return change ? withAssignments(before.entry, [change]) : before;
}

/** The device with a whole history, or with what is new in it. @throws Problem id_retired, unknown_store, invalid_field */
export function putHistory(
  id: string,
  before: Kept<KeptDevice> | null,
  history: readonly AssignmentEntry[],
  stores: StoreStates,
): State<KeptDevice> {
  if (before !== null && before.retired_at !== null) throw retired('device', id);
  const entry: KeptDevice = before?.entry ?? { assignments: [], keys: [] };
  const known = entry.assignments.length;
  const added = newOfHistory(entry.assignments, history);
  if (before && added.length === 0) return before;
  // A screen may have stood in a store that is gone; it cannot be standing there now.
  for (const [place, { storeId }] of history.entries()) {
    if (place >= known) demandStore(storeId, stores, `/assignments/${place}/store_id`, place < history.length - 1);
  }
  return withAssignments(entry, added);
}

function withAssignments(entry: KeptDevice, added: readonly AssignmentEntry[]): State<KeptDevice> {
  demandRoom(entry.assignments.length + added.length);
  return { retired_at: null, entry: { ...entry, assignments: [...entry.assignments, ...added] } };
}

function demandStore(storeId: string, stores: StoreStates, field: string, retiredToo = false): void {
  const state = stores.get(storeId);
  if (state === 'registered' || (retiredToo && state === 'retired')) return;
  throw unknownStore(storeId, state === 'retired', field);
}

/** @throws Error when a store of its history is not in `stores`: documents were removed by hand. */
export function deviceFacts({ _id, retired_at, entry }: Kept<KeptDevice>, stores: ReadonlyMap<string, Kept<StoreFields>>): DeviceFacts {
  const registered = entry.assignments.map(({ storeId, active, since }) => {
    const store = stores.get(storeId);
    if (!store) throw new Error(`the registry has no store ${storeId}, where device ${_id} stood; was it removed from the database?`);
    const { supplierId, location, region } = store.entry;
    return { store: { storeId, supplierId, location, region }, storeRetiredAt: store.retired_at, active, since };
  });
  return { deviceId: _id, assignments: effectiveAssignments(registered, retired_at), keys: newestFirst(entry.keys).map(keyOf) };
}

/** The order in which keys are tried: latest beginning first, those from the beginning last, then the latest registered. */
function newestFirst(keys: readonly KeptKey[]): KeptKey[] {
  return keys.toReversed().sort((a, b) => (start(a) === start(b) ? 0 : start(b) - start(a)));
}

function start({ validFrom }: KeptKey): number {
  return validFrom ?? Number.NEGATIVE_INFINITY;
}

export function campaignFacts({ _id, retired_at, entry }: Kept<CampaignFields>): CampaignFacts {
  return { campaignId: _id, advertiserId: entry.advertiserId, retiredAt: retired_at };
}

/** A retired content is unknown. */
export function contentFacts({ _id, retired_at, entry }: Kept<ContentFields>): ContentFacts | null {
  return retired_at === null ? { contentId: _id, durationMs: entry.durationMs } : null;
}
