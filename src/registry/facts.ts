/** From the registry's rows to the facts that logs are judged by. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Assignment, CampaignFacts, ContentFacts, DeviceFacts, DeviceKey, SignatureAlgorithm, StoreFacts } from '../domain/facts.ts';

/** An assignment as it was registered, with the store it names. */
export interface RegisteredAssignment {
  readonly store: StoreFacts;
  readonly storeRetiredAt: number | null;
  readonly active: boolean;
  readonly since: number | null;
}

/**
 * The history as it counts: what was registered, made inactive from the instant on at which the store or the device was
 * retired.
 */
export function effectiveAssignments(registered: readonly RegisteredAssignment[], deviceRetiredAt: number | null): Assignment[] {
  const result: Assignment[] = [];
  const deviceEnd = deviceRetiredAt ?? Number.POSITIVE_INFINITY;
  for (const [place, { store, storeRetiredAt, active, since }] of registered.entries()) {
    const start = since ?? Number.NEGATIVE_INFINITY;
    if (start >= deviceEnd) break;
    const end = Math.min(registered[place + 1]?.since ?? Number.POSITIVE_INFINITY, deviceEnd);
    const storeEnd = storeRetiredAt ?? Number.POSITIVE_INFINITY;
    result.push({ store, active: active && start < storeEnd, since });
    if (active && start < storeEnd && storeEnd < end) result.push({ store, active: false, since: storeEnd });
  }
  const last = result.at(-1);
  if (last?.active && deviceRetiredAt !== null) result.push({ store: last.store, active: false, since: deviceRetiredAt });
  return result;
}

/** Reads facts through one connection. A device is read by three statements: call it inside a snapshot. */
export class FactReader {
  readonly #device: StatementSync;
  readonly #assignments: StatementSync;
  readonly #keys: StatementSync;
  readonly #campaign: StatementSync;
  readonly #content: StatementSync;

  constructor(db: DatabaseSync) {
    this.#device = db.prepare('SELECT retired_at FROM devices WHERE id = ?');
    this.#assignments = db.prepare(`
      SELECT a.store_id, a.active, a.since, s.supplier_id, s.lat, s.lng, s.region, s.retired_at
      FROM assignments a JOIN stores s ON s.id = a.store_id WHERE a.device_id = ? ORDER BY a.place`);
    this.#keys = db.prepare(`
      SELECT key_id, algorithm, public_key, valid_from, valid_until, compromised_at
      FROM keys WHERE device_id = ? ORDER BY valid_from DESC NULLS LAST, place DESC`);
    this.#campaign = db.prepare('SELECT advertiser_id, retired_at FROM campaigns WHERE id = ?');
    this.#content = db.prepare('SELECT duration_ms FROM contents WHERE id = ? AND retired_at IS NULL');
  }

  /** Keys come newest first, the order in which they are tried. */
  device(deviceId: string): DeviceFacts | null {
    const row = this.#device.get(deviceId);
    if (!row) return null;
    const registered = this.#assignments.all(deviceId).map((one) => ({
      store: {
        storeId: one.store_id as string,
        supplierId: one.supplier_id as string,
        location: { lat: one.lat as number, lng: one.lng as number },
        region: one.region as string | null,
      },
      storeRetiredAt: one.retired_at as number | null,
      active: one.active === 1,
      since: one.since as number | null,
    }));
    return {
      deviceId,
      assignments: effectiveAssignments(registered, row.retired_at as number | null),
      keys: this.#keys.all(deviceId).map(keyFromRow),
    };
  }

  campaign(campaignId: string): CampaignFacts | null {
    const row = this.#campaign.get(campaignId);
    if (!row) return null;
    return { campaignId, advertiserId: row.advertiser_id as string, retiredAt: row.retired_at as number | null };
  }

  content(contentId: string): ContentFacts | null {
    const row = this.#content.get(contentId);
    return row ? { contentId, durationMs: row.duration_ms as number } : null;
  }
}

export function keyFromRow(row: Record<string, unknown>): DeviceKey {
  return {
    keyId: row.key_id as string,
    algorithm: row.algorithm as SignatureAlgorithm,
    publicKey: row.public_key as string,
    validFrom: row.valid_from as number | null,
    validUntil: row.valid_until as number | null,
    compromisedAt: row.compromised_at as number | null,
  };
}
