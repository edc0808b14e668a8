/** `POST /api/v1/registry/import`: the body goes to the registry as it came, to be read on another thread. */
import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { charsetFault, readBody } from '../server/body.ts';
import { problemResponses } from '../server/schemas.ts';
import { compileValidator } from '../server/validation.ts';
import { type ImportFormat, MAX_IMPORT_BYTES, type RegistryImport } from './registry.ts';
import { CampaignObject, ContentObject, DeviceImport, ImportAnswer, StoreObject } from './schemas.ts';

const Document = Type.Object({
  stores: Type.Optional(Type.Array(StoreObject)),
  devices: Type.Optional(Type.Array(DeviceImport)),
  campaigns: Type.Optional(Type.Array(CampaignObject)),
  contents: Type.Optional(Type.Array(ContentObject)),
});
const FORMATS: Readonly<Record<string, ImportFormat>> = { 'application/json': 'json', 'application/x-ndjson': 'ndjson' };

interface ImportBody {
  readonly bytes: Buffer<ArrayBuffer>;
  readonly format: ImportFormat;
}

export function importRoute(registry: RegistryImport): FastifyPluginAsync {
  return async (app) => {
    app.removeAllContentTypeParsers();
    for (const [type, format] of Object.entries(FORMATS)) {
      app.addContentTypeParser(type, async (request: FastifyRequest, stream: FastifyRequest['raw']): Promise<ImportBody> => {
        const fault = charsetFault(request);
        if (fault) throw fault;
        return { bytes: await readBody(stream, MAX_IMPORT_BYTES, app.bodyBudget), format };
      });
    }
    // The import checks each entry itself and names its line; here the body's schema is documentation.
    app.setValidatorCompiler((part) => (part.httpPart === 'body' ? () => true : compileValidator(part)));
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
      handler: async (request) => {
        const { bytes, format } = request.body as ImportBody;
        const { length } = bytes;
        try {
          return await registry.importDocument(bytes, format);
        } finally {
          app.bodyBudget.give(length);
        }
      },
    });
  };
}
