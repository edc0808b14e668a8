/** What the profiles edge and cluster have in common: Kafka, MongoDB and ClickHouse behind the ports, by the roles of this process. */
import type { FastifyPluginAsync } from 'fastify';
import type { Dispatcher } from '../accept/dispatcher.ts';
import { RegistryUnavailable } from '../accept/registry-view.ts';
import { acceptRoutes } from '../accept/routes.ts';
import { SendTimes } from '../accept/send-times.ts';
import { HttpAnalytics } from '../analytics/http-engine.ts';
import { NOTHING_LOADED } from '../analytics/loader.ts';
import { RemoteLoader } from '../analytics/remote-loader.ts';
import { sharedCompleteness } from '../analytics/shared-completeness.ts';
import { auditRoutes } from '../audit/routes.ts';
import { MongoReader } from '../archive/mongo-reader.ts';
import type { WaitingLogs } from '../archive/waiting-logs.ts';
import type { EngineSettings } from '../config.ts';
import { Directory } from '../console/directory.ts';
import { consolePlugins } from '../console/plugins.ts';
import { Counters } from '../counters.ts';
import type { JournalState } from '../journal/journal-state.ts';
import type { Completeness } from '../query/analytics-port.ts';
import { FeedSignal } from '../query/feed-signal.ts';
import { listRoutes } from '../query/list-routes.ts';
import { playRoutes } from '../query/play-routes.ts';
import { reportRoutes } from '../query/report-routes.ts';
import { MongoRegistry } from '../registry/mongo-registry.ts';
import { MongoTokens } from '../registry/mongo-tokens.ts';
import { MongoRegistryView } from '../registry/mongo-view.ts';
import { registryRoutes } from '../registry/routes.ts';
import type { CheckResult } from '../server/health.ts';
import { serviceMetrics } from '../service-metrics.ts';
import { EdgeStanding } from '../settle/edge-standing.ts';
import type { SettleOptions, SettleStatus } from '../settle/settle-messages.ts';
import { Settler } from '../settle/settler.ts';
import { startAccepting } from './accepting.ts';
import { firstAdminToken } from './admin-token.ts';
import { EngineWatch } from './engine-watch.ts';
import { readiness } from './readiness.ts';
import type { Composition, Surroundings } from './service.ts';
import { ViewWatch } from './view-watch.ts';

/** The consumer group that settles the journal of a cluster. */
export const SETTLE_GROUP = 'playproof-settle';
const EVIDENCE_KEY_AGE_MS = 5_000;

/** The journal of an edge box. */
export interface OwnJournal {
  readonly journalId: string;
  /** Its read position was lost when it was looked at last. */
  readonly positionLost: boolean;
}

export interface DistributedParts {
  readonly engines: EngineSettings;
  readonly settleSource: SettleOptions['source'];
  /** The group whose position says what is settled; null where the journal is not on Kafka. */
  readonly settleGroup: string | null;
  readonly journal: (counters: Counters) => JournalState;
  /** Why it takes no writes, where it is `refusing`; a sentence. */
  readonly refuses: string;
  /** Records that wait to be settled, where this process counts them itself; null: its settler knows, as far as one can. */
  readonly unsettled: (counters: Counters) => number | null;
  /** Asked once the journal is open. Absent where the journal is not of this process alone: then others settle what it takes. */
  readonly ownJournal?: () => OwnJournal;
  /** See RemoteLoader. */
  readonly certain: (dispatcher: Dispatcher | null, counters: Counters) => number | null;
  /** What this node knows of logs that were acknowledged and are not settled yet; asked once the journal is open. Null: nothing. */
  readonly waiting: (counters: Counters) => WaitingLogs | null;
}

