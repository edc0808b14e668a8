import type { FastifyPluginAsync } from 'fastify';
import type { Logger } from 'pino';
import type { Registry as Metrics } from 'prom-client';
import type { Config } from '../config.ts';
import type { Authenticate } from '../server/auth.ts';
import type { DemoToken } from '../server/console.ts';
import type { Health } from '../server/health.ts';

/** What a composition is given. */
export interface Surroundings {
  readonly config: Config;
  readonly logger: Logger;
  /** The service cannot go on: it stops acknowledging and ends with exit code 1. */
  readonly die: (reason: string) => void;
  /** Of a demonstration; see `consoleRoutes`. */
  readonly demoTokens?: () => readonly DemoToken[];
}

/** The parts of a service on its engines, ready to be put behind the HTTP server. */
export interface Composition {
  readonly authenticate: Authenticate;
  /** The administrator's token where one was made just now. */
  readonly newAdminToken: string | null;
  /** Where that could not be decided at the start, since the registry is away: resolves once it is back. */
  readonly laterAdminToken?: Promise<string | null>;
  /** The routes of the roles that this process has. */
  readonly plugins: readonly FastifyPluginAsync[];
  readonly health: Health;
  readonly metrics: Metrics;
  /** Answers what is in flight, settles it, closes the engines. Called once the HTTP server takes no more requests. */
  close(): Promise<void>;
}

/** @throws Error with a sentence when it cannot start. */
export type Compose = (surroundings: Surroundings) => Promise<Composition>;
