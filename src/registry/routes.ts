/** The registry over HTTP. Reading takes the role operator, changing anything the role admin. */
import type { FastifyInstance, FastifyPluginAsync, FastifyReply } from 'fastify';
import { type Static, type TObject, type TSchema, Type } from 'typebox';
import { isUuid } from '../domain/uuid.ts';
import { Problem } from '../server/problem.ts';
import { Cursor, Limit, limitOf, Page, problemResponses, Uuid } from '../server/schemas.ts';
import { importRoute } from './import-route.ts';
import type { EntryTypes, Kind, Registry } from './registry.ts';
import {
  CampaignBody,
  CampaignObject,
  ContentBody,
  ContentObject,
  DeviceBody,
  DeviceObject,
  KeyBody,
  KeyId,
  KeyObject,
  RevokeBody,
  StoreBody,
  StoreObject,
} from './schemas.ts';
import {
  decodeCampaign,
  decodeContent,
  decodeDevice,
  decodeKey,
  decodeRevocation,
  decodeStore,
  encodeCampaign,
  encodeContent,
  encodeDevice,
  encodeKey,
  encodeStore,
  type Report,
} from './wire.ts';

export interface RegistryRoutesDeps {
  readonly registry: Registry;
}

/** Every route of the registry, under `/api/v1`. */
export function registryRoutes({ registry }: RegistryRoutesDeps): FastifyPluginAsync {
  return async (app) => {
    addKind(app, registry, STORES);
    addKind(app, registry, DEVICES);
    addKind(app, registry, CAMPAIGNS);
    addKind(app, registry, CONTENTS);
    addKeys(app, registry);
    await app.register(importRoute(registry));
  };
}

interface KindRoutes<K extends Kind, B extends TSchema> {
  readonly kind: K;
  /** The collection; `a` names one of it in sentences. */
  readonly path: string;
  readonly a: string;
  readonly idName: string;
  readonly body: B;
  readonly object: TObject;
  readonly decode: (body: Static<B>, report: Report) => EntryTypes[K]['fields'];
  readonly encode: (entry: EntryTypes[K]['entry']) => unknown;
  readonly more: string;
}

const STORES: KindRoutes<'store', typeof StoreBody> = {
  kind: 'store',
  path: 'stores',
  a: 'a store',
  idName: 'store_id',
  body: StoreBody,
  object: StoreObject,
  decode: decodeStore,
  encode: encodeStore,
  more: 'Retiring a store makes the screens that stand in it inactive from then on.',
};
const DEVICES: KindRoutes<'device', typeof DeviceBody> = {
  kind: 'device',
  path: 'devices',
  a: 'a device',
  idName: 'device_id',
  body: DeviceBody,
  object: DeviceObject,
  decode: decodeDevice,
  encode: encodeDevice,
  more: 'The first assignment has no beginning. Later changes of store or state count from `since` (now) on and keep their history.',
};
const CAMPAIGNS: KindRoutes<'campaign', typeof CampaignBody> = {
  kind: 'campaign',
  path: 'campaigns',
  a: 'a campaign',
  idName: 'campaign_id',
  body: CampaignBody,
  object: CampaignObject,
  decode: decodeCampaign,
  encode: encodeCampaign,
  more: 'Plays that end after a campaign was retired are refused.',
};
const CONTENTS: KindRoutes<'content', typeof ContentBody> = {
  kind: 'content',
  path: 'contents',
  a: 'a content',
  idName: 'content_id',
  body: ContentBody,
  object: ContentObject,
  decode: decodeContent,
  encode: encodeContent,
  more: 'A play of it must expect exactly this duration.',
};

const ADMIN = { access: 'admin' } as const;
const OPERATOR = { access: 'operator' } as const;
const SIGNED_IN = ['unauthorized', 'forbidden'] as const;
const BODY = ['malformed', 'invalid_field', 'too_large', 'unsupported_media_type', 'unavailable'] as const;
const PageQuery = Type.Object({ limit: Type.Optional(Limit), cursor: Type.Optional(Cursor) }, { additionalProperties: false });
const Nothing = Type.Null({ description: 'Done; there is no body' });

