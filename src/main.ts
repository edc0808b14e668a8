/** Starts the service: the engines of its profile behind the HTTP server. Only `src/compose/` names engines. */
import { composeEmbedded } from './compose/embedded.ts';
import type { Compose } from './compose/service.ts';
import type { Config, Profile } from './config.ts';
import type { DemoToken } from './server/console.ts';
import { markLate } from './memory.ts';
import { buildApp } from './server/app.ts';
import { createLogger } from './server/logging.ts';

export interface RunningService {
  /** Where it listens, e.g. `http://127.0.0.1:8080`. */
  readonly address: string;
  /** The administrator's token where one was made just now; it cannot be read again. */
  readonly newAdminToken: string | null;
  /** The same, where the registry was away at the start: resolves once it is back. */
  readonly laterAdminToken: Promise<string | null>;
  /** Stops accepting, answers what is in flight, settles it, and closes the engines. */
  close(): Promise<void>;
  /** Resolves with the exit code when the service ended, by `close` (0) or because it could not go on (1). */
  readonly closed: Promise<number>;
}

/** The distributed engines are loaded only where they are chosen. */
const COMPOSITIONS: Readonly<Record<Profile, () => Promise<Compose>>> = {
  embedded: async () => composeEmbedded,
  edge: async () => (await import('./compose/edge.ts')).composeEdge,
  cluster: async () => (await import('./compose/cluster.ts')).composeCluster,
};

export interface RunOptions {
  /** Given by the demonstration alone: whoever opens the console on this machine is signed in with one of them. */
  readonly demoTokens?: () => readonly DemoToken[];
}

/** @throws Error with a sentence when it cannot start. */
export async function run(config: Config, options: RunOptions = {}): Promise<RunningService> {
  markLate();
  const logger = createLogger(config);
  const ended = Promise.withResolvers<number>();
  const die = (reason: string): void => {
    logger.fatal({ reason }, 'the service cannot go on and stops acknowledging');
    ended.resolve(1);
  };
  const compose = await COMPOSITIONS[config.profile]();
  const composition = await compose({ config, logger, die, ...options });
  const { authenticate, newAdminToken, laterAdminToken = Promise.resolve(null), plugins, health, metrics } = composition;
  const app = await buildApp({ config, logger, authenticate, plugins, health, metrics });
  const address = await app.listen({ host: config.host, port: config.port });
  const close = async (): Promise<void> => {
    await app.close();
    await composition.close();
    ended.resolve(0);
  };
  return { address, newAdminToken, laterAdminToken, close, closed: ended.promise };
}
