/** Who asks: the bearer token of a request, held against what its route demands. Runs before the body is read. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isToken } from '../config.ts';
import { type Access, allows, type Identity } from './access.ts';
import { Problem } from './problem.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the route asks of the token. Every route says it; one that does not is refused at registration. */
    access?: Access;
  }
  interface FastifyRequest {
    /** Who asks. Reading it on a public route is a programming error and throws. */
    readonly identity: Identity;
  }
}

/** Who holds a token; null: nobody. Rejects with a Problem where nobody can tell now. */
export type Authenticate = (token: string) => Identity | null | Promise<Identity | null>;

const identities = new WeakMap<FastifyRequest, Identity>();

/** @param authenticate Answers null for a token that is not known. */
export function addAuthentication(app: FastifyInstance, authenticate: Authenticate): void {
  app.decorateRequest('identity', {
    getter(this: FastifyRequest) {
      const identity = identities.get(this);
      if (!identity) throw new Error(`${this.method} ${this.routeOptions.url ?? ''} is public: nobody is known to ask`);
      return identity;
    },
  });
  app.addHook('onRequest', (request, reply, done) => {
    // A route that says nothing was registered around `demandAccess`: closed is the safe reading.
    const access = request.routeOptions.config.access ?? 'admin';
    if (access === 'public') {
      done();
      return;
    }
    const decide = (identity: Identity | null): void => {
      const fault = refusalOf(request, reply, access, identity);
      if (fault === null && identity !== null) identities.set(request, identity);
      done(fault ?? undefined);
    };
    const found = identityOf(request, authenticate);
    if (found instanceof Promise) found.then(decide, done);
    else decide(found);
  });
}

function refusalOf(request: FastifyRequest, reply: FastifyReply, access: Access, identity: Identity | null): Problem | null {
  if (identity !== null) {
    if (allows(access, identity.role)) return null;
    return new Problem('forbidden', `The role ${identity.role} may not do this; use a token of the role ${needed(access)}.`);
  }
  if (request.headers.authorization === undefined) {
    reply.header('www-authenticate', 'Bearer');
    return new Problem('unauthorized', 'Send a token as `Authorization: Bearer <token>`.');
  }
  reply.header('www-authenticate', 'Bearer error="invalid_token"');
  return new Problem('unauthorized', 'The token is not known here; send `Authorization: Bearer <token>` with a valid one.');
}

/** Refuses routes of this scope that do not say who may use them. */
export function demandAccess(scope: FastifyInstance): void {
  scope.addHook('onRoute', (route) => {
    if (route.config?.access === undefined) {
      throw new Error(`the route ${String(route.method)} ${route.url} does not say who may use it; give it config: { access }`);
    }
  });
}

function identityOf(request: FastifyRequest, authenticate: Authenticate): Identity | null | Promise<Identity | null> {
  const [scheme, token, ...rest] = (request.headers.authorization ?? '').split(' ');
  if (scheme?.toLowerCase() !== 'bearer' || token === undefined || rest.length > 0 || !isToken(token)) return null;
  return authenticate(token);
}

function needed(access: Access): string {
  return access === 'admin' ? 'admin' : 'admin or operator';
}
