/** The rows of `registry.db` as whole entries: retired ones too, with every assignment and with what each key was registered as. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { keyFromRow } from '../registry/facts.ts';
import type { WholeDevice, WholeEntry, WholeToken } from '../registry/merge.ts';
import type { Kind } from '../registry/registry.ts';
import { CAMPAIGN_SHAPE, CONTENT_SHAPE, type Row, STORE_SHAPE } from '../registry/sqlite-entries.ts';
import type { Role } from '../server/access.ts';

const TABLES = { store: 'stores', device: 'devices', campaign: 'campaigns', content: 'contents' } as const;

export class RegistryRows {
  readonly #db: DatabaseSync;
  readonly #pages: Readonly<Record<Kind, StatementSync>>;
  readonly #assignments: StatementSync;
  readonly #keys: StatementSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
    const page = (kind: Kind): StatementSync => db.prepare(`SELECT * FROM ${TABLES[kind]} WHERE id > ? ORDER BY id LIMIT ?`);
    this.#pages = { store: page('store'), device: page('device'), campaign: page('campaign'), content: page('content') };
    this.#assignments = db.prepare('SELECT store_id, active, since FROM assignments WHERE device_id = ? ORDER BY place');
    this.#keys = db.prepare('SELECT * FROM keys WHERE device_id = ? ORDER BY place');
  }

  counts(): { readonly tokens: number; readonly entries: Readonly<Record<Kind, number>> } {
    const rows = (table: string): number => (this.#db.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n;
    const { store, device, campaign, content } = TABLES;
    return {
      tokens: rows('tokens'),
      entries: { store: rows(store), device: rows(device), campaign: rows(campaign), content: rows(content) },
    };
  }

  entries<K extends Kind>(kind: K, after: string | null, limit: number): readonly WholeEntry<K>[] {
    return this.#pages[kind].all(after ?? '', limit).map((row) => ({
      id: row.id as string,
      retiredAt: row.retired_at as number | null,
      entry: this.#entry(kind, row),
    })) as WholeEntry[] as WholeEntry<K>[];
  }

  tokens(): readonly WholeToken[] {
    const rows = this.#db.prepare('SELECT hash, role, supplier_id, advertiser_id, label, first_start, created_at FROM tokens').all();
    return rows.map((row) => ({
      hash: row.hash as Uint8Array,
      holder: {
        role: row.role as Role,
        supplierId: row.supplier_id as string | null,
        advertiserId: row.advertiser_id as string | null,
        label: row.label as string | null,
      },
      firstStart: row.first_start === 1,
      createdAt: row.created_at as number,
    }));
  }

  #entry(kind: Kind, row: Row): WholeEntry['entry'] {
    if (kind === 'device') return this.#device(row.id as string);
    if (kind === 'store') {
      const { storeId: _id, ...fields } = STORE_SHAPE.fromRow(row);
      return fields;
    }
    if (kind === 'campaign') {
      const { campaignId: _id, ...fields } = CAMPAIGN_SHAPE.fromRow(row);
      return fields;
    }
    const { contentId: _id, ...fields } = CONTENT_SHAPE.fromRow(row);
    return fields;
  }

  #device(id: string): WholeDevice {
    return {
      assignments: this.#assignments.all(id).map((row) => ({
        storeId: row.store_id as string,
        active: row.active === 1,
        since: row.since as number | null,
      })),
      keys: this.#keys.all(id).map((row) => ({ ...keyFromRow(row), registeredUntil: row.registered_until as number | null })),
    };
  }
}
