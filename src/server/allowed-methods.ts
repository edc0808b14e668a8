/** Which methods an address takes, for 405 and its Allow header: Fastify knows routes, but not the routes of a wrong method. */
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route answers 405: it is there only to keep its address from being taken for another one's parameter. */
    refusesMethod?: true;
  }
}

export class AllowedMethods {
  /** `GET /an/address` for each route that only refuses. */
  readonly #refused = new Set<string>();
  readonly #byPattern = new Map<string, { readonly matcher: RegExp; readonly methods: Set<string> }>();

  /** Watches the registration of routes in this scope and those below. */
  watch(app: FastifyInstance): void {
    app.addHook('onRoute', (route) => {
      for (const method of [route.method].flat()) {
        if (route.config?.refusesMethod) this.#refused.add(`${method} ${route.url}`);
        else this.#add(route.url, method);
      }
    });
  }

  /** Empty: no such address. `url` is as it was sent. */
  of(url: string): string[] {
    const path = decode(url.split('?', 1)[0] ?? '');
    const methods = new Set<string>();
    for (const entry of this.#byPattern.values()) {
      if (entry.matcher.test(path)) for (const method of entry.methods) methods.add(method);
    }
    return [...methods].filter((method) => !this.#refused.has(`${method} ${path}`)).sort();
  }

  #add(url: string, method: string): void {
    const known = this.#byPattern.get(url) ?? { matcher: matcherOf(url), methods: new Set<string>() };
    known.methods.add(method);
    this.#byPattern.set(url, known);
  }
}

function matcherOf(pattern: string): RegExp {
  const source = pattern
    .split('/')
    .map((part) => (part.startsWith(':') ? '[^/]+' : part === '*' ? '.*' : part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')))
    .join('/');
  return new RegExp(`^${source}$`);
}

function decode(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}
