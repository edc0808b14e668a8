/** The real service in a process of its own, on a data directory of its own, as an operator would start it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ENTRY = fileURLToPath(new URL('../../bin/playproof.mjs', import.meta.url));
const READY_WITHIN_MS = 120_000;
const POLL_MS = 10;
/** Of a command, bytes. */
const MAX_OUTPUT = 64 * 1024 * 1024;

export const ADMIN_TOKEN = 'test-admin-token-0123456789abcdefghij';

export interface ServiceOptions {
  readonly dataDir: string;
  /** Further settings, such as PLAYPROOF_FAILPOINT. */
  readonly env?: Readonly<Record<string, string>>;
  /** A program and its arguments that start the service in their own place, such as `strace -D …`. */
  readonly under?: readonly string[];
  /** In a process group of its own, so that a signal can be sent to the whole group. */
  readonly group?: boolean;
  /** Called as soon as the process exists, before it listens. */
  readonly onSpawn?: (service: Service) => void;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export function makeDataDir(): string {
  return mkdtempSync(path.join(os.tmpdir(), 'playproof-test-'));
}

export function removeDataDir(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

export class Service {
  readonly dataDir: string;
  readonly pid: number;
  /** Resolves when the process has ended, however. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  #exit: Exit | null = null;
  #output = '';
  #url: string | null = null;

  private constructor(options: ServiceOptions, child: ChildProcess, pid: number) {
    this.dataDir = options.dataDir;
    this.#child = child;
    this.pid = pid;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8');
      stream?.on('data', (text: string) => {
        this.#output += text;
      });
    }
    this.exited = once(child, 'exit').then(([code, signal]) => {
      this.#exit = { code: code as number | null, signal: signal as NodeJS.Signals | null };
      return this.#exit;
    });
  }

  /** Starts the process without waiting for it. */
  static spawn(options: ServiceOptions): Service {
    const [program, ...args] = [...(options.under ?? []), process.execPath, ENTRY, 'start'];
    const child = spawn(program, args, {
      cwd: options.dataDir,
      detached: options.group ?? false,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...environmentFor(options.dataDir), ...options.env },
    });
    if (child.pid === undefined) throw new Error('the service process could not be started');
    const service = new Service(options, child, child.pid);
    options.onSpawn?.(service);
    return service;
  }

  /** Starts it and waits until it says that it is ready. @throws Error with its output when it ends first. */
  static async start(options: ServiceOptions): Promise<Service> {
    const service = Service.spawn(options);
    try {
      await service.ready();
    } catch (error) {
      await service.kill();
      throw error;
    }
    return service;
  }

  /** Resolves when its address is known; it may not be ready yet. */
  async listening(withinMs = READY_WITHIN_MS): Promise<void> {
    const until = performance.now() + withinMs;
    while (!this.#listens()) {
      if (performance.now() > until) throw new Error(`the service did not listen within ${withinMs} ms:\n${this.#output}`);
      await sleep(POLL_MS);
    }
  }

  async ready(withinMs = READY_WITHIN_MS): Promise<void> {
    const until = performance.now() + withinMs;
    while (performance.now() < until) {
      if (this.#listens() && (await answersReady(this.url))) return;
      await sleep(POLL_MS);
    }
    throw new Error(`the service was not ready within ${withinMs} ms:\n${this.#output}`);
  }

  /** @throws Error when it has ended. */
  #listens(): boolean {
    if (this.#exit) throw new Error(`the service ended before it was ready (${JSON.stringify(this.#exit)}):\n${this.#output}`);
    this.#url ??= /listens at (http:\/\/127\.0\.0\.1:\d+)/.exec(this.#output)?.[1] ?? null;
    return this.#url !== null;
  }

  get url(): string {
    if (this.#url === null) throw new Error('the service does not listen yet');
    return this.#url;
  }

  /** Everything that it wrote to stdout and stderr. */
  get output(): string {
    return this.#output;
  }

  /** Where the files of the engines are. */
  get data(): string {
    return path.join(this.dataDir, 'data');
  }

  get ended(): Exit | null {
    return this.#exit;
  }

  signal(name: NodeJS.Signals): void {
    if (!this.#exit) this.#child.kill(name);
  }

  /** To every process of its group; the service must have been started with `group`. */
  signalGroup(name: NodeJS.Signals): void {
    process.kill(-this.pid, name);
  }

  async stop(): Promise<Exit> {
    this.signal('SIGTERM');
    return this.exited;
  }

  async kill(): Promise<Exit> {
    this.signal('SIGKILL');
    return this.exited;
  }

  /** Runs `playproof …` on the same data directory. @returns what it printed, without the line's end */
  async command(...args: readonly string[]): Promise<string> {
    const options = { cwd: this.dataDir, env: environmentFor(this.dataDir) };
    const { stdout } = await promisify(execFile)(process.execPath, [ENTRY, ...args], options);
    return stdout.trimEnd();
  }

  /** The same to its end, with whatever code. @param env Further settings. */
  async run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<{ code: number; stdout: string; stderr: string }> {
    const options = { cwd: this.dataDir, env: { ...environmentFor(this.dataDir), ...env }, maxBuffer: MAX_OUTPUT };
    return new Promise((resolve, reject) => {
      execFile(process.execPath, [ENTRY, ...args], options, (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code;
        if (typeof code === 'number') resolve({ code, stdout, stderr });
        else reject(new Error(`playproof ${args[0]} did not end by itself`, { cause: error }));
      });
    });
  }

  /** Process ids of its children: the analytics process. */
  children(): number[] {
    return childrenOf(this.pid);
  }

  /** Resident memory, bytes. */
  residentBytes(): number {
    return residentOf(this.pid);
  }

  /** The same of it and its children; what has ended counts nothing. */
  residentBytesWithChildren(): number {
    return [this.pid, ...this.children()].reduce((sum, pid) => {
      try {
        return sum + residentOf(pid);
      } catch {
        return sum;
      }
    }, 0);
  }
}

function environmentFor(dataDir: string): NodeJS.ProcessEnv {
  return {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PLAYPROOF_'))),
    PLAYPROOF_HTTP_PORT: '0',
    PLAYPROOF_DATA_DIR: path.join(dataDir, 'data'),
    PLAYPROOF_ADMIN_TOKEN: ADMIN_TOKEN,
    PLAYPROOF_LOG_LEVEL: 'warn',
  };
}

async function answersReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/health/ready`);
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}

/** @throws Error when there is no such process. */
function residentOf(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  // A process that has ended and was not waited for has no memory.
  return Number(kilobytes ?? 0) * 1024;
}

function childrenOf(pid: number): number[] {
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // The name of the command stands in parentheses and may hold anything; what follows it is state and parent.
      if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid) found.push(Number(name));
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

/** Whether a process is there and not a zombie that nobody has waited for. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z';
  } catch {
    return false;
  }
}
