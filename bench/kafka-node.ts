/** One node of the profile `cluster` under measurement, with the roles that it is given. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ADMIN_TOKEN, authorized, importRegistry } from './admin.ts';
import type { BenchEngines } from './kafka-engines.ts';
import { childrenOf } from './usage.ts';

const READY_WITHIN_MS = 60_000;
const LOOK_MS = 100;

export type Role = 'accept' | 'settle' | 'analytics' | 'query';

export interface NodeOptions {
  readonly name: string;
  readonly roles: readonly Role[];
  /** Options of Node, such as `--cpu-prof`. */
  readonly execArgv?: readonly string[];
}

export class BenchNode {
  readonly name: string;
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(name: string, url: string, child: ChildProcess) {
    this.name = name;
    this.url = url;
    this.#child = child;
  }

  /** Resolves when it is ready for what its roles need. @throws Error with what is missing. */
  static async start(engines: BenchEngines, { name, roles, execArgv = [] }: NodeOptions): Promise<BenchNode> {
    const dataDir = path.join(engines.directory, name);
    mkdirSync(dataDir, { recursive: true });
    const own = Object.entries(process.env).filter(([key]) => !key.startsWith('PLAYPROOF_'));
    const child = fork(new URL('./service-process.ts', import.meta.url), {
      execArgv: [...execArgv],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: {
        ...Object.fromEntries(own),
        ...engines.environment,
        PLAYPROOF_ROLES: roles.join(','),
        PLAYPROOF_INSTANCE: name,
        PLAYPROOF_HTTP_PORT: '0',
        PLAYPROOF_DATA_DIR: dataDir,
        PLAYPROOF_ADMIN_TOKEN: ADMIN_TOKEN,
        PLAYPROOF_LOG_LEVEL: 'error',
      },
    });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the node ${name} ended with code ${String(code)} before it was ready`);
    });
    ended.catch(() => {});
    const [{ address }] = (await Promise.race([once(child, 'message'), ended])) as [{ address: string }];
    const node = new BenchNode(name, address, child);
    await node.#ready();
    return node;
  }

  register(registry: object): Promise<void> {
    return importRegistry(this.url, registry);
  }

  /** A path under `/api/v1`, asked with the administrator's token. */
  async get(address: string): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`${this.url}/api/v1${address}`, { headers: authorized });
    return { status: response.status, body: await response.json() };
  }

  /** Of `/metrics`; NaN where it shows none. */
  async metric(name: string): Promise<number> {
    const response = await fetch(`${this.url}/metrics`);
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await response.text())?.[1] ?? Number.NaN);
  }

  /** Its processes by what they do. */
  pids(): ReadonlyMap<'node' | 'settle' | 'loader', number> {
    const pid = this.#child.pid ?? 0;
    const pids = new Map<'node' | 'settle' | 'loader', number>([['node', pid]]);
    for (const child of childrenOf(pid)) {
      const command = readFileSync(`/proc/${child}/cmdline`, 'latin1');
      if (command.includes('settle-process')) pids.set('settle', child);
      else if (command.includes('loader-process')) pids.set('loader', child);
    }
    return pids;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.send('stop');
    await ended;
  }

  /** Ends it at once; for when something went wrong. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #ready(): Promise<void> {
    const until = performance.now() + READY_WITHIN_MS;
    for (;;) {
      const response = await fetch(`${this.url}/health/ready`);
      const text = await response.text();
      if (response.ok) return;
      if (performance.now() > until) throw new Error(`the node ${this.name} was not ready within ${READY_WITHIN_MS / 1000} s: ${text}`);
      await sleep(LOOK_MS);
    }
  }
}