/** Engines that are away do not stop the start: each part tries again until they are there, and says so meanwhile. */
export async function composeDistributed(surroundings: Surroundings, parts: DistributedParts): Promise<Composition> {
  const { config, logger } = surroundings;
  const { engines } = parts;
  const { roles } = config;
  const mongo = { log: (message: string) => logger.warn({ part: 'mongodb' }, message) };
  const registry = new MongoRegistry(engines.mongodbUrl, mongo);
  const tokens = new MongoTokens(engines.mongodbUrl, { ...mongo, adminToken: config.adminToken });
  const leaving = new AbortController();
  const adminToken = await firstAdminToken(() => tokens.ensureAdminToken(), leaving.signal);

  const counters = new Counters();
  const feedSignal = new FeedSignal();
  const sendTimes = new SendTimes();
  const dispatcher = roles.has('accept') ? await startAccepting(surroundings, counters, feedSignal) : null;
  const own = (dispatcher && parts.ownJournal?.()) ?? null;
  const standing = dispatcher && own ? new EdgeStanding(own.positionLost, (why) => dispatcher.refuse(why)) : null;
  const settler = roles.has('settle') ? startSettler(surroundings, parts, counters, { dispatcher, standing }) : null;
  const loader = roles.has('analytics')
    ? new RemoteLoader({
        options: {
          kafka: engines.kafka,
          clickhouseUrl: engines.clickhouseUrl,
          settleGroup: parts.settleGroup,
          skip: engines.analyticsSkip,
          journalId: own?.journalId ?? null,
          instance: config.instance,
        },
        certain: () => parts.certain(dispatcher, counters),
        log: (message) => logger.warn({ part: 'analytics' }, message),
      })
    : null;
  const viewAgeMs = (): number | null => dispatcher?.viewAgeMs ?? null;
  const viewWatch = dispatcher ? new ViewWatch(viewAgeMs, config.registryMaxAgeMs, registryLog(logger)) : null;
  const metrics = serviceMetrics({
    counters,
    ...(dispatcher && { unread: dispatcher.unread }),
    viewAgeMs,
    inFlight: () => dispatcher?.inFlight ?? { requests: 0, bytes: 0 },
    analytics: () => ({ ...(loader?.status ?? { ...NOTHING_LOADED, stopped: null }), restarts: loader?.restarts ?? 0 }),
    positionLost: () => (settler?.status ? settler.status.state === 'position-lost' : null),
    // A settler knows of its own partitions; together they know all.
    lags: {
      journal: () => (dispatcher && parts.unsettled(counters)) ?? settler?.status?.backlog ?? null,
      analytics: () => loader?.status?.lagRows ?? null,
    },
  });
  const ready = (): CheckResult =>
    readiness({
      accept: dispatcher && {
        journal: parts.journal(counters),
        refuses: parts.refuses,
        refusal: standing?.refusal ?? null,
        viewAgeMs: viewAgeMs(),
      },
      settler,
      loader,
      query: query && query.watch,
    });
  const waiting = roles.has('query') ? parts.waiting(counters) : null;
  const query = roles.has('query') ? openQuery(surroundings, engines, { feedSignal, loader, waiting }) : null;
  const directory = new Directory(registry);
  const plugins: FastifyPluginAsync[] = [registryRoutes({ registry: directory.watched(registry) })];
  if (dispatcher) plugins.push(acceptRoutes(dispatcher, sendTimes));
  if (query) {
    const { analytics, completeUntil } = query;
    plugins.push(...query.plugins);
    plugins.push(
      ...consolePlugins({
        config,
        counters,
        analytics,
        loaded: () => null,
        completeUntil,
        checks: ready,
        metrics,
        registry,
        directory,
        sendTimes,
      }),
    );
  }
  return {
    authenticate: (token) => tokens.authenticate(token),
    newAdminToken: adminToken.now,
    laterAdminToken: adminToken.later.catch((error: Error) => {
      surroundings.die(error.message);
      return null;
    }),
    plugins,
    health: { live: () => ({ ok: true, checks: { process: { ok: true } } }), ready },
    metrics,
    close: async () => {
      leaving.abort();
      viewWatch?.close();
      // Before the writer: on an edge box it reads the writer's file, which is emptied in order only once nobody else has it open.
      await settler?.stop();
      await dispatcher?.close();
      await loader?.stop();
      await query?.close();
      await tokens.close();
      await registry.close();
    },
  };
}

