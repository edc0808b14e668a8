/**
 * The HTTP server: limits, authentication, validation, errors, and the routes that the parts of the service bring along. It
 * knows none of them; the composition root hands them in.
 */
import fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyPluginAsync, LogController } from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Config } from '../config.ts';
import { VERSION } from '../version.ts';
import { AllowedMethods } from './allowed-methods.ts';
import { addAuthentication, type Authenticate, demandAccess } from './auth.ts';
import { type Budget, ByteBudget } from './body.ts';
import { addBodyParsers, DEFAULT_BODY_BYTES } from './body-parsers.ts';
import { answerClientError, boundServer, closeWhereUnread, enterRequest, MAX_HEADER_BYTES } from './connection.ts';
import { answerError } from './errors.ts';
import { type Health, healthRoutes } from './health.ts';
import { metricsRoutes, type RequestObserver, requestObserver } from './metrics.ts';
import { addOpenApi, openApiRoutes } from './openapi.ts';
import { countReading } from './pipelining.ts';
import { Problem } from './problem.ts';
import { compileValidator } from './validation.ts';

export interface AppDeps {
  readonly config: Pick<Config, 'requestTimeoutMs' | 'maxInFlightBytes'>;
  readonly logger: Logger;
  /** Null: this token is not known. */
  readonly authenticate: Authenticate;
  /** Each route sets `config: { access }` and has TypeBox schemas. */
  readonly plugins: readonly FastifyPluginAsync[];
  readonly health: Health;
  /** Answered at `/metrics`; the server adds its own. */
  readonly metrics: Registry;
  /** The bytes of bodies held at once; made from the settings when absent. */
  readonly bodyBudget?: Budget;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Shared by all bodies; see `readBody`. */
    readonly bodyBudget: Budget;
    /** Aborted when the server begins to close: requests that wait on purpose (long polls) answer at once. */
    readonly closing: AbortSignal;
  }
}

const KEEP_ALIVE_MS = 65_000;
/** Neither side sent anything for so long: a client that does not read its answer is let go. Longer than any long poll. */
const IDLE_CONNECTION_MS = 120_000;
/** How soon a request that is too slow is noticed. */
const CHECK_CONNECTIONS_MS = 1_000;
const MAX_PARAM_LENGTH = 256;

/** Builds the server; it does not listen yet. `close()` stops accepting, finishes what is in flight, and resolves. */
export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const app = createServer(deps);
  const closing = new AbortController();
  const budget = deps.bodyBudget ?? new ByteBudget(deps.config.maxInFlightBytes);
  app.decorate('bodyBudget', budget);
  app.decorate('closing', closing.signal);
  app.addHook('preClose', (done) => {
    closing.abort();
    done();
  });
  boundServer(app);
  app.setValidatorCompiler(compileValidator);
  // Response schemas are documentation and are held against real answers by tests; nothing is stripped from an answer.
  app.setSerializerCompiler(() => JSON.stringify);
  app.setErrorHandler(answerError);
  addBodyParsers(app, budget);

  const allowed = new AllowedMethods();
  allowed.watch(app);
  addRequestHooks(app, closing.signal, allowed);
  addAuthentication(app, deps.authenticate);
  // The hook above has answered every request that comes here; Fastify wants a handler all the same.
  app.setNotFoundHandler((request) => {
    throw noRoute(request.raw.url ?? '', request.method, allowed);
  });
  observeRequests(app, requestObserver(deps.metrics));
  await addOpenApi(app, VERSION);
  await app.register(async (scope) => {
    demandAccess(scope);
    refuseUnknownQueries(scope);
    const own = [healthRoutes(deps.health), metricsRoutes(deps.metrics), openApiRoutes];
    for (const plugin of [...own, ...deps.plugins]) await scope.register(plugin);
  });
  await app.ready();
  return app;
}

function createServer({ config, logger }: AppDeps): FastifyInstance {
  const instance = `${Date.now().toString(36)}-${process.pid.toString(36)}`;
  let requests = 0;
  const loggerInstance: FastifyBaseLogger = logger;
  return fastify({
    loggerInstance,
    // A child logger for each request costs more than the rest of the bookkeeping; error lines carry the id themselves.
    childLoggerFactory: (parent, bindings) => (logger.isLevelEnabled('debug') ? parent.child(bindings) : parent),
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    requestIdHeader: false,
    genReqId: () => `${instance}-${((requests += 1)).toString(36)}`,
    trustProxy: false,
    bodyLimit: DEFAULT_BODY_BYTES,
    requestTimeout: config.requestTimeoutMs,
    connectionTimeout: IDLE_CONNECTION_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    // Ours says it as a problem document.
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: (error, request, reply) => {
      request.raw.resume();
      answerError(error, request, reply);
    },
    clientErrorHandler: answerClientError,
    http: {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: Math.min(10_000, config.requestTimeoutMs),
      connectionsCheckingInterval: CHECK_CONNECTIONS_MS,
      // Checked below, so that this refusal too is a problem document.
      requireHostHeader: false,
    },
  });
}

function addRequestHooks(app: FastifyInstance, closing: AbortSignal, allowed: AllowedMethods): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (!enterRequest(request, reply)) {
      reply.hijack();
      return;
    }
    reply.header('request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    const { headers, httpVersion } = request.raw;
    const tooMany = countReading(request, reply);
    if (closing.aborted) {
      done(new Problem('unavailable', 'The service is being stopped; send again.', { retryAfter: 1 }));
    } else if (tooMany) {
      done(tooMany);
    } else if (headers.host === undefined && httpVersion === '1.1') {
      done(new Problem('malformed', 'An HTTP/1.1 request names its Host.'));
    } else if (request.is404) {
      const problem = noRoute(request.raw.url ?? '', request.method, allowed);
      if (problem.code === 'method_not_allowed') reply.header('allow', allowed.of(request.raw.url ?? '').join(', '));
      done(problem);
    } else if (headers['content-encoding'] !== undefined) {
      done(new Problem('unsupported_media_type', 'Send the body as it is, without a Content-Encoding.'));
    } else done();
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    // Fastify closes after every fault of a body, even one that was read to its end; `closeWhereUnread` knows better.
    if (closing.aborted) reply.header('connection', 'close');
    else if (reply.hasHeader('connection') && request.raw.complete) reply.removeHeader('connection');
    closeWhereUnread(request, reply);
    done(null, payload);
  });
}

/** Measures every request, and tells it at debug: the pattern of the route, never the address, a token or a body. */
function observeRequests(app: FastifyInstance, observe: RequestObserver): void {
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? '(none)';
    observe(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
    request.log.debug({ method: request.method, route, status: reply.statusCode, ms: reply.elapsedTime }, 'answered');
    done();
  });
}

function noRoute(url: string, method: string, allowed: AllowedMethods): Problem {
  const methods = allowed.of(url);
  return methods.length === 0
    ? new Problem('not_found', 'There is nothing at this address; /openapi.json lists what there is.')
    : new Problem('method_not_allowed', `This address takes ${methods.join(', ')}, not ${method}.`);
}

/** A route without a query schema takes no query parameters. */
function refuseUnknownQueries(scope: FastifyInstance): void {
  scope.addHook('onRoute', (route) => {
    route.schema = { querystring: { type: 'object', properties: {} }, ...route.schema };
  });
}
