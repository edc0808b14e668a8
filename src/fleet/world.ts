/** Everything that is registered before the fleet plays: stores, screens with their keys, campaigns, contents. */
import { generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { SignatureAlgorithm } from '@playproof/device';
import { createRandom, type Random } from './random.ts';
import { ADVERTISERS, CITIES, LATE_CAMPAIGN, SUPPLIERS } from './retail.ts';

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export interface StoreEntry {
  readonly store_id: string;
  readonly supplier_id: string;
  readonly name: string;
  readonly region: string;
  readonly location: { readonly lat: number; readonly lng: number };
  readonly time_zone: string;
}

/** What `POST /api/v1/registry/import` takes. */
export interface RegistryImport {
  readonly stores: readonly StoreEntry[];
  readonly devices: readonly {
    readonly device_id: string;
    readonly store_id: string;
    readonly active: boolean;
    readonly keys: readonly { readonly key_id: string; readonly algorithm: SignatureAlgorithm; readonly public_key: string }[];
  }[];
  readonly campaigns: readonly { readonly campaign_id: string; readonly advertiser_id: string; readonly name: string }[];
  readonly contents: readonly { readonly content_id: string; readonly duration: number; readonly name: string }[];
}

export interface ScreenSpec {
  readonly index: number;
  readonly deviceId: string;
  readonly keyId: string;
  readonly algorithm: SignatureAlgorithm;
  readonly privateKey: KeyObject;
  readonly store: StoreEntry;
}

export interface Campaign {
  readonly campaignId: string;
  readonly advertiserId: string;
  readonly name: string;
  readonly contents: readonly { readonly contentId: string; readonly seconds: number }[];
}

export interface World {
  readonly seed: string;
  readonly registry: RegistryImport;
  readonly screens: readonly ScreenSpec[];
  /** Registered as switched off: whatever it sends is refused. */
  readonly disabled: ScreenSpec;
  readonly campaigns: readonly Campaign[];
  /** Not in `registry`. */
  readonly lateCampaign: Campaign;
}

export interface WorldOptions {
  readonly seed: string;
  readonly screens: number;
  /** One for each screen and one more. */
  readonly keys: readonly KeyPair[];
  /** Sets the ids of one run apart from those of another with the same seed on the same service. */
  readonly salt?: string;
}

/** RSA keys, made in parallel on the thread pool (50 to 100 ms each). */
export function makeKeys(count: number): Promise<KeyPair[]> {
  const make = promisify(generateKeyPair);
  return Promise.all(Array.from({ length: count }, () => make('rsa', { modulusLength: 2048 })));
}

/** The same for the same options; keys apart, nothing in it is drawn from anything but the seed and the salt. */
export function makeWorld({ seed, screens, keys, salt = '' }: WorldOptions): World {
  const ids = createRandom(`${seed}/${salt}`).fork('ids');
  const random = createRandom(seed).fork('world');
  const suppliers = SUPPLIERS.map(() => ids.uuid());
  const stores = Array.from({ length: Math.max(1, Math.ceil(screens / 3)) }, (_, i) => makeStore(i, suppliers, ids, random));
  const specs = Array.from({ length: screens + 1 }, (_, index): ScreenSpec => {
    const pair = keys[index];
    if (!pair) throw new RangeError(`${screens + 1} keys are needed, ${keys.length} were given`);
    return {
      index,
      deviceId: ids.uuid(),
      keyId: `k-${ids.uuid().slice(0, 8)}`,
      algorithm: index % 4 === 3 ? 'PS256' : 'RS256',
      privateKey: pair.privateKey,
      store: stores[index % stores.length] as StoreEntry,
    };
  });
  const campaigns = ADVERTISERS.flatMap((entry) => {
    const advertiserId = ids.uuid();
    return entry.campaigns.map(({ name, spots }) => makeCampaign(advertiserId, name, spots, ids));
  });
  const lateCampaign = makeCampaign(ids.uuid(), LATE_CAMPAIGN.name, LATE_CAMPAIGN.spots, ids);
  const disabled = specs[screens] as ScreenSpec;
  return {
    seed,
    registry: {
      stores,
      devices: specs.map((spec, i) => ({
        device_id: spec.deviceId,
        store_id: spec.store.store_id,
        active: spec !== disabled,
        keys: [
          {
            key_id: spec.keyId,
            algorithm: spec.algorithm,
            public_key: (keys[i] as KeyPair).publicKey.export({ type: 'spki', format: 'pem' }),
          },
        ],
      })),
      campaigns: campaigns.map(({ campaignId, advertiserId, name }) => ({ campaign_id: campaignId, advertiser_id: advertiserId, name })),
      contents: [...campaigns, lateCampaign].flatMap(({ name, contents }) =>
        contents.map(({ contentId, seconds }) => ({ content_id: contentId, duration: seconds, name: `${name}, ${seconds} s` })),
      ),
    },
    screens: specs.slice(0, screens),
    disabled,
    campaigns,
    lateCampaign,
  };
}

function makeStore(index: number, suppliers: readonly string[], ids: Random, random: Random): StoreEntry {
  const place = random.pick(CITIES);
  const supplier = index % suppliers.length;
  return {
    store_id: ids.uuid(),
    supplier_id: suppliers[supplier] as string,
    name: `${SUPPLIERS[supplier]} ${place.city} ${index + 1}`,
    region: place.region,
    location: { lat: round(place.lat + (random.next() - 0.5) / 20), lng: round(place.lng + (random.next() - 0.5) / 20) },
    time_zone: 'Asia/Ho_Chi_Minh',
  };
}

function makeCampaign(advertiserId: string, name: string, spots: readonly number[], ids: Random): Campaign {
  return { campaignId: ids.uuid(), advertiserId, name, contents: spots.map((seconds) => ({ contentId: ids.uuid(), seconds })) };
}

/** Six decimals: about a decimetre. */
function round(degrees: number): number {
  return Math.round(degrees * 1e6) / 1e6;
}
