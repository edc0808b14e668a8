/** A small world: two suppliers with a store each, screens with keys, two advertisers with a campaign each, one content. */
import { randomUUID } from 'node:crypto';
import { seeded, uuids } from '../../bench/load/random.ts';
import { call } from './http.ts';
import type { Service } from './service.ts';
import { type LogFields, logFields, makeKey, type SignedLog, type SigningKey, signLog } from './signing.ts';

export interface TestStore {
  readonly storeId: string;
  readonly supplierId: string;
  readonly location: { readonly lat: number; readonly lng: number };
}

export interface TestDevice {
  readonly deviceId: string;
  readonly store: TestStore;
  readonly key: SigningKey;
}

export interface TestCampaign {
  readonly campaignId: string;
  readonly advertiserId: string;
}

export interface World {
  readonly stores: readonly [TestStore, TestStore];
  readonly devices: readonly TestDevice[];
  readonly campaigns: readonly [TestCampaign, TestCampaign];
  /** In the catalogue with 15 seconds. */
  readonly contentId: string;
}

export interface WorldOptions {
  /** The key of a screen by its place; RSA-2048 keys without it, which cost about 0.2 s each. */
  readonly key?: (device: number) => SigningKey;
  /** Makes ids; at random without it and without a seed. */
  readonly id?: () => string;
  /** Of the ids: the same seed gives the same, and so the same partition to each screen. */
  readonly seed?: number;
}

/** @param devices How many screens; those of odd places stand in the second store. */
export function makeWorld(devices = 2, { key = oneOfBoth, seed, id = idsFrom(seed) }: WorldOptions = {}): World {
  const store = (lat: number, lng: number): TestStore => ({ storeId: id(), supplierId: id(), location: { lat, lng } });
  const campaign = (): TestCampaign => ({ campaignId: id(), advertiserId: id() });
  const stores = [store(10.7725, 106.698), store(21.0285, 105.8542)] as const;
  return {
    stores,
    devices: Array.from({ length: devices }, (_, i) => ({ deviceId: id(), store: stores[i % 2] as TestStore, key: key(i) })),
    campaigns: [campaign(), campaign()],
    contentId: id(),
  };
}

/** Makes ids out of a seed; at random without one. */
export function idsFrom(seed?: number): () => string {
  return seed === undefined ? randomUUID : uuids('v4', seeded(seed), Date.now);
}

function oneOfBoth(device: number): SigningKey {
  return makeKey('k1', device % 4 === 3 ? 'PS256' : 'RS256');
}

/** The world as `POST /api/v1/registry/import` takes it. */
export function importDocument({ stores, devices, campaigns, contentId }: World): Record<string, unknown> {
  return {
    stores: stores.map(({ storeId, supplierId, location }, i) => ({
      store_id: storeId,
      supplier_id: supplierId,
      location,
      name: `Store ${i + 1}`,
      region: i === 0 ? 'South' : 'North',
    })),
    devices: devices.map(({ deviceId, store, key }) => ({
      device_id: deviceId,
      store_id: store.storeId,
      keys: [{ key_id: key.keyId, algorithm: key.algorithm, public_key: key.publicKey }],
    })),
    campaigns: campaigns.map(({ campaignId, advertiserId }) => ({ campaign_id: campaignId, advertiser_id: advertiserId })),
    contents: [{ content_id: contentId, duration: 15 }],
  };
}

/** Registers the world over HTTP. @throws Error with the refusal. */
export async function importWorld(service: Service, world: World): Promise<void> {
  const answer = await call(service, '/api/v1/registry/import', { body: importDocument(world) });
  if (answer.status !== 200) throw new Error(`the import was answered ${answer.status}: ${answer.text}`);
}

export interface PlayOptions {
  readonly device?: number;
  readonly campaign?: 0 | 1;
  readonly endedAt?: number;
  /** Signs instead of the device's own key. */
  readonly key?: SigningKey;
}

/** Fields of a good log of one of the world's screens. */
export function playFields(world: World, options: PlayOptions = {}, changes: LogFields = {}): LogFields {
  const device = deviceOf(world, options);
  return logFields(
    {
      deviceId: device.deviceId,
      campaignId: world.campaigns[options.campaign ?? 0].campaignId,
      contentId: world.contentId,
      ...(options.endedAt !== undefined && { endedAt: options.endedAt }),
    },
    changes,
  );
}

/** A good log of one of the world's screens, signed by its key. */
export function play(world: World, options: PlayOptions = {}, changes: LogFields = {}): SignedLog {
  return signLog(playFields(world, options, changes), options.key ?? deviceOf(world, options).key);
}

function deviceOf(world: World, { device = 0 }: PlayOptions): TestDevice {
  const found = world.devices[device];
  if (!found) throw new Error(`the world has no device ${device}`);
  return found;
}
