/** The screens of a load: what the registry has to know of them, and the logs that they sign. */
import { hash } from 'node:crypto';
import { type FastKey, makeFastKey } from './fast-rsa.ts';
import { seeded, uuids } from './random.ts';

export interface FleetOptions {
  readonly seed: number;
  readonly devices: number;
  readonly ids: 'v7' | 'v4';
}

/** What `POST /api/v1/registry/import` takes. */
export interface FleetRegistry {
  readonly stores: readonly object[];
  readonly devices: readonly object[];
  readonly campaigns: readonly object[];
  readonly contents: readonly object[];
}

interface Device {
  readonly deviceId: string;
  readonly key: FastKey;
  readonly lat: number;
  readonly lng: number;
}

const STORES = 16;
const CAMPAIGNS = 20;
const CONTENTS = 24;
const KEY_ID = 'bench';
const PLAY_MS = 15_000;
/** Plays ended within the last hour, so that neither clock nor age matters. */
const SPREAD_MS = 3_600_000;
/** Of a thousand plays so many were cut short. */
const PARTIAL = 40;

export class Fleet {
  readonly registry: FleetRegistry;
  readonly #devices: readonly Device[];
  readonly #campaigns: readonly string[];
  readonly #contents: readonly string[];
  readonly #random: () => number;
  readonly #logId: () => string;
  #next = 0;

  constructor({ seed, devices, ids }: FleetOptions) {
    const random = seeded(seed);
    const id = uuids('v4', random, Date.now);
    const list = (length: number): string[] => Array.from({ length }, () => id());
    const stores = list(STORES).map((storeId, i) => ({ storeId, lat: 10.5 + i * 0.05, lng: 106.6 + i * 0.05 }));
    this.#random = random;
    this.#campaigns = list(CAMPAIGNS);
    this.#contents = list(CONTENTS);
    this.#devices = Array.from({ length: devices }, (_, i) => {
      const { lat, lng } = stores[i % STORES] as (typeof stores)[number];
      return { deviceId: id(), key: makeFastKey(random), lat, lng };
    });
    // Log ids are new in each run, so that a load can be repeated on the same data directory.
    this.#logId = uuids(ids, seeded(Date.now() ^ (process.pid << 8)), Date.now);
    const suppliers = list(4);
    const advertisers = list(5);
    this.registry = {
      stores: stores.map(({ storeId, lat, lng }, i) => ({
        store_id: storeId,
        name: `Bench store ${i}`,
        supplier_id: suppliers[i % suppliers.length],
        location: { lat, lng },
        region: i % 2 === 0 ? 'north' : 'south',
      })),
      devices: this.#devices.map(({ deviceId, key }, i) => ({
        device_id: deviceId,
        store_id: stores[i % STORES]?.storeId,
        keys: [{ key_id: KEY_ID, algorithm: 'RS256', public_key: key.publicKey }],
      })),
      campaigns: this.#campaigns.map((campaignId, i) => ({ campaign_id: campaignId, advertiser_id: advertisers[i % advertisers.length] })),
      contents: this.#contents.map((contentId) => ({ content_id: contentId, duration: PLAY_MS / 1000 })),
    };
  }

  /** The body of a request with `logs` logs of one screen, the screens taking turns. `ids` gets the log_ids. */
  batch(logs: number, ids: string[]): string {
    const device = this.#devices[this.#next % this.#devices.length] as Device;
    this.#next += 1;
    let body = '{"logs":[';
    for (let i = 0; i < logs; i += 1) body += (i === 0 ? '' : ',') + this.#log(device, ids);
    return `${body}]}`;
  }

  single(ids: string[]): string {
    const device = this.#devices[this.#next % this.#devices.length] as Device;
    this.#next += 1;
    return this.#log(device, ids);
  }

  /** Members in the order of RFC 8785, all optional ones there: the longest log that a usual screen sends. */
  #log({ deviceId, key, lat, lng }: Device, ids: string[]): string {
    const random = this.#random;
    const logId = this.#logId();
    ids.push(logId);
    const ended = Date.now() - Math.floor(random() * SPREAD_MS);
    const partial = random() * 1000 < PARTIAL;
    const screenshot = hash('sha256', logId, 'hex');
    const canonical =
      `{"campaign_id":"${pick(this.#campaigns, random)}","content_id":"${pick(this.#contents, random)}","device_id":"${deviceId}",` +
      `"duration_actual":${partial ? 6.25 : 14.96},"duration_expected":${PLAY_MS / 1000},"ended_at":"${instant(ended)}","key_id":"${KEY_ID}",` +
      `"location":{"lat":${near(lat, random)},"lng":${near(lng, random)}},"log_id":"${logId}","screenshot_hash":"${screenshot}",` +
      `"started_at":"${instant(ended - PLAY_MS)}","status":"${partial ? 'PARTIAL' : 'COMPLETED'}"}`;
    const signature = key.sign(hash('sha256', canonical, 'buffer')).toString('base64');
    return `${canonical.slice(0, -1)},"signature":"${signature}"}`;
  }
}

function pick(from: readonly string[], random: () => number): string {
  return from[Math.floor(random() * from.length)] as string;
}

/** Within a kilometre. */
function near(degrees: number, random: () => number): number {
  return Math.round((degrees + (random() - 0.5) * 0.01) * 1e5) / 1e5;
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
