/** The processes of a distributed installation, and what can be done to each: killed, stopped for a while, ended in order. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Exit, isAlive, type Service } from '../../support/service.ts';
import type { Installation, SpawnOptions } from './installation.ts';

/** Two nodes that accept and answer, two that settle, one that loads, by their roles. */
export const NODES: Readonly<Record<string, string>> = {
  'accept-1': 'accept,query',
  'accept-2': 'accept,query',
  'settle-1': 'settle',
  'settle-2': 'settle',
  'analytics-1': 'analytics',
};

export interface FieldOptions extends SpawnOptions {
  /** Called when a process ends that nobody here ended. */
  readonly onEnd?: (name: string, exit: Exit, service: Service) => void;
  readonly startWithinMs?: number;
}

const START_MS = 30_000;

export class Field {
  readonly installation: Installation;
  readonly #options: FieldOptions;
  readonly #nodes = new Map<string, Service>();
  /** Those that somebody here ends. */
  readonly #ending = new WeakSet<Service>();

  constructor(installation: Installation, options: FieldOptions = {}) {
    this.installation = installation;
    this.#options = options;
  }

  async startAll(): Promise<void> {
    for (const name of Object.keys(NODES)) {
      const born = this.#spawn(name);
      await born.ready(this.#startMs);
      this.#nodes.set(name, born);
    }
  }

  node(name: string): Service {
    const node = this.#nodes.get(name);
    if (!node) throw new Error(`there is no node ${name}`);
    return node;
  }

  nodes(): Service[] {
    return [...this.#nodes.values()];
  }

  /** kill -9. It comes back after `downMs`; whether it is ready is not waited for, so what comes next may come while it starts. */
  async kill(name: string, downMs: number): Promise<void> {
    const node = this.node(name);
    this.#ending.add(node);
    await node.kill();
    await sleep(downMs);
    await this.#start(name);
  }

  /** SIGTERM, and it comes back. @returns how it ended */
  async end(name: string): Promise<Exit> {
    const node = this.node(name);
    this.#ending.add(node);
    const exit = await node.stop();
    await this.#start(name);
    return exit;
  }

  async pause(name: string, ms: number): Promise<void> {
    const node = this.node(name);
    node.signal('SIGSTOP');
    await sleep(ms);
    node.signal('SIGCONT');
  }

  /** Its settling or loading process alone, which it starts again. @returns false where it has none just now */
  async killChild(name: string): Promise<boolean> {
    const [pid] = this.node(name).children();
    if (pid === undefined) return false;
    process.kill(pid, 'SIGKILL');
    return true;
  }

  async pauseChild(name: string, ms: number): Promise<boolean> {
    const [pid] = this.node(name).children();
    if (pid === undefined) return false;
    process.kill(pid, 'SIGSTOP');
    await sleep(ms);
    if (isAlive(pid)) process.kill(pid, 'SIGCONT');
    return true;
  }

  /** For the end: what ends from now on ends on purpose. */
  endAll(): void {
    for (const node of this.#nodes.values()) this.#ending.add(node);
  }

  get #startMs(): number {
    return this.#options.startWithinMs ?? START_MS;
  }

  async #start(name: string): Promise<void> {
    const born = this.#spawn(name);
    await born.listening(this.#startMs);
    this.#nodes.set(name, born);
  }

  #spawn(name: string): Service {
    const { onEnd, startWithinMs: _, ...options } = this.#options;
    const born = this.installation.spawn(name, NODES[name] as string, options);
    void born.exited.then((exit) => {
      if (!this.#ending.has(born)) onEnd?.(name, exit, born);
    });
    return born;
  }
}

/** An engine as its starter gives it. */
interface Engine {
  kill(): Promise<void>;
  restart(): Promise<void>;
  pause(): void;
  resume(): void;
}

export async function killAndRestart(engine: Engine, downMs = 0): Promise<void> {
  await engine.kill();
  await sleep(downMs);
  await engine.restart();
}

export async function pause(engine: Pick<Engine, 'pause' | 'resume'>, ms: number): Promise<void> {
  engine.pause();
  await sleep(ms);
  engine.resume();
}
