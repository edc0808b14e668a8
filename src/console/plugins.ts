/** What the console asks the service for, beyond what everybody asks: one list of routes for whoever composes a service. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyPluginAsync } from 'fastify';
import type { Registry as Metrics } from 'prom-client';
import type { SendTimes } from '../accept/send-times.ts';
import type { Config } from '../config.ts';
import type { Counters } from '../counters.ts';
import type { AnalyticsQueries, Completeness } from '../query/analytics-port.ts';
import type { RegistryEntries } from '../registry/registry.ts';
import { consoleRoutes, type DemoToken } from '../server/console.ts';
import type { CheckResult } from '../server/health.ts';
import { activityRoutes } from './activity-routes.ts';
import { DeviceActivities } from './device-activity.ts';
import type { Directory } from './directory.ts';
import { directoryRoutes } from './directory-routes.ts';
import { LiveFigures } from './live-figures.ts';
import { liveRoutes } from './live-routes.ts';
import { previewRoutes } from './preview-routes.ts';
import { sessionRoutes } from './session-routes.ts';

const BUILT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../console/dist');

export interface ConsoleDeps {
  readonly config: Pick<Config, 'rules'>;
  readonly counters: Counters;
  readonly analytics: AnalyticsQueries;
  /** Everything settled up to here is loaded; null: nobody knows yet. */
  readonly loaded: () => number | null;
  readonly completeUntil: () => Promise<Completeness>;
  readonly checks: () => CheckResult;
  readonly metrics: Metrics;
  readonly registry: RegistryEntries;
  readonly directory: Directory;
  readonly sendTimes: SendTimes;
  /** Set by the demonstration. */
  readonly demoTokens?: () => readonly DemoToken[];
}

export function consolePlugins(deps: ConsoleDeps): readonly FastifyPluginAsync[] {
  const { config, counters, analytics, directory, registry, sendTimes, demoTokens } = deps;
  const figures = new LiveFigures({ counters, loaded: deps.loaded, metrics: deps.metrics });
  const activities = new DeviceActivities({ analytics, directory, clockOf: (deviceId) => sendTimes.of(deviceId), now: Date.now });
  return [
    sessionRoutes(config.rules),
    liveRoutes({ figures, counters, checks: deps.checks, completeUntil: deps.completeUntil }),
    directoryRoutes({ directory, analytics }),
    activityRoutes(activities),
    previewRoutes(registry),
    consoleRoutes({ directory: BUILT, ...(demoTokens && { demoTokens }) }),
  ];
}
