/** The service on its embedded engines: SQLite for journal, archive, feed and registry, chDB for analytics. */
import path from 'node:path';
import { acceptRoutes } from '../accept/routes.ts';
import { SendTimes } from '../accept/send-times.ts';
import { EmbeddedAnalytics } from '../analytics/embedded/process.ts';
import { auditRoutes } from '../audit/routes.ts';
import { Directory } from '../console/directory.ts';
import { consolePlugins } from '../console/plugins.ts';
import { Counters } from '../counters.ts';
import { assertNotMoved } from '../copy/moved-mark.ts';
import { DataDirLock } from '../data-dir.ts';
import { JOURNAL_STATES } from '../journal/journal-state.ts';
import { DATABASE_FILE } from '../journal/sqlite-journal.ts';
import { KeptLog } from '../journal/sqlite-kept-log.ts';
import { ArchiveReader } from '../query/archive-reader.ts';
import { CompletenessTracker } from '../query/completeness.ts';
import { FeedSignal } from '../query/feed-signal.ts';
import { listRoutes } from '../query/list-routes.ts';
import { playRoutes } from '../query/play-routes.ts';
import { reportRoutes } from '../query/report-routes.ts';
import { openForWriting, REGISTRY_FILE } from '../registry/database.ts';
import { FactReader } from '../registry/facts.ts';
import { registryRoutes } from '../registry/routes.ts';
import { SqliteRegistry } from '../registry/sqlite-registry.ts';
import { Tokens } from '../registry/tokens.ts';
import type { CheckResult } from '../server/health.ts';
import { serviceMetrics } from '../service-metrics.ts';
import { startAccepting } from './accepting.ts';
import type { Composition, Surroundings } from './service.ts';

const ANALYTICS_STOP_MS = 8_000;
/** From this many unsettled records on, something holds settling up. */
const MAX_HEALTHY_BACKLOG = 1_000_000;

/**
 * The order matters: the lock first, so that two services never open the same files; the registry before the judges, who read
 * it; the journal before the HTTP server, which must not answer what it cannot keep. Analytics may come later: it is not needed
 * to accept.
 */
export async function composeEmbedded(surroundings: Surroundings): Promise<Composition> {
  const { config, logger, die, demoTokens } = surroundings;
  const lock = new DataDirLock(config.dataDir);
  assertNotMoved(config.dataDir);
  const file = path.join(config.dataDir, DATABASE_FILE);
  const registryFile = path.join(config.dataDir, REGISTRY_FILE);
  const registry = new SqliteRegistry(registryFile);
  const tokenDb = openForWriting(registryFile);
  const tokens = new Tokens(tokenDb, config.adminToken);
  const facts = new FactReader(tokenDb);
  const newAdminToken = tokens.ensureAdminToken();

  const counters = new Counters();
  const feedSignal = new FeedSignal();
  const dispatcher = await startAccepting(surroundings, counters, feedSignal);
  const log = new KeptLog(config.dataDir);
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
  const publicKey = async (deviceId: string, keyId: string): Promise<string | null> =>
    facts.device(deviceId)?.keys.find((key) => key.keyId === keyId)?.publicKey ?? null;

  const sendTimes = new SendTimes();
  const directory = new Directory(registry);
  const metrics = serviceMetrics({
    counters,
    unread: dispatcher.unread,
    inFlight: () => dispatcher.inFlight,
    analytics: () => analytics.status(),
  });
  const ready = (): CheckResult => readiness(counters, analytics);

  return {
    authenticate: (token) => tokens.authenticate(token),
    newAdminToken,
    plugins: [
      acceptRoutes(dispatcher, sendTimes),
      playRoutes({ archive, feedSignal, publicKey }),
      listRoutes({ analytics }),
      reportRoutes({ analytics, completeUntil }),
      auditRoutes({ analytics }),
      registryRoutes({ registry: directory.watched(registry) }),
      ...consolePlugins({
        config,
        counters,
        analytics,
        loaded: () => analytics.status().loadedOffset,
        completeUntil,
        checks: ready,
        metrics,
        registry,
        directory,
        sendTimes,
        ...(demoTokens && { demoTokens }),
      }),
    ],
    health: { live: () => ({ ok: true, checks: { process: { ok: true } } }), ready },
    metrics,
    close: async () => {
      await dispatcher.close();
      await analytics.stop(ANALYTICS_STOP_MS);
      await archive.close();
      log.release();
      completeness.close();
      registry.close();
      tokenDb.close();
      lock.release();
    },
  };
}

/** Ready means: logs are taken, and what is taken is settled. Reports may be behind meanwhile; their check says so. */
function readiness(counters: Counters, analytics: EmbeddedAnalytics): CheckResult {
  const waiting = counters.get('end') - counters.get('settled');
  const settleOk = waiting < MAX_HEALTHY_BACKLOG;
  const journalOk = JOURNAL_STATES[counters.get('journal')] === 'open';
  const { state, lastError } = analytics.status();
  return {
    ok: journalOk && settleOk,
    checks: {
      journal: journalOk ? { ok: true } : { ok: false, detail: 'the journal takes no writes now: the disk is full' },
      settle: settleOk ? { ok: true } : { ok: false, detail: `${waiting} logs wait to be settled` },
      analytics: state === 'ready' && lastError === null ? { ok: true } : { ok: false, detail: lastError ?? `analytics is ${state}` },
    },
  };
}