function startSettler(
  { config, logger }: Surroundings,
  parts: DistributedParts,
  counters: Counters,
  { dispatcher, standing }: { readonly dispatcher: Dispatcher | null; readonly standing: EdgeStanding | null },
): Settler {
  const { kafka, mongodbUrl } = parts.engines;
  return new Settler(
    { kafka, mongodbUrl, quarantinePerDevice: config.quarantinePerDevice, source: parts.settleSource },
    {
      onStatus: (status) => {
        standing?.heard(status);
        show(counters, parts.settleSource.kind === 'edge', status);
      },
      onSettledUpTo: (seq) => {
        standing?.found();
        counters.set('settled', Math.max(counters.get('settled'), seq));
        dispatcher?.tell({ type: 'settled-up-to', seq });
      },
      log: (level, message) => logger[level]({ part: 'settle' }, message),
    },
  );
}

/**
 * A settler that was started again counts from zero; Prometheus takes that as what it is.
 *
 * @param tells It says itself up to where it has settled; otherwise that is reckoned from the backlog, which may be a moment old.
 */
function show(counters: Counters, tells: boolean, { owners, duplicates, conflicts, quarantined, failures, backlog }: SettleStatus): void {
  counters.set('settledPlays', owners);
  counters.set('settledDuplicates', duplicates);
  counters.set('settledConflicts', conflicts);
  counters.set('quarantined', quarantined);
  counters.set('settleFailures', failures);
  if (backlog !== null && !tells) counters.set('settled', Math.max(counters.get('settled'), counters.get('end') - backlog));
}

function openQuery(
  { logger }: Surroundings,
  engines: EngineSettings,
  {
    feedSignal,
    loader,
    waiting,
  }: { readonly feedSignal: FeedSignal; readonly loader: RemoteLoader | null; readonly waiting: WaitingLogs | null },
) {
  const analytics = new HttpAnalytics(engines.clickhouseUrl, (fault) => logger.warn({ part: 'analytics', fault }, 'a query failed'));
  const completeUntil = async (): Promise<Completeness> => {
    const { instant, reason = loader?.behind } = await sharedCompleteness(analytics, Date.now);
    return reason ? { instant, reason } : { instant };
  };
  const archive = new MongoReader(engines.mongodbUrl, waiting ? { waiting: (logId, scope) => waiting.has(logId, scope) } : {});
  const view = new MongoRegistryView(engines.mongodbUrl);
  const publicKey = async (deviceId: string, keyId: string): Promise<string | null> => {
    try {
      await view.prepare({ devices: new Set([deviceId]), campaigns: new Set(), contents: new Set() }, EVIDENCE_KEY_AGE_MS);
    } catch (error) {
      // Answered as `unavailable`.
      if (error instanceof RegistryUnavailable) return null;
      throw error;
    }
    return view.facts.device(deviceId)?.keys.find((key) => key.keyId === keyId)?.publicKey ?? null;
  };
  const watch = new EngineWatch({ MongoDB: () => archive.ping(), ClickHouse: () => analytics.ping() });
  return {
    analytics,
    completeUntil,
    watch,
    plugins: [
      playRoutes({ archive, feedSignal, publicKey }),
      listRoutes({ analytics }),
      reportRoutes({ analytics, completeUntil }),
      auditRoutes({ analytics: null }),
    ],
    close: async () => {
      watch.close();
      await archive.close();
      waiting?.close();
      view.close();
    },
  };
}

function registryLog(logger: Surroundings['logger']) {
  return (level: 'warn' | 'info', message: string): void => logger[level]({ part: 'registry' }, message);
}