function addKind<K extends Kind, B extends TSchema>(app: FastifyInstance, registry: Registry, routes: KindRoutes<K, B>): void {
  const { kind, path, a, idName, encode, decode, more } = routes;
  const url = `/api/v1/${path}/:${idName}`;
  const params = Type.Object({ [idName]: Uuid }, { additionalProperties: false });
  const tags = ['registry'];
  const idOf = (request: { params: unknown }): string => ((request.params as Record<string, string>)[idName] as string).toLowerCase();

  app.put(url, {
    config: ADMIN,
    schema: {
      tags,
      summary: `Register ${a}, or replace it`,
      description: `The same again changes nothing. ${more}`,
      params,
      body: routes.body,
      response: {
        200: routes.object,
        201: routes.object,
        ...problemResponses(
          'invalid_parameter',
          ...BODY,
          ...SIGNED_IN,
          'id_retired',
          ...(kind === 'device' ? (['unknown_store'] as const) : []),
        ),
      },
    },
    handler: async (request, reply) => {
      const fields = decoded((report) => decode(request.body as Static<B>, report));
      const { created, entry } = await registry.put(kind, idOf(request), fields);
      return reply.code(created ? 201 : 200).send(encode(entry));
    },
  });
  app.get(url, {
    config: OPERATOR,
    schema: {
      tags,
      summary: `Read ${a}`,
      params,
      response: { 200: routes.object, ...problemResponses('invalid_parameter', ...SIGNED_IN, 'not_found') },
    },
    handler: async (request) => {
      const entry = await registry.get(kind, idOf(request));
      if (!entry) throw notRegistered(kind, idOf(request));
      return encode(entry);
    },
  });
  app.delete(url, {
    config: { ...ADMIN, bodyOptional: true },
    schema: {
      tags,
      summary: `Retire ${a}`,
      description: `From now on it is gone, and its id is never used again; what happened before stays. Again: no effect. ${more}`,
      params,
      response: { 204: Nothing, ...problemResponses('invalid_parameter', ...SIGNED_IN, 'not_found', 'unavailable') },
    },
    handler: async (request, reply) => {
      if (!(await registry.retire(kind, idOf(request)))) throw notRegistered(kind, idOf(request));
      return reply.code(204).send();
    },
  });
  app.get(`/api/v1/${path}`, {
    config: OPERATOR,
    schema: {
      tags,
      summary: `List ${path}, by id`,
      description: 'Retired ones are left out.',
      querystring: PageQuery,
      response: { 200: Page(routes.object), ...problemResponses('invalid_parameter', ...SIGNED_IN) },
    },
    handler: async (request) => {
      const query = request.query as Static<typeof PageQuery>;
      const limit = limitOf(query.limit);
      // One more than is answered, to know whether there is another page.
      const entries = await registry.list(kind, afterOf(query.cursor), limit + 1);
      const items = entries.slice(0, limit).map(encode);
      const last = (items.at(-1) as Record<string, string> | undefined)?.[idName];
      return { items, next_cursor: entries.length > limit && last !== undefined ? cursorOf(last) : null };
    },
  });
}

const DeviceParams = Type.Object({ device_id: Uuid }, { additionalProperties: false });
const KeyParams = Type.Object({ device_id: Uuid, key_id: KeyId }, { additionalProperties: false });

function addKeys(app: FastifyInstance, registry: Registry): void {
  app.post('/api/v1/devices/:device_id/keys', {
    config: ADMIN,
    schema: {
      tags: ['registry'],
      summary: 'Add a key to a device',
      description: 'A key is never deleted or changed in place; add the next one beside it, and revoke this one. The same again: 200.',
      params: DeviceParams,
      body: KeyBody,
      response: {
        200: KeyObject,
        201: KeyObject,
        ...problemResponses('invalid_parameter', ...BODY, ...SIGNED_IN, 'not_found', 'id_retired', 'key_conflict'),
      },
    },
    handler: async (request, reply): Promise<FastifyReply> => {
      const { device_id } = request.params as Static<typeof DeviceParams>;
      const key = decoded((report) => decodeKey(request.body as Static<typeof KeyBody>, report));
      const { created, entry } = await registry.addKey(device_id.toLowerCase(), key);
      return reply.code(created ? 201 : 200).send(encodeKey(entry));
    },
  });
  app.post('/api/v1/devices/:device_id/keys/:key_id/revoke', {
    config: { ...ADMIN, bodyOptional: true },
    schema: {
      tags: ['registry'],
      summary: 'Revoke a key',
      description: 'Ends its validity at `at` (now); that can be moved to an earlier instant, never to a later one.',
      params: KeyParams,
      body: RevokeBody,
      response: { 200: KeyObject, ...problemResponses('invalid_parameter', ...BODY, ...SIGNED_IN, 'not_found') },
    },
    // Everything in it is optional, so is the body.
    preValidation: (request, _reply, done) => {
      request.body ??= {};
      done();
    },
    handler: async (request) => {
      const { device_id, key_id } = request.params as Static<typeof KeyParams>;
      const revocation = decodeRevocation(request.body as Static<typeof RevokeBody>);
      return encodeKey(await registry.revokeKey(device_id.toLowerCase(), key_id, revocation));
    },
  });
}

/** @throws Problem invalid_field that names everything `decode` reported. */
function decoded<T>(decode: (report: Report) => T): T {
  const faults = new Map<string, string>();
  const value = decode((pointer, told) => faults.set(pointer, told));
  if (faults.size === 0) return value;
  const sorted = [...faults].sort(([a], [b]) => (a < b ? -1 : 1));
  throw new Problem('invalid_field', `${sorted.map(([pointer, told]) => `${pointer} ${told}`).join('; ')}.`, {
    fields: sorted.map(([pointer]) => pointer),
  });
}

function notRegistered(kind: Kind, id: string): Problem {
  return new Problem('not_found', `There is no ${kind} ${id}: it was never registered, or it was retired.`);
}

function cursorOf(id: string): string {
  return Buffer.from(id).toString('base64url');
}

function afterOf(cursor: string | undefined): string | null {
  if (cursor === undefined) return null;
  const id = Buffer.from(cursor, 'base64url').toString();
  if (isUuid(id) && cursorOf(id) === cursor) return id;
  throw new Problem('invalid_parameter', 'The parameter "cursor" must be a next_cursor of this list, as it was answered.');
}
