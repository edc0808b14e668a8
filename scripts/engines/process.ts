/** One server process of an engine: started, watched and ended by its own pid. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Launch {
  /** For sentences: "Kafka broker 2". */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly directory: string;
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Goes on after this process has ended; otherwise it ends with it, even when this one is killed. */
  readonly outlives: boolean;
}

const SETPRIV = '/usr/bin/setpriv';

export class EngineProcess {
  readonly name: string;
  readonly logFile: string;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  /** Where this start's part of the log begins. */
  readonly #logOffset: number;

  constructor(launch: Launch, child: ChildProcess, pid: number, logOffset: number) {
    this.name = launch.name;
    this.logFile = launch.logFile;
    this.pid = pid;
    this.#child = child;
    this.#logOffset = logOffset;
    this.#exited = new Promise((resolve) => child.once('exit', () => resolve()));
  }

  static async start(launch: Launch): Promise<EngineProcess> {
    const logOffset = existsSync(launch.logFile) ? statSync(launch.logFile).size : 0;
    const log = openSync(launch.logFile, 'a');
    // The kernel ends it with its parent: a killed test run leaves no broker behind.
    const tied = !launch.outlives && existsSync(SETPRIV);
    const command = tied ? SETPRIV : launch.command;
    const args = tied ? ['--pdeathsig', 'KILL', launch.command, ...launch.args] : [...launch.args];
    const child = spawn(command, args, {
      cwd: launch.directory,
      env: { ...process.env, ...launch.env },
      stdio: ['ignore', log, log],
      // In a group of its own: Ctrl-C is for the one who started it, who ends it when its time has come.
      detached: launch.outlives || tied,
    });
    closeSync(log);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => reject(new Error(`${launch.name} did not start: ${launch.command}: ${cause.message}`, { cause })));
    });
    if (launch.outlives) child.unref();
    return new EngineProcess(launch, child, child.pid as number, logOffset);
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What this start wrote. */
  log(): string {
    return readFileSync(this.logFile).subarray(this.#logOffset).toString('utf8');
  }

  /** Resolves when `isReady` says so; rejects with the end of the log when the process ends or the time is over. */
  async ready(isReady: (log: string) => boolean | Promise<boolean>, timeoutMs: number): Promise<void> {
    const end = performance.now() + timeoutMs;
    while (!(await isReady(this.log()))) {
      if (!this.alive) throw new Error(`${this.name} ended while starting:\n${this.#logEnd()}`);
      if (performance.now() > end) {
        await this.kill();
        throw new Error(`${this.name} was not ready within ${timeoutMs / 1000} s:\n${this.#logEnd()}`);
      }
      await sleep(100);
    }
  }

  /** kill -9. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#signal('SIGKILL');
    await this.#exited;
  }

  pause(): void {
    this.#signal('SIGSTOP');
  }

  resume(): void {
    this.#signal('SIGCONT');
  }

  /** SIGTERM, and SIGKILL after the grace. */
  async stop(graceMs = 20_000): Promise<void> {
    this.resume();
    this.#signal('SIGTERM');
    const timer = setTimeout(() => this.#signal('SIGKILL'), graceMs);
    await this.#exited;
    clearTimeout(timer);
  }

  /** Only ever a child of this process that has not been waited for: its pid cannot belong to another. */
  #signal(signal: NodeJS.Signals): void {
    if (this.alive) this.#child.kill(signal);
  }

  #logEnd(): string {
    return this.log().split('\n').slice(-30).join('\n');
  }
}
