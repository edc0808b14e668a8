/** Starts the service on an empty data directory and asks it what a benchmark has to know. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { ADMIN_TOKEN, authorized, importRegistry } from './admin.ts';
import { childrenOf, type ProcessUsage, usageOf } from './usage.ts';

const START_WITHIN_MS = 60_000;
const ANALYTICS_WITHIN_MS = 60_000;
const READY_LOOK_MS = 25;

export interface Progress {
  /** Journal records that are not settled. */
  readonly unsettled: number;
  /** Settled records that are not in analytics. */
  readonly unloaded: number;
  readonly accepted: number;
  readonly settledPlays: number;
  readonly loadedRows: number;
}

export interface ServiceUsage {
  readonly service: ProcessUsage | null;
  readonly analytics: ProcessUsage | null;
}

/** Seconds from the start of the process. */
export interface StartUp {
  /** Until logs are taken. */
  readonly listening: number;
  /** Until a report is answered. */
  readonly reporting: number;
}

export class BenchService {
  readonly url: string;
  readonly startUp: StartUp;
  readonly #process: ChildProcess;

  private constructor(url: string, child: ChildProcess, startUp: StartUp) {
    this.url = url;
    this.#process = child;
    this.startUp = startUp;
  }

  /** Resolves when logs are taken and analytics is ready. @param execArgv Options of Node, such as `--cpu-prof`. */
  static async start(dataDir: string, execArgv: readonly string[] = []): Promise<BenchService> {
    const started = performance.now();
    const since = (): number => (performance.now() - started) / 1000;
    const child = fork(new URL('./service-process.ts', import.meta.url), {
      execArgv: [...execArgv],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: {
        ...withoutSettings(process.env),
        PLAYPROOF_HTTP_PORT: '0',
        PLAYPROOF_DATA_DIR: dataDir,
        PLAYPROOF_ADMIN_TOKEN: ADMIN_TOKEN,
        PLAYPROOF_LOG_LEVEL: 'error',
      },
    });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the service ended with code ${String(code)} before it was ready`);
    });
    const address = await Promise.race([firstMessage(child), ended, late(START_WITHIN_MS, 'the service did not start')]);
    ended.catch(() => {});
    const listening = since();
    await analyticsReady(address);
    return new BenchService(address, child, { listening, reporting: since() });
  }

  register(registry: object): Promise<void> {
    return importRegistry(this.url, registry);
  }

  async progress(): Promise<Progress> {
    const response = await fetch(`${this.url}/metrics`);
    const text = await response.text();
    const read = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
    return {
      unsettled: read('playproof_journal_lag_records'),
      unloaded: read('playproof_analytics_lag_records'),
      accepted: read('playproof_logs_accepted_total'),
      settledPlays: read('playproof_settled_plays_total'),
      loadedRows: read('playproof_analytics_rows_loaded_total'),
    };
  }

  /** A path under `/api/v1`, asked with the administrator's token. */
  async get(path: string): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`${this.url}/api/v1${path}`, { headers: authorized });
    return { status: response.status, body: await response.json() };
  }

  /** The first record of the feed behind a position, waited for; null when none came. */
  async feedAfter(position: number, waitSeconds: number): Promise<{ position: number; receivedAt: number } | null> {
    const response = await fetch(`${this.url}/api/v1/feed?after=${position}&limit=1&wait=${waitSeconds}`, { headers: authorized });
    const text = await response.text();
    if (!response.ok) throw new Error(`the feed was not read: ${response.status} ${text}`);
    if (text === '') return null;
    const record = JSON.parse(text) as { position: string; received_at: string };
    return { position: Number(record.position), receivedAt: Date.parse(record.received_at) };
  }

  /** Every log received before this instant is in the report that was just answered. Milliseconds since 1970 UTC. */
  async completeUntil(): Promise<number> {
    const from = new Date(Date.now() - 60_000).toISOString();
    const { status, body } = await this.get(`/reports/plays?by=status&from=${from}`);
    if (status !== 200) throw new Error(`the report was not answered: ${status} ${JSON.stringify(body)}`);
    return Date.parse((body as { complete_until: string }).complete_until);
  }

  /** The service, and the process of its analytics. */
  processes(): number[] {
    const pid = this.#process.pid ?? 0;
    return [pid, ...childrenOf(pid).slice(0, 1)];
  }

  usage(): ServiceUsage {
    const [service, analytics] = this.processes().map(usageOf);
    return { service: service ?? null, analytics: analytics ?? null };
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.send('stop');
    await ended;
  }

  /** Ends it at once; for when something went wrong. */
  kill(): void {
    this.#process.kill('SIGKILL');
  }
}

/** A report over an hour that holds no plays, so that none is made warm by it. */
const EMPTY_HOUR = 'from=2000-01-01T00:00:00Z&to=2000-01-01T01:00:00Z';

async function analyticsReady(url: string): Promise<void> {
  const until = performance.now() + ANALYTICS_WITHIN_MS;
  for (;;) {
    const response = await fetch(`${url}/api/v1/reports/plays?by=day&${EMPTY_HOUR}`, { headers: authorized });
    await response.arrayBuffer();
    if (response.status === 200) return;
    if (performance.now() > until) throw new Error('analytics was not ready in time');
    await sleep(READY_LOOK_MS);
  }
}

/** The settings of whoever runs the benchmark are not those of the service under measurement. */
export function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('PLAYPROOF_')));
}

async function firstMessage(child: ChildProcess): Promise<string> {
  const [message] = (await once(child, 'message')) as [{ address: string }];
  return message.address;
}

async function late(ms: number, what: string): Promise<never> {
  await sleep(ms, undefined, { ref: false });
  throw new Error(`${what} within ${ms / 1000} s`);
}
