/** Who asks: the bearer token of a request, held against what its route demands. Runs before the body is read. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
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

const identities = new WeakMap<FastifyRequest, Identity>();

/** @param authenticate Answers null for a token that is not known. */
export function addAuthentication(app: FastifyInstance, authenticate: (token: string) => Identity | null): void {
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
    const identity = identityOf(request, authenticate);
    if (identity === null) {
      const given = request.headers.authorization !== undefined;
      reply.header('www-authenticate', given ? 'Bearer error="invalid_token"' : 'Bearer');
      done(
        given
          ? new Problem('unauthorized', 'The token is not known here; send `Authorization: Bearer <token>` with a valid one.')
          : new Problem('unauthorized', 'Send a token as `Authorization: Bearer <token>`.'),
      );
    } else if (!allows(access, identity.role)) {
      done(new Problem('forbidden', `The role ${identity.role} may not do this; use a token of the role ${needed(access)}.`));
    } else {
      identities.set(request, identity);
      done();
    }
  });
}

/** Refuses routes of this scope that do not say who may use them. */
export function demandAccess(scope: FastifyInstance): void {
  scope.addHook('onRoute', (route) => {
    if (route.config?.access === undefined) {
      throw new Error(`the route ${String(route.method)} ${route.url} does not say who may use it; give it config: { access }`);
    }
  });
}

function identityOf(request: FastifyRequest, authenticate: (token: string) => Identity | null): Identity | null {
  const [scheme, token, ...rest] = (request.headers.authorization ?? '').split(' ');
  if (scheme?.toLowerCase() !== 'bearer' || token === undefined || rest.length > 0 || !isToken(token)) return null;
  return authenticate(token);
}

function needed(access: Access): string {
  return access === 'admin' ? 'admin' : 'admin or operator';
}
