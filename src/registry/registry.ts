/**
 * The registry: which stores, devices, keys, campaigns and contents there are. Everything that is said here can be said again
 * without effect, nothing is ever forgotten, and a retired id is never used again. Whoever judges logs reads it through
 * `RegistryView` (src/accept/registry-view.ts).
 *
 * Ids are lower-case UUIDs, instants milliseconds since 1970 UTC, null: not set. Every method fails with a `Problem` that says
 * what to do: `unavailable` when the registry cannot be written now, besides those named below.
 */
import type { DeviceKey, GeoPoint, SignatureAlgorithm } from '../domain/facts.ts';

export interface StoreFields {
  readonly supplierId: string;
  readonly name: string;
  readonly location: GeoPoint;
  readonly region: string | null;
  /** IANA name. */
  readonly timeZone: string | null;
}

export interface StoreEntry extends StoreFields {
  readonly storeId: string;
}

export interface DeviceFields {
  readonly storeId: string;
  readonly active: boolean;
  /** From when; null: from now on. The first assignment of a device has no beginning, whatever stands here. */
  readonly since: number | null;
}

/** Where the device stands and whether it is active, from `since` on (null: from the beginning). */
export interface AssignmentEntry {
  readonly storeId: string;
  readonly active: boolean;
  readonly since: number | null;
}

export interface DeviceEntry {
  readonly deviceId: string;
  /** At least one, `since` strictly rising. The last may lie ahead of now. */
  readonly assignments: readonly AssignmentEntry[];
  /** In the order of registration. */
  readonly keys: readonly DeviceKey[];
}

export interface CampaignFields {
  readonly advertiserId: string;
  readonly name: string | null;
}

export interface CampaignEntry extends CampaignFields {
  readonly campaignId: string;
}

export interface ContentFields {
  readonly durationMs: number;
  readonly name: string | null;
}

export interface ContentEntry extends ContentFields {
  readonly contentId: string;
}

export interface EntryTypes {
  readonly store: { readonly fields: StoreFields; readonly entry: StoreEntry };
  readonly device: { readonly fields: DeviceFields; readonly entry: DeviceEntry };
  readonly campaign: { readonly fields: CampaignFields; readonly entry: CampaignEntry };
  readonly content: { readonly fields: ContentFields; readonly entry: ContentEntry };
}

export type Kind = keyof EntryTypes;
export const KINDS = ['store', 'device', 'campaign', 'content'] as const satisfies readonly Kind[];

/** A key as it is registered; a later revocation changes `validUntil` and `compromisedAt` of the `DeviceKey` only. */
export interface KeyFields {
  readonly keyId: string;
  readonly algorithm: SignatureAlgorithm;
  /** SPKI PEM, checked by the caller. */
  readonly publicKey: string;
  readonly validFrom: number | null;
  readonly validUntil: number | null;
}

export interface Revocation {
  /** null: now. */
  readonly at: number | null;
  readonly compromised: boolean;
}

export interface RegistryEntries {
  /**
   * Registers the entry or replaces what stands under its id; durable when it resolves. The same again changes nothing.
   * A device's change is added to its history.
   * @throws Problem `id_retired`; for a device `unknown_store`, or `invalid_field` for `/since` where the change would not be
   *   the newest of its history.
   */
  put<K extends Kind>(kind: K, id: string, fields: EntryTypes[K]['fields']): Promise<Put<EntryTypes[K]['entry']>>;
  /** null: never registered, or retired. */
  get<K extends Kind>(kind: K, id: string): Promise<EntryTypes[K]['entry'] | null>;
  /** Up to `limit` entries with ids after `after`, by id; retired ones are left out. */
  list<K extends Kind>(kind: K, after: string | null, limit: number): Promise<EntryTypes[K]['entry'][]>;
  /**
   * From now on the entry is gone: a device is inactive, so are the screens of a store, a campaign takes no plays that end
   * later, a content is unknown. History keeps resolving. Again: no effect.
   * @returns false when nothing was ever registered under the id.
   */
  retire(kind: Kind, id: string): Promise<boolean>;
}

export interface RegistryKeys {
  /**
   * Adds a key to a device; durable when it resolves. The same again changes nothing, also after it was revoked.
   * @throws Problem `not_found` (no such device), `id_retired`, `key_conflict`.
   */
  addKey(deviceId: string, key: KeyFields): Promise<Put<DeviceKey>>;
  /**
   * Ends the validity of a key at `at`. It may be shortened, never lengthened, and never ends before it began. A compromised
   * key is, besides, not believed in anything received from `at` on; the earliest such instant stands. Works for retired
   * devices too.
   * @throws Problem `not_found`; `invalid_field` for `/at` where that would lengthen the validity.
   */
  revokeKey(deviceId: string, keyId: string, revocation: Revocation): Promise<DeviceKey>;
}

export interface Put<E> {
  /** Whether the id was new. */
  readonly created: boolean;
  readonly entry: E;
}

export interface ImportCounts {
  readonly stores: number;
  readonly devices: number;
  readonly keys: number;
  readonly campaigns: number;
  readonly contents: number;
}

export type ImportFormat = 'json' | 'ndjson';

export interface RegistryImport {
  /**
   * Reads a document of at most MAX_IMPORT_BYTES (see import.ts for its two forms) and applies all of it or nothing; durable
   * when it resolves. The same document again changes nothing. `body` may be emptied.
   * @returns how many of each it named, changed or not.
   * @throws Problem that names every fault (the first hundred) with its line or JSON pointer.
   */
  importDocument(body: Uint8Array<ArrayBuffer>, format: ImportFormat): Promise<ImportCounts>;
}

export interface Registry extends RegistryEntries, RegistryKeys, RegistryImport {}

/** Judging tries each valid key of a device, so there is a bound. */
export const MAX_KEYS_PER_DEVICE = 100;
export const MAX_ASSIGNMENTS_PER_DEVICE = 1_000;
export const MAX_IMPORT_BYTES = 64 * 1024 * 1024;
