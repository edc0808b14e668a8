/**
 * OpenAPI 3.1 of every route, generated from the schemas that validate: `/openapi.json`, and `/docs` to read it in a browser.
 * Both work without a network.
 */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify';
import { Type } from 'typebox';
import type { Access } from './access.ts';
import { PROBLEM_TYPE } from './errors.ts';
import { ProblemSchema, problemResponses } from './schemas.ts';

const DESCRIPTION = `Signed playback logs in, proved, settled exactly once, billed.

Devices are authenticated by the signature of each log and need no token. Everything else needs a bearer token with a role:
\`admin\`, \`operator\` (reads everything), \`supplier\` (plays in its own stores), \`advertiser\` (plays of its own campaigns).
Every refusal is an RFC 9457 problem document with a stable \`code\`; \`retryable\` says whether sending the same again can help.
A 5xx or a broken connection means *unknown*, never *refused*: send again.`;

/** What the browser may load for `/docs`: from here only. */
const DOCS_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const ROLES_OF: Readonly<Record<Access, string>> = {
  public: 'No token.',
  reader: 'Token of any role; suppliers and advertisers see their own plays only.',
  operator: 'Token of the role `admin` or `operator`.',
  admin: 'Token of the role `admin`.',
};

/** Call before routes are registered: it watches them. */
export async function addOpenApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Playproof', version, description: DESCRIPTION, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
      servers: [{ url: '/', description: 'This service' }],
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'A token of `playproof token create`' } } },
      tags: [
        { name: 'playback logs', description: 'Sending logs, and the evidence of single plays' },
        { name: 'reports', description: 'Proof of play' },
        { name: 'feed', description: 'Settled plays for the billing pipeline' },
        { name: 'registry', description: 'Stores, devices, keys, campaigns, contents' },
        { name: 'operation', description: 'Health, metrics, documentation' },
      ],
    },
    transform: ({ schema, url, route }) => ({ schema: describe(schema as FastifySchema | undefined, route), url }),
    transformObject: (document) => {
      const { openapiObject } = document as { openapiObject: OpenApiDocument };
      nameProblem(openapiObject);
      return openapiObject;
    },
  });
  await app.register(async (scope) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: 'public' };
    });
    await scope.register(swaggerUi, { routePrefix: '/docs', staticCSP: DOCS_POLICY, uiConfig: { validatorUrl: null, deepLinking: true } });
  });
}

/** The route of the document itself; registered with the others. */
export async function openApiRoutes(app: FastifyInstance): Promise<void> {
  app.get(
    '/openapi.json',
    {
      config: { access: 'public' },
      schema: {
        tags: ['operation'],
        summary: 'This document',
        response: { 200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: Type.Object({}) } } } },
      },
    },
    () => app.swagger(),
  );
}

interface OpenApiDocument {
  components?: { schemas?: Record<string, unknown> };
  paths?: Record<string, Record<string, { responses?: Record<string, { content?: Record<string, { schema: unknown }> }> }>>;
}

/** Every refusal of every route has the same document: it is written once and referred to. */
function nameProblem(document: OpenApiDocument): void {
  document.components = { ...document.components, schemas: { ...document.components?.schemas, Problem: ProblemSchema } };
  for (const operation of Object.values(document.paths ?? {}).flatMap((methods) => Object.values(methods))) {
    for (const { content } of Object.values(operation.responses ?? {})) {
      const problem = content?.[PROBLEM_TYPE];
      if (problem) problem.schema = { $ref: '#/components/schemas/Problem' };
    }
  }
}

/** Adds what follows from the route's access: who may call it, and the refusals that everyone hears. */
function describe(given: FastifySchema | undefined, route: RouteOptions): FastifySchema {
  const schema = given ?? {};
  const access = route.config?.access ?? 'admin';
  const lead = schema.description === undefined ? '' : `${schema.description}\n\n`;
  const refusals = access === 'public' ? problemResponses() : problemResponses('unauthorized', 'forbidden');
  return {
    ...schema,
    description: `${lead}${ROLES_OF[access]}`,
    security: access === 'public' ? [] : [{ bearer: [] }],
    response: { ...refusals, ...named(schema.response as Responses | undefined, schema.summary) },
  };
}

type Responses = Readonly<Record<string, { readonly description?: string; readonly type?: unknown }>>;

/** OpenAPI wants every response described; a success without words of its own is what its route is for. */
function named(responses: Responses | undefined, summary: string | undefined): Responses {
  const entries = Object.entries(responses ?? {});
  return Object.fromEntries(
    entries.map(([status, schema]) => [status, { ...schema, description: schema.description ?? summary ?? 'Done' }]),
  );
}
