/** Stores, campaigns and contents in SQLite: what is registered under an id is replaced as a whole. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { ChangeLog } from './database.ts';
import { retired } from './refusals.ts';
import type { EntryTypes, Kind, Put } from './registry.ts';

/** The entries of one kind. Writing happens inside the caller's transaction, `now` in milliseconds. */
export interface EntryTable<K extends Kind> {
  put(id: string, fields: EntryTypes[K]['fields'], now: number): Put<EntryTypes[K]['entry']>;
  get(id: string): EntryTypes[K]['entry'] | null;
  list(after: string | null, limit: number): EntryTypes[K]['entry'][];
  retire(id: string, now: number): boolean;
}

export type Row = Record<string, unknown>;

interface Shape<K extends Kind> {
  readonly kind: K;
  readonly table: string;
  readonly columns: readonly string[];
  /** In the order of `columns`. */
  readonly toValues: (fields: EntryTypes[K]['fields']) => SQLInputValue[];
  readonly fromRow: (row: Row) => EntryTypes[K]['entry'];
}

export const STORE_SHAPE: Shape<'store'> = {
  kind: 'store',
  table: 'stores',
  columns: ['supplier_id', 'name', 'lat', 'lng', 'region', 'time_zone'],
  toValues: ({ supplierId, name, location, region, timeZone }) => [supplierId, name, location.lat, location.lng, region, timeZone],
  fromRow: (row) => ({
    storeId: row.id as string,
    supplierId: row.supplier_id as string,
    name: row.name as string,
    location: { lat: row.lat as number, lng: row.lng as number },
    region: row.region as string | null,
    timeZone: row.time_zone as string | null,
  }),
};

export const CAMPAIGN_SHAPE: Shape<'campaign'> = {
  kind: 'campaign',
  table: 'campaigns',
  columns: ['advertiser_id', 'name'],
  toValues: ({ advertiserId, name }) => [advertiserId, name],
  fromRow: (row) => ({ campaignId: row.id as string, advertiserId: row.advertiser_id as string, name: row.name as string | null }),
};

export const CONTENT_SHAPE: Shape<'content'> = {
  kind: 'content',
  table: 'contents',
  columns: ['duration_ms', 'name'],
  toValues: ({ durationMs, name }) => [durationMs, name],
  fromRow: (row) => ({ contentId: row.id as string, durationMs: row.duration_ms as number, name: row.name as string | null }),
};

export class ReplacedEntries<K extends Kind> implements EntryTable<K> {
  readonly #shape: Shape<K>;
  readonly #changes: ChangeLog;
  readonly #find: StatementSync;
  readonly #page: StatementSync;
  readonly #upsert: StatementSync;
  readonly #retire: StatementSync;

  constructor(db: DatabaseSync, changes: ChangeLog, shape: Shape<K>) {
    const { table, columns } = shape;
    this.#shape = shape;
    this.#changes = changes;
    this.#find = db.prepare(`SELECT * FROM ${table} WHERE id = ?`);
    this.#page = db.prepare(`SELECT * FROM ${table} WHERE id > ? AND retired_at IS NULL ORDER BY id LIMIT ?`);
    this.#upsert = db.prepare(`
      INSERT INTO ${table} (id, ${columns.join(', ')}) VALUES (?${', ?'.repeat(columns.length)})
      ON CONFLICT (id) DO UPDATE SET ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}`);
    this.#retire = db.prepare(`UPDATE ${table} SET retired_at = ? WHERE id = ?`);
  }

  put(id: string, fields: EntryTypes[K]['fields']): Put<EntryTypes[K]['entry']> {
    const { kind, columns, toValues, fromRow } = this.#shape;
    const before = this.#find.get(id);
    if (before && before.retired_at !== null) throw retired(kind, id);
    const values = toValues(fields);
    if (before && columns.every((column, place) => before[column] === values[place])) return { created: false, entry: fromRow(before) };
    this.#upsert.run(id, ...values);
    this.#changes.note(kind, id);
    return { created: before === undefined, entry: fromRow(this.#find.get(id) as Row) };
  }

  get(id: string): EntryTypes[K]['entry'] | null {
    const row = this.#find.get(id);
    return row && row.retired_at === null ? this.#shape.fromRow(row) : null;
  }

  list(after: string | null, limit: number): EntryTypes[K]['entry'][] {
    return this.#page.all(after ?? '', limit).map(this.#shape.fromRow);
  }

  retire(id: string, now: number): boolean {
    const row = this.#find.get(id);
    if (!row) return false;
    if (row.retired_at === null) {
      this.#retire.run(now, id);
      this.#changes.note(this.#shape.kind, id);
    }
    return true;
  }
}
