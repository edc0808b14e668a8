/** The composition root: the only place that names the engines behind the ports. */
import path from 'node:path';
import type { Logger } from 'pino';
import { Dispatcher } from './accept/dispatcher.ts';
import { acceptRoutes } from './accept/routes.ts';
import type { WriterNote } from './accept/writer-worker.ts';
import { EmbeddedAnalytics } from './analytics/embedded/process.ts';
import type { Config } from './config.ts';
import { Counters } from './counters.ts';
import { DataDirLock } from './data-dir.ts';
import { DATABASE_FILE } from './journal/sqlite-journal.ts';
import { ArchiveReader } from './query/archive-reader.ts';
import { CompletenessTracker } from './query/completeness.ts';
import { FeedSignal } from './query/feed-signal.ts';
import { listRoutes } from './query/list-routes.ts';
import { playRoutes } from './query/play-routes.ts';
import { reportRoutes } from './query/report-routes.ts';
import { openForWriting, REGISTRY_FILE } from './registry/database.ts';
import { FactReader } from './registry/facts.ts';
import { registryRoutes } from './registry/routes.ts';
import { SqliteRegistry } from './registry/sqlite-registry.ts';
import { Tokens } from './registry/tokens.ts';
import { buildApp } from './server/app.ts';
import type { CheckResult } from './server/health.ts';
import { createLogger } from './server/logging.ts';
import { serviceMetrics } from './service-metrics.ts';

export interface RunningService {
  /** Where it listens, e.g. `http://127.0.0.1:8080`. */
  readonly address: string;
  /** The administrator's token where one was made just now; it cannot be read again. */
  readonly newAdminToken: string | null;
  /** Stops accepting, answers what is in flight, settles it, and closes the engines. */
  close(): Promise<void>;
  /** Resolves with the exit code when the service ended, by `close` (0) or because it could not go on (1). */
  readonly closed: Promise<number>;
}

const ANALYTICS_STOP_MS = 8_000;

/**
 * Starts the service on its embedded engines.
 *
 * The order matters: the lock first, so that two services never open the same files; the registry before the judges, who read
 * it; the journal before the HTTP server, which must not answer what it cannot keep. Analytics may come later: it is not needed
 * to accept.
 *
 * @throws Error with a sentence when it cannot start.
 */
export async function run(config: Config): Promise<RunningService> {
  const logger = createLogger(config);
  const lock = new DataDirLock(config.dataDir);
  const file = path.join(config.dataDir, DATABASE_FILE);
  const registryFile = path.join(config.dataDir, REGISTRY_FILE);
  const registry = new SqliteRegistry(registryFile);
  const tokenDb = openForWriting(registryFile);
  const tokens = new Tokens(tokenDb, config.adminToken);
  const facts = new FactReader(tokenDb);
  const newAdminToken = tokens.ensureAdminToken();

  const ended = Promise.withResolvers<number>();
  const counters = new Counters();
  const feedSignal = new FeedSignal();
  const die = (message: string): void => {
    logger.fatal({ reason: message }, 'the service cannot go on and stops acknowledging');
    ended.resolve(1);
  };
  const dispatcher = await startDispatcher(config, counters, feedSignal, logger, die);
  const archive = new ArchiveReader(
    file,
    (error) => die(`the reader thread failed: ${error.message}`),
    (fault) => logger.error({ fault }, 'a read failed'),
  );
  const analytics = new EmbeddedAnalytics({
    directory: path.join(config.dataDir, 'analytics'),
    feedFile: file,
    log: (message) => logger.warn({ part: 'analytics' }, message),
  });
  analytics.start().catch((error: Error) => logger.error({ part: 'analytics', reason: error.message }, 'analytics is not ready yet'));
  const completeness = new CompletenessTracker({
    now: Date.now,
    oldestInFlight: () => dispatcher.oldestReceivedAt,
    end: () => counters.get('end'),
    settled: () => counters.get('settled'),
    loaded: () => analytics.status().loadedOffset,
  });
  const { completeUntil } = completeness;

  const app = await buildApp({
    config,
    logger,
    authenticate: (token) => tokens.authenticate(token),
    plugins: [
      acceptRoutes(dispatcher),
      playRoutes({
        archive,
        feedSignal,
        publicKey: async (deviceId, keyId) => facts.device(deviceId)?.keys.find((key) => key.keyId === keyId)?.publicKey ?? null,
      }),
      listRoutes({ analytics }),
      reportRoutes({ analytics, completeUntil }),
      registryRoutes({ registry }),
    ],
    health: { live: () => ({ ok: true, checks: { process: { ok: true } } }), ready: () => readiness(counters, analytics) },
    metrics: serviceMetrics({ counters, inFlight: () => dispatcher.inFlight, analytics: () => analytics.status() }),
  });
  const address = await app.listen({ host: config.host, port: config.port });

  const close = async (): Promise<void> => {
    await app.close();
    await dispatcher.close();
    await analytics.stop(ANALYTICS_STOP_MS);
    await archive.close();
    completeness.close();
    registry.close();
    tokenDb.close();
    lock.release();
    ended.resolve(0);
  };
  return { address, newAdminToken, close, closed: ended.promise };
}

/** Resolves when the journal is open and whole. @throws Error with the writer's sentence otherwise. */
async function startDispatcher(
  config: Config,
  counters: Counters,
  feedSignal: FeedSignal,
  logger: Logger,
  die: (message: string) => void,
): Promise<Dispatcher> {
  const ready = Promise.withResolvers<void>();
  let started = false;
  const onNote = (note: WriterNote): void => {
    if (note.type === 'ready') {
      started = true;
      ready.resolve();
    } else if (note.type === 'settled') feedSignal.published();
    else if (note.type === 'log') logger[note.level]({ part: 'writer' }, note.message);
    else if (note.type === 'fatal') {
      if (started) die(note.message);
      else ready.reject(new Error(note.message));
    }
  };
  const dispatcher = new Dispatcher(config, counters, { onNote });
  await ready.promise;
  return dispatcher;
}

/** Ready means: logs are taken, and what is taken is settled. Reports may be behind meanwhile; their check says so. */
function readiness(counters: Counters, analytics: EmbeddedAnalytics): CheckResult {
  const waiting = counters.get('end') - counters.get('settled');
  const settleOk = waiting < MAX_HEALTHY_BACKLOG;
  const { state, lastError } = analytics.status();
  return {
    ok: settleOk,
    checks: {
      journal: { ok: true },
      settle: settleOk ? { ok: true } : { ok: false, detail: `${waiting} logs wait to be settled` },
      analytics: state === 'ready' && lastError === null ? { ok: true } : { ok: false, detail: lastError ?? `analytics is ${state}` },
    },
  };
}

const MAX_HEALTHY_BACKLOG = 1_000_000;
