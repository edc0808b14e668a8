/** How the bodies of the administrative routes are taken: JSON as a value, NDJSON as one string, nothing else. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import { type Budget, charsetFault, readBody } from './body.ts';
import { decodeUtf8, parseStrictJson } from './strict-json-body.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route works without a body too. */
    bodyOptional?: true;
  }
}

/** Unless the route sets its own `bodyLimit`. */
export const DEFAULT_BODY_BYTES = 1024 * 1024;
export const IMPORT_BODY_BYTES = 64 * 1024 * 1024;

export function addBodyParsers(app: FastifyInstance, budget: Budget): void {
  const parser =
    <T>(parse: (bytes: Uint8Array) => T) =>
    async (request: FastifyRequest, stream: IncomingMessage): Promise<T | undefined> => {
      const fault = charsetFault(request);
      if (fault) throw fault;
      const bytes = await readBody(stream, request.routeOptions.bodyLimit ?? DEFAULT_BODY_BYTES, budget);
      try {
        // Some clients name a type of every request: where no body is needed, nothing is as good as none.
        if (bytes.length === 0 && request.routeOptions.config.bodyOptional) return undefined;
        return parse(bytes);
      } finally {
        budget.give(bytes.length);
      }
    };
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', parser(parseStrictJson));
  app.addContentTypeParser('application/x-ndjson', parser(decodeUtf8));
}
