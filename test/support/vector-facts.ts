/** The vectors file, and its registry as the facts that the rules look up. */
import { readFileSync } from 'node:fs';
import type { CampaignFacts, ContentFacts, DeviceFacts, FactSource, SignatureAlgorithm, StoreFacts } from '../../src/domain/facts.ts';
import { parseTimestamp } from '../../src/domain/timestamp.ts';

interface VectorKey {
  readonly key_id: string;
  readonly algorithm: SignatureAlgorithm;
  readonly public_key: string;
  readonly valid_from?: string;
  readonly valid_until?: string;
  readonly compromised_at?: string;
}

interface VectorDevice {
  readonly device_id: string;
  readonly store_id?: string;
  readonly active?: boolean;
  readonly keys?: readonly VectorKey[];
  readonly assignments?: readonly { readonly store_id: string; readonly active: boolean; readonly since?: string }[];
}

export interface VectorRegistry {
  readonly stores: readonly {
    readonly store_id: string;
    readonly supplier_id: string;
    readonly region?: string;
    readonly location: { readonly lat: number; readonly lng: number };
  }[];
  readonly devices: readonly VectorDevice[];
  readonly campaigns: readonly { readonly campaign_id: string; readonly advertiser_id: string }[];
  readonly contents: readonly { readonly content_id: string; readonly duration: number }[];
}

export interface VectorCase {
  readonly name: string;
  readonly received_at: string;
  /** Base64 of the bytes sent to the single endpoint. */
  readonly body: string;
  readonly expect: {
    readonly outcome: 'accepted' | 'rejected';
    readonly code?: string;
    readonly retryable?: boolean;
    readonly fields?: readonly string[];
    readonly status?: string;
    readonly reported_status?: string;
    readonly billable?: boolean;
    readonly store_id?: string;
    readonly supplier_id?: string;
    readonly advertiser_id?: string;
    readonly content_hash?: string;
    readonly completion?: number;
  };
}

export interface Vectors {
  readonly registry: VectorRegistry;
  readonly cases: readonly VectorCase[];
}

export function readVectors(): Vectors {
  return JSON.parse(readFileSync(new URL('../vectors/playback-logs.json', import.meta.url), 'utf8')) as Vectors;
}

export function instantOf(text: string): number {
  const instant = parseTimestamp(text);
  if (instant === undefined) throw new Error(`${text} is no timestamp`);
  return instant;
}

export function vectorFacts(registry: VectorRegistry): FactSource {
  const stores = new Map<string, StoreFacts>(
    registry.stores.map((store) => [
      store.store_id,
      { storeId: store.store_id, supplierId: store.supplier_id, location: store.location, region: store.region ?? null },
    ]),
  );
  const storeOf = (id: string | undefined): StoreFacts => {
    const store = stores.get(id ?? '');
    if (!store) throw new Error(`no store ${id}`);
    return store;
  };
  const devices = new Map<string, DeviceFacts>(registry.devices.map((device) => [device.device_id, deviceFacts(device, storeOf)]));
  const campaigns = new Map<string, CampaignFacts>(
    registry.campaigns.map(({ campaign_id: campaignId, advertiser_id: advertiserId }) => [
      campaignId,
      { campaignId, advertiserId, retiredAt: null },
    ]),
  );
  const contents = new Map<string, ContentFacts>(
    registry.contents.map(({ content_id: contentId, duration }) => [contentId, { contentId, durationMs: duration * 1000 }]),
  );
  return {
    device: (id) => devices.get(id) ?? null,
    campaign: (id) => campaigns.get(id) ?? null,
    content: (id) => contents.get(id) ?? null,
  };
}

function instantOrNull(text: string | undefined): number | null {
  return text === undefined ? null : instantOf(text);
}

function deviceFacts(device: VectorDevice, storeOf: (id: string | undefined) => StoreFacts): DeviceFacts {
  const assignments = device.assignments ?? [{ store_id: device.store_id ?? '', active: device.active ?? true }];
  return {
    deviceId: device.device_id,
    assignments: assignments.map((assignment) => ({
      store: storeOf(assignment.store_id),
      active: assignment.active,
      since: instantOrNull('since' in assignment ? assignment.since : undefined),
    })),
    keys: (device.keys ?? []).map((key) => ({
      keyId: key.key_id,
      algorithm: key.algorithm,
      publicKey: key.public_key,
      validFrom: instantOrNull(key.valid_from),
      validUntil: instantOrNull(key.valid_until),
      compromisedAt: instantOrNull(key.compromised_at),
    })),
  };
}
