/** The OpenAPI document of the whole service, without its engines: nothing behind the routes is ever asked. */
import { pino } from 'pino';
import { Registry as Metrics } from 'prom-client';
import type { Dispatcher } from '../../src/accept/dispatcher.ts';
import { acceptRoutes } from '../../src/accept/routes.ts';
import { SendTimes } from '../../src/accept/send-times.ts';
import { loadConfig } from '../../src/config.ts';
import { Directory } from '../../src/console/directory.ts';
import { consolePlugins } from '../../src/console/plugins.ts';
import { Counters } from '../../src/counters.ts';
import type { AnalyticsQueries } from '../../src/query/analytics-port.ts';
import type { PlayArchive } from '../../src/query/archive-port.ts';
import { FeedSignal } from '../../src/query/feed-signal.ts';
import { listRoutes } from '../../src/query/list-routes.ts';
import { playRoutes } from '../../src/query/play-routes.ts';
import { reportRoutes } from '../../src/query/report-routes.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { registryRoutes } from '../../src/registry/routes.ts';
import { buildApp } from '../../src/server/app.ts';
import type { OpenApiDocument } from './openapi-document.ts';

const completeUntil = async () => ({ instant: 0 });
const well = () => ({ ok: true, checks: {} });

export async function wholeDocument(): Promise<OpenApiDocument> {
  const registry = {} as Registry;
  const analytics = {} as AnalyticsQueries;
  const metrics = new Metrics();
  const app = await buildApp({
    config: loadConfig({}),
    logger: pino({ level: 'silent' }),
    authenticate: () => null,
    plugins: [
      acceptRoutes({} as Dispatcher),
      playRoutes({ archive: {} as PlayArchive, feedSignal: new FeedSignal(), publicKey: async () => null }),
      listRoutes({ analytics }),
      reportRoutes({ analytics, completeUntil }),
      registryRoutes({ registry }),
      ...consolePlugins({
        config: loadConfig({}),
        counters: new Counters(),
        analytics,
        loaded: () => null,
        completeUntil,
        checks: well,
        metrics,
        registry,
        directory: new Directory(registry),
        sendTimes: new SendTimes(),
      }),
    ],
    health: { live: well, ready: well },
    metrics,
  });
  try {
    return app.swagger() as unknown as OpenApiDocument;
  } finally {
    await app.close();
  }
}
