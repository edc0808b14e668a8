/** `POST /api/v1/registry/import`: the body goes to the registry as it came, to be read on another thread. */
import type { FastifyPluginAsync } from 'fastify';
import { Type } from 'typebox';
import { problemResponses } from '../server/schemas.ts';
import { takeImportBodies, withImportBody } from './import-body.ts';
import { MAX_IMPORT_BYTES, type RegistryImport } from './registry.ts';
import { CampaignObject, ContentObject, DeviceImport, ImportAnswer, StoreObject } from './schemas.ts';

const Document = Type.Object({
  stores: Type.Optional(Type.Array(StoreObject)),
  devices: Type.Optional(Type.Array(DeviceImport)),
  campaigns: Type.Optional(Type.Array(CampaignObject)),
  contents: Type.Optional(Type.Array(ContentObject)),
});

export function importRoute(registry: RegistryImport): FastifyPluginAsync {
  return async (app) => {
    takeImportBodies(app, MAX_IMPORT_BYTES);
    app.post('/api/v1/registry/import', {
      config: { access: 'admin' },
      bodyLimit: MAX_IMPORT_BYTES,
      schema: {
        tags: ['registry'],
        summary: 'Import stores, devices with their keys, campaigns and contents',
        description:
          'All or nothing, in any order; the same again changes nothing. As `application/x-ndjson` each line is one object with a `type`: store, device, key (with its `device_id`), campaign or content.',
        body: { content: { 'application/json': { schema: Document }, 'application/x-ndjson': { schema: Type.String() } } },
        response: {
          200: ImportAnswer,
          ...problemResponses(
            'malformed',
            'invalid_field',
            'too_large',
            'unsupported_media_type',
            'unauthorized',
            'forbidden',
            'unknown_store',
            'not_found',
            'key_conflict',
            'id_retired',
            'unavailable',
          ),
        },
      },
      handler: (request) => withImportBody(request, (bytes, format) => registry.importDocument(bytes, format)),
    });
  };
}
