/** Which plays are asked for: the filters that reports and the list share, narrowed to what the asker may see. */
import { type Static, Type } from 'typebox';
import { STATUSES } from '../domain/play.ts';
import { parseTimestamp } from '../domain/timestamp.ts';
import type { Scope } from '../server/access.ts';
import { Problem } from '../server/problem.ts';
import { listOf, Repeatable, Uuid } from '../server/schemas.ts';
import type { QueryParams } from './analytics-port.ts';

const INSTANT = { maxLength: 40, examples: ['2026-05-01T00:00:00Z'] };
const Ids = Type.Optional(Repeatable(Uuid));

/** Parameters of the address. Each filter can be repeated: any of its values will do. */
export const PlayFilterSchema = {
  campaign_id: Ids,
  device_id: Ids,
  store_id: Ids,
  supplier_id: Ids,
  advertiser_id: Ids,
  content_id: Ids,
  region: Type.Optional(Repeatable(Type.String({ maxLength: 100, description: 'Of the store; empty: stores without a region' }))),
  status: Type.Optional(Repeatable(Type.Enum([...STATUSES]))),
  from: Type.Optional(Type.String({ ...INSTANT, description: 'Plays with `from` <= ended_at; RFC 3339 with an offset' })),
  to: Type.Optional(Type.String({ ...INSTANT, description: 'Plays with ended_at < `to`; RFC 3339 with an offset' })),
};

const QuerySchema = Type.Object(PlayFilterSchema);
export type PlayFilterQuery = Static<typeof QuerySchema>;

const ID_FILTERS = ['campaign_id', 'device_id', 'store_id', 'supplier_id', 'advertiser_id', 'content_id'] as const;

export interface PlayFilter {
  /** Lower-case ids by filter; absent: any. */
  readonly ids: ReadonlyMap<(typeof ID_FILTERS)[number], readonly string[]>;
  readonly statuses: readonly string[];
  readonly regions: readonly string[];
  /** Milliseconds since 1970 UTC; `from` <= ended_at < `to`. */
  readonly from: number | null;
  readonly to: number | null;
}

/** @throws Problem invalid_parameter */
export function parsePlayFilter(query: PlayFilterQuery): PlayFilter {
  const ids = new Map<(typeof ID_FILTERS)[number], readonly string[]>();
  for (const name of ID_FILTERS) {
    const values = listOf(query[name]).map((value) => value.toLowerCase());
    if (values.length > 0) ids.set(name, values);
  }
  const from = instantOf('from', query.from);
  const to = instantOf('to', query.to);
  if (from !== null && to !== null && from >= to) throw new Problem('invalid_parameter', 'The parameter "from" must lie before "to".');
  return { ids, statuses: listOf(query.status), regions: listOf(query.region), from, to };
}

function instantOf(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const instant = parseTimestamp(text);
  if (instant !== undefined) return instant;
  // A plus sign in an address means a space, and that is how an offset east of Greenwich gets lost.
  const lostPlus = /^\S+T\S+ \d\d:\d\d$/.test(text) ? ' Write the "+" of the offset as %2B.' : '';
  throw new Problem(
    'invalid_parameter',
    `The parameter "${name}" must be an RFC 3339 instant with an offset, such as 2026-05-01T00:00:00Z.${lostPlus}`,
  );
}

export interface Condition {
  /** Joined by AND, on the table under the name `p`; never empty. */
  readonly sql: string;
  readonly params: QueryParams;
}

/** What can be asked in parts, so that an empty answer can be explained. */
export interface FilterParts {
  /** The scope and the filters. */
  readonly filters?: boolean;
  readonly span?: boolean;
}

/** The scope is a condition of its own: asking for somebody else's plays finds nothing, and says nothing about them. */
export function conditionOf(filter: PlayFilter, scope: Scope, parts: FilterParts = { filters: true, span: true }): Condition {
  const sql = ['1'];
  const params: Record<string, string | number | readonly string[]> = {};
  const add = (condition: string, name: string, value: string | number | readonly string[]): void => {
    sql.push(condition);
    params[name] = value;
  };
  if (scope.supplierId !== null) add('p.supplier_id = {scope_supplier:UUID}', 'scope_supplier', scope.supplierId);
  if (scope.advertiserId !== null) add('p.advertiser_id = {scope_advertiser:UUID}', 'scope_advertiser', scope.advertiserId);
  if (parts.filters) {
    for (const [name, values] of filter.ids) add(`p.${name} IN ({${name}:Array(UUID)})`, name, values);
    if (filter.regions.length > 0) add('p.region IN ({region:Array(String)})', 'region', filter.regions);
    if (filter.statuses.length > 0) add('toString(p.status) IN ({status:Array(String)})', 'status', filter.statuses);
  }
  if (parts.span) {
    if (filter.from !== null) add(`p.ended_at >= ${instantParam('from')}`, 'from', storable(filter.from));
    if (filter.to !== null) add(`p.ended_at < ${instantParam('to')}`, 'to', storable(filter.to));
  }
  return { sql: sql.join(' AND '), params };
}

export function instantParam(name: string): string {
  return `fromUnixTimestamp64Milli({${name}:Int64}, 'UTC')`;
}

/** What DateTime64(3) can say; no play lies outside. */
const FIRST_STORABLE = Date.UTC(1900, 0, 1);
const LAST_STORABLE = Date.UTC(2299, 11, 31);

export function storable(instant: number): number {
  return Math.min(Math.max(instant, FIRST_STORABLE), LAST_STORABLE);
}
