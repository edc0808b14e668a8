/** Searching the registry, and the names of what a token may see. */
import type { FastifyPluginAsync } from 'fastify';
import { Type } from 'typebox';
import type { AnalyticsQueries } from '../query/analytics-port.ts';
import { KINDS, type Kind } from '../registry/registry.ts';
import { type Identity, type Scope, scopeOf } from '../server/access.ts';
import { Problem } from '../server/problem.ts';
import { Cursor, Limit, limitOf, Nullable, problemResponses, Uuid } from '../server/schemas.ts';
import { type Directory, type Listed, matches, wordsOf } from './directory.ts';

/** More are not named at once; what is not named is shown by its id. */
const MAX_NAMES = 20_000;
const MAX_SEARCH = 200;

const KindSchema = Type.Enum([...KINDS]);
const ListedSchema = Type.Object({
  kind: KindSchema,
  id: Uuid,
  name: Nullable(Type.String({ description: 'For a device the name of its store' })),
  store_id: Type.Optional(Uuid),
  supplier_id: Type.Optional(Uuid),
  advertiser_id: Type.Optional(Uuid),
  region: Type.Optional(Nullable(Type.String())),
  time_zone: Type.Optional(Nullable(Type.String())),
  location: Type.Optional(Type.Object({ lat: Type.Number(), lng: Type.Number() })),
  duration: Type.Optional(Type.Number({ description: 'Seconds' })),
  active: Type.Optional(Type.Boolean()),
  keys: Type.Optional(Type.Integer()),
});

const SearchAnswer = Type.Object({
  items: Type.Array(ListedSchema, { description: 'By name, then by id' }),
  next_cursor: Nullable(Type.String()),
  total: Type.Integer({ description: 'How many there are that match' }),
  truncated: Type.Boolean({ description: 'The registry holds more than can be searched' }),
});

const NamesAnswer = Type.Object({
  items: Type.Array(
    Type.Object({
      id: Uuid,
      name: Nullable(Type.String()),
      region: Type.Optional(Nullable(Type.String())),
      time_zone: Type.Optional(Nullable(Type.String())),
    }),
  ),
  truncated: Type.Boolean({ description: 'There are more than are named here' }),
});

export interface DirectoryRoutesDeps {
  readonly directory: Directory;
  readonly analytics: AnalyticsQueries;
}

/** `GET /api/v1/search` and `GET /api/v1/names` */
export function directoryRoutes({ directory, analytics }: DirectoryRoutesDeps): FastifyPluginAsync {
  return async (app) => {
    app.get<{ Querystring: { kind: Kind; q?: string; limit?: string; cursor?: string } }>(
      '/api/v1/search',
      {
        config: { access: 'operator' },
        schema: {
          tags: ['registry'],
          summary: 'Search what is registered, by name, region and id',
          querystring: Type.Object({
            kind: KindSchema,
            q: Type.Optional(Type.String({ maxLength: MAX_SEARCH, description: 'Words, in any order; case and accents do not matter' })),
            limit: Type.Optional(Limit),
            cursor: Type.Optional(Cursor),
          }),
          response: { 200: SearchAnswer, ...problemResponses('invalid_parameter', 'unauthorized', 'forbidden', 'unavailable') },
        },
      },
      async (request) => {
        const { kind, q = '', cursor } = request.query;
        const limit = limitOf(request.query.limit);
        const start = cursor === undefined ? 0 : startOf(cursor);
        const { items, truncated } = await directory.list(kind);
        const words = wordsOf(q);
        const found = words.length === 0 ? items : items.filter((item) => matches(item, words));
        const end = start + limit;
        return {
          items: found.slice(start, end),
          next_cursor: end < found.length ? Buffer.from(`s${end}`).toString('base64url') : null,
          total: found.length,
          truncated,
        };
      },
    );
    app.get<{ Querystring: { kind: Kind } }>(
      '/api/v1/names',
      {
        config: { access: 'reader' },
        schema: {
          tags: ['registry'],
          summary: 'The names of what the plays refer to',
          description: 'Suppliers and advertisers hear the names of their own, and of what their plays name.',
          querystring: Type.Object({ kind: KindSchema }),
          response: { 200: NamesAnswer, ...problemResponses('invalid_parameter', 'unauthorized', 'unavailable') },
        },
      },
      async (request) => {
        const { kind } = request.query;
        const { items, truncated } = await directory.list(kind);
        const visible = await visibleTo(request.identity, kind, items, analytics);
        return { items: visible.slice(0, MAX_NAMES).map(nameOf), truncated: truncated || visible.length > MAX_NAMES };
      },
    );
  };
}

function nameOf({ id, name, region, time_zone }: Listed) {
  return { id, name, ...(region !== undefined && { region }), ...(time_zone !== undefined && { time_zone }) };
}

/** Whoever sees everything sees every name. Others: what is theirs by the registry, and what stands in plays of theirs. */
async function visibleTo(
  identity: Identity,
  kind: Kind,
  items: readonly Listed[],
  analytics: AnalyticsQueries,
): Promise<readonly Listed[]> {
  const scope = scopeOf(identity);
  if (scope.supplierId === null && scope.advertiserId === null) return items;
  const played = await playedIds(kind, scope, analytics);
  return items.filter(
    (item) =>
      played.has(item.id) ||
      (scope.supplierId !== null && item.supplier_id === scope.supplierId) ||
      (scope.advertiserId !== null && item.advertiser_id === scope.advertiserId),
  );
}

async function playedIds(kind: Kind, scope: Scope, analytics: AnalyticsQueries): Promise<ReadonlySet<string>> {
  const own = scope.supplierId === null ? 'advertiser_id' : 'supplier_id';
  const rows = await analytics.rows<{ id: string }>(
    `SELECT DISTINCT toString(p.${kind}_id) AS id FROM playproof.plays AS p WHERE p.${own} = {own:UUID} LIMIT ${MAX_NAMES}`,
    { own: scope.supplierId ?? scope.advertiserId ?? '' },
  );
  return new Set(rows.map(({ id }) => id));
}

function startOf(cursor: string): number {
  const start = /^s(\d{1,9})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))?.[1];
  if (start === undefined || Buffer.from(`s${start}`).toString('base64url') !== cursor)
    throw new Problem('invalid_parameter', 'The parameter "cursor" must be a next_cursor of this search, as it was answered.');
  return Number(start);
}
