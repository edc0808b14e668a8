/** When each device was last heard, and what it played: from analytics, held against what is registered. */
import type { AnalyticsQueries } from '../query/analytics-port.ts';
import { instantParam } from '../query/play-filter.ts';
import type { Scope } from '../server/access.ts';
import type { SentAt } from '../accept/send-times.ts';
import { type Directory, type Listed, matches } from './directory.ts';

const HOUR_MS = 3_600_000;
export const ACTIVITY_SPAN_MS = 24 * HOUR_MS;
/** Heard within this: it is sending now. */
const HEARD_WITHIN_MS = 5 * 60_000;
/** How long an answer is used again: everybody who watches asks for the same. */
const CACHE_MS = 2_000;
const MAX_SCOPES = 100;

export const STATES = ['heard', 'quiet', 'silent', 'inactive'] as const;
/** heard: within five minutes. quiet: within the span. silent: registered and active, and not at all. inactive: switched off. */
export type DeviceState = (typeof STATES)[number];

export interface DeviceActivity {
  readonly device_id: string;
  readonly store_id: string | null;
  readonly store_name: string | null;
  readonly registered: boolean;
  readonly state: DeviceState;
  /** Milliseconds since 1970 UTC; null: not within the span. */
  readonly lastReceived: number | null;
  readonly lastEnded: number | null;
  readonly plays: number;
  readonly billable: number;
  readonly clock: SentAt | null;
}

interface HeardRow {
  readonly device: string;
  readonly store: string;
  readonly last_received: number;
  readonly last_ended: number;
  readonly n: number;
  readonly n_billable: number;
}

export interface ActivityDeps {
  readonly analytics: AnalyticsQueries;
  readonly directory: Directory;
  /** What a device's clock said when it last sent something; null: not seen by this process. */
  readonly clockOf: (deviceId: string) => SentAt | null;
  readonly now: () => number;
}

export class DeviceActivities {
  readonly #deps: ActivityDeps;
  readonly #cache = new Map<string, { readonly madeAt: number; readonly list: Promise<readonly DeviceActivity[]> }>();

  constructor(deps: ActivityDeps) {
    this.#deps = deps;
  }

  /** Every device within the scope: those that were heard in the last 24 hours, last heard first, then the others. */
  async list(scope: Scope): Promise<readonly DeviceActivity[]> {
    const key = `${scope.supplierId}/${scope.advertiserId}`;
    const now = this.#deps.now();
    const known = this.#cache.get(key);
    if (known && now - known.madeAt < CACHE_MS) return known.list;
    const list = this.#read(scope, now);
    if (this.#cache.size >= MAX_SCOPES) this.#cache.clear();
    this.#cache.set(key, { madeAt: now, list });
    list.catch(() => this.#cache.delete(key));
    return list;
  }

  async #read(scope: Scope, now: number): Promise<readonly DeviceActivity[]> {
    const [registered, heard] = await Promise.all([this.#registered(scope), this.#heard(scope, now)]);
    const found: DeviceActivity[] = [];
    for (const row of heard.values()) {
      const device = registered.get(row.device);
      const state: DeviceState = device?.active === false ? 'inactive' : now - row.last_received <= HEARD_WITHIN_MS ? 'heard' : 'quiet';
      found.push({
        device_id: row.device,
        store_id: device?.store_id ?? row.store,
        store_name: device?.name ?? null,
        registered: device !== undefined,
        state,
        lastReceived: row.last_received,
        lastEnded: row.last_ended,
        plays: row.n,
        billable: row.n_billable,
        clock: scope.advertiserId === null ? this.#deps.clockOf(row.device) : null,
      });
    }
    found.sort((a, b) => (b.lastReceived ?? 0) - (a.lastReceived ?? 0) || (a.device_id < b.device_id ? -1 : 1));
    // An advertiser sees where its plays ran; which other screens there are is not its business.
    if (scope.advertiserId !== null) return found;
    for (const device of registered.values()) if (!heard.has(device.id)) found.push(this.#unheard(device));
    return found;
  }

  #unheard(device: Listed): DeviceActivity {
    return {
      device_id: device.id,
      store_id: device.store_id ?? null,
      store_name: device.name,
      registered: true,
      state: device.active === false ? 'inactive' : 'silent',
      lastReceived: null,
      lastEnded: null,
      plays: 0,
      billable: 0,
      clock: this.#deps.clockOf(device.id),
    };
  }

  async #registered({ supplierId }: Scope): Promise<ReadonlyMap<string, Listed>> {
    const { directory } = this.#deps;
    const [devices, stores] = await Promise.all([directory.list('device'), directory.list('store')]);
    if (supplierId === null) return devices.byId;
    const own = devices.items.filter((device) => stores.byId.get(device.store_id ?? '')?.supplier_id === supplierId);
    return new Map(own.map((device) => [device.id, device]));
  }

  async #heard({ supplierId, advertiserId }: Scope, now: number): Promise<ReadonlyMap<string, HeardRow>> {
    const scoped =
      (supplierId === null ? '' : ' AND p.supplier_id = {supplier:UUID}') +
      (advertiserId === null ? '' : ' AND p.advertiser_id = {advertiser:UUID}');
    const rows = await this.#deps.analytics.rows<HeardRow>(
      `SELECT toString(p.device_id) AS device, toString(argMax(p.store_id, p.received_at)) AS store, count() AS n, countIf(p.billable) AS n_billable,
         toUnixTimestamp64Milli(max(p.received_at)) AS last_received, toUnixTimestamp64Milli(max(p.ended_at)) AS last_ended
       FROM playproof.plays AS p FINAL WHERE p.ended_at >= ${instantParam('from')}${scoped} GROUP BY p.device_id LIMIT 200000`,
      {
        from: now - ACTIVITY_SPAN_MS,
        ...(supplierId !== null && { supplier: supplierId }),
        ...(advertiserId !== null && { advertiser: advertiserId }),
      },
    );
    return new Map(rows.map((row) => [row.device, row]));
  }
}

export function fits({ device_id: id, store_name: name }: DeviceActivity, words: readonly string[]): boolean {
  return matches({ kind: 'device', id, name }, words);
}
