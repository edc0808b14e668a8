/** The body of an import and of its preview: as it came, to be read on another thread. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { charsetFault, readBody } from '../server/body.ts';
import { Problem } from '../server/problem.ts';
import { compileValidator } from '../server/validation.ts';
import type { ImportFormat } from './registry.ts';

const FORMATS: Readonly<Record<string, ImportFormat>> = { 'application/json': 'json', 'application/x-ndjson': 'ndjson' };

interface ImportBody {
  readonly bytes: Buffer<ArrayBuffer>;
  readonly format: ImportFormat;
}

/** Makes the routes of this scope take such bodies; each of them uses `withImportBody`, which gives their bytes back to the budget. */
export function takeImportBodies(app: FastifyInstance, limitBytes: number): void {
  app.removeAllContentTypeParsers();
  for (const [type, format] of Object.entries(FORMATS)) {
    app.addContentTypeParser(type, async (request: FastifyRequest, stream: FastifyRequest['raw']): Promise<ImportBody> => {
      const fault = charsetFault(request);
      if (fault) throw fault;
      return { bytes: await readBody(stream, limitBytes, app.bodyBudget), format };
    });
  }
  // The import checks each entry itself and names its line; here the body's schema is documentation.
  app.setValidatorCompiler((part) => (part.httpPart === 'body' ? () => true : compileValidator(part)));
}

/**
 * Hands the body to `work`, which may give its memory to another thread.
 *
 * @throws Problem malformed where there is none: Fastify asks no parser about a request without a body.
 */
export async function withImportBody<T>(
  request: FastifyRequest,
  work: (bytes: Buffer<ArrayBuffer>, format: ImportFormat) => Promise<T>,
): Promise<T> {
  if (request.body === undefined || request.body === null) {
    throw new Problem('malformed', 'The body is empty; send the document to import.');
  }
  const { bytes, format } = request.body as ImportBody;
  // Taken down now: bytes that were handed to another thread have no length any more.
  const { length } = bytes;
  try {
    return await work(bytes, format);
  } finally {
    request.server.bodyBudget.give(length);
  }
}
