/**
 * A synthetic past: plays as they would stand in the archive after a month of work, without the HTTP requests that brought them.
 *
 * Each has the real binary form, a canonical text of the usual length with its true hash, and times, places and ids like those of
 * the fleet. Signatures alone are borrowed: random bytes of the right length out of a small stock, since nothing verifies them.
 */
import { hash, randomFillSync } from 'node:crypto';
import { RULE_VERSION } from '../../src/domain/limits.ts';
import type { Play, PlaybackStatus } from '../../src/domain/play.ts';
import { seeded } from '../load/random.ts';

export interface HistoryOptions {
  readonly seed: number;
  readonly logs: number;
  readonly ids: 'v7' | 'v4';
  /** The span that the plays are spread over evenly, in the order of their receipt; milliseconds since 1970 UTC. */
  readonly from: number;
  readonly to: number;
}

interface Screen {
  readonly deviceId: string;
  readonly storeId: string;
  readonly supplierId: string;
  readonly region: string;
  readonly lat: number;
  readonly lng: number;
}

const DAY_MS = 86_400_000;
export const HISTORY_DAYS = 30;

const STORES = 200;
const SUPPLIERS = 12;
const DEVICES = 2_000;
const CAMPAIGNS = 100;
const ADVERTISERS = 25;
const CONTENTS = 150;
const STOCK = 64;
const SIGNATURE_BYTES = 256;
const KEY_ID = 'bench';
const PLAY_MS = 15_000;
const PARTIAL = 0.04;
/** Most logs come within a minute, some out of a queue that was offline for hours. */
const LATE = 0.01;
const SOON_MS = 60_000;
const LATE_MS = 20 * 3_600_000;

/** Whole days of UTC that end a day before `now`, so that what is sent today is told from them by its date. */
export function historySpan(now: number): { readonly from: number; readonly to: number } {
  const to = Math.floor(now / DAY_MS) * DAY_MS - DAY_MS;
  return { from: to - HISTORY_DAYS * DAY_MS, to };
}

export class History {
  readonly #options: HistoryOptions;
  readonly #random: () => number;
  readonly #screens: readonly Screen[];
  readonly #campaigns: readonly { readonly campaignId: string; readonly advertiserId: string }[];
  readonly #contents: readonly string[];
  readonly #signatures: readonly Uint8Array[];
  readonly #hex: string[] = Array.from({ length: 0x1_0000 }, (_, i) => i.toString(16).padStart(4, '0'));
  #next = 0;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#random = seeded(options.seed);
    const ids = (length: number): string[] => Array.from({ length }, () => this.#uuid('4', null));
    const suppliers = ids(SUPPLIERS);
    const advertisers = ids(ADVERTISERS);
    const stores = ids(STORES);
    this.#screens = ids(DEVICES).map((deviceId, i) => ({
      deviceId,
      storeId: stores[i % STORES] as string,
      supplierId: suppliers[(i % STORES) % SUPPLIERS] as string,
      region: i % 2 === 0 ? 'north' : 'south',
      lat: 10.5 + (i % STORES) * 0.01,
      lng: 106.6 + (i % STORES) * 0.01,
    }));
    this.#campaigns = ids(CAMPAIGNS).map((campaignId, i) => ({ campaignId, advertiserId: advertisers[i % ADVERTISERS] as string }));
    this.#contents = ids(CONTENTS);
    this.#signatures = Array.from({ length: STOCK }, () => randomFillSync(new Uint8Array(SIGNATURE_BYTES)));
  }

  get left(): number {
    return this.#options.logs - this.#next;
  }

  next(): Play {
    const { from, to, logs, ids } = this.#options;
    const random = this.#random;
    const receivedAt = Math.floor(from + ((to - from) * this.#next) / logs);
    this.#next += 1;
    // None before the span, so that a report over it counts all of them.
    const endedAt = Math.max(from, Math.floor(receivedAt - random() * (random() < LATE ? LATE_MS : SOON_MS)));
    const screen = pick(this.#screens, random);
    const { campaignId, advertiserId } = pick(this.#campaigns, random);
    const contentId = pick(this.#contents, random);
    const logId = ids === 'v7' ? this.#uuid('7', endedAt) : this.#uuid('4', null);
    const partial = random() < PARTIAL;
    const status: PlaybackStatus = partial ? 'PARTIAL' : 'COMPLETED';
    const distanceM = Math.round(random() * 8_000) / 10;
    const { deviceId, lat, lng } = screen;
    const canonical =
      `{"campaign_id":"${campaignId}","content_id":"${contentId}","device_id":"${deviceId}","duration_actual":${partial ? 6.25 : 14.96},` +
      `"duration_expected":${PLAY_MS / 1000},"ended_at":"${new Date(endedAt).toISOString()}","key_id":"${KEY_ID}",` +
      `"location":{"lat":${near(lat, random)},"lng":${near(lng, random)}},"log_id":"${logId}","screenshot_hash":"${this.#words(16)}",` +
      `"started_at":"${new Date(endedAt - PLAY_MS).toISOString()}","status":"${status}"}`;
    return {
      logId,
      deviceId,
      campaignId,
      contentId,
      storeId: screen.storeId,
      supplierId: screen.supplierId,
      advertiserId,
      region: screen.region,
      storeLocation: { lat, lng },
      contentHash: hash('sha256', canonical, 'hex'),
      startedAt: endedAt - PLAY_MS,
      endedAt,
      receivedAt,
      durationActualMs: partial ? 6_250 : 14_960,
      durationExpectedMs: PLAY_MS,
      status,
      reportedStatus: status,
      billable: !partial,
      distanceM,
      contentKnown: true,
      clockChecked: true,
      ruleVersion: RULE_VERSION,
      keyId: KEY_ID,
      keyAlgorithm: 'RS256',
      keyValidFrom: null,
      keyValidUntil: null,
      canonical: Buffer.from(canonical, 'latin1'),
      signature: pick(this.#signatures, random),
    };
  }

  /** @param time Milliseconds that version 7 begins with. */
  #uuid(version: '4' | '7', time: number | null): string {
    const head = time === null ? this.#words(3) : time.toString(16).padStart(12, '0');
    const rest = this.#words(5);
    const variant = '89ab'[Math.floor(this.#random() * 4)] as string;
    return `${head.slice(0, 8)}-${head.slice(8)}-${version}${rest.slice(0, 3)}-${variant}${rest.slice(3, 6)}-${rest.slice(6, 18)}`;
  }

  /** Random hex digits, four a word. */
  #words(count: number): string {
    let text = '';
    for (let i = 0; i < count; i += 1) text += this.#hex[Math.floor(this.#random() * 0x1_0000)] as string;
    return text;
  }
}

function pick<T>(from: readonly T[], random: () => number): T {
  return from[Math.floor(random() * from.length)] as T;
}

/** Within a kilometre. */
function near(degrees: number, random: () => number): number {
  return Math.round((degrees + (random() - 0.5) * 0.01) * 1e5) / 1e5;
}
