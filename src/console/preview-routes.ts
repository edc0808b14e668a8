/** `POST /api/v1/registry/import/preview`: the same document as the import takes, and nothing is changed. */
import type { FastifyPluginAsync } from 'fastify';
import { Type } from 'typebox';
import { takeImportBodies, withImportBody } from '../registry/import-body.ts';
import type { RegistryEntries } from '../registry/registry.ts';
import { Nullable, problemResponses } from '../server/schemas.ts';
import { CHANGES, PREVIEW_KINDS, previewImport } from './import-preview.ts';

/** A person looks at it; a larger document goes through the command line. */
const MAX_PREVIEW_BYTES = 16 * 1024 * 1024;
const Count = Type.Integer({ minimum: 0 });

const PreviewSchema = Type.Object(
  {
    counts: Type.Array(Type.Object({ kind: Type.Enum([...PREVIEW_KINDS]), new: Count, changed: Count, same: Count })),
    items: Type.Array(
      Type.Object({
        kind: Type.Enum([...PREVIEW_KINDS]),
        id: Type.String(),
        name: Nullable(Type.String({ description: 'For a key the id of its device' })),
        change: Type.Enum([...CHANGES]),
      }),
      { description: 'What is new or changed, the first 200' },
    ),
    more: Type.Integer({ minimum: 0, description: 'How many are not listed' }),
  },
  { description: 'What the import would do' },
);

export function previewRoutes(registry: RegistryEntries): FastifyPluginAsync {
  return async (app) => {
    takeImportBodies(app, MAX_PREVIEW_BYTES);
    app.post('/api/v1/registry/import/preview', {
      config: { access: 'admin' },
      bodyLimit: MAX_PREVIEW_BYTES,
      schema: {
        tags: ['registry'],
        summary: 'What an import would change, without changing it',
        description: 'Takes what `POST /api/v1/registry/import` takes, up to 16 MiB. A document that would be refused is refused here.',
        body: { content: { 'application/json': { schema: Type.Object({}) }, 'application/x-ndjson': { schema: Type.String() } } },
        response: {
          200: PreviewSchema,
          ...problemResponses(
            'malformed',
            'invalid_field',
            'too_large',
            'unsupported_media_type',
            'unauthorized',
            'forbidden',
            'unknown_store',
            'not_found',
            'unavailable',
          ),
        },
      },
      handler: (request) => withImportBody(request, (bytes, format) => previewImport(registry, bytes, format)),
    });
  };
}
