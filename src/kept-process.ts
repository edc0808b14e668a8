/** A child process that is started again when it ends: the parts that need a process of their own on the distributed engines. */
import { type ChildProcess, fork } from 'node:child_process';

const FIRST_BACK_OFF_MS = 200;
const MAX_BACK_OFF_MS = 5_000;
/** A process that lived this long was well: the next restart begins with the short back-off again. */
const WELL_AFTER_MS = 30_000;

export interface KeptProcessOptions<To, From> {
  readonly name: string;
  readonly entry: URL;
  /** The first message that each new process gets; options may hold passwords, which arguments would show. */
  readonly hello: To;
  /** Told when a process is started: what the one before it said of itself is over. */
  readonly onStart: () => void;
  readonly onMessage: (message: From) => void;
  readonly log: (message: string) => void;
}

export class KeptProcess<To extends object, From> {
  readonly #options: KeptProcessOptions<To, From>;
  #child: ChildProcess | null = null;
  #stopped = false;
  #backOff = FIRST_BACK_OFF_MS;
  #retry: NodeJS.Timeout | null = null;
  #restarts = 0;

  constructor(options: KeptProcessOptions<To, From>) {
    this.#options = options;
    this.#fork();
  }

  get restarts(): number {
    return this.#restarts;
  }

  get alive(): boolean {
    return this.#child !== null;
  }

  /** Drops the message where no process runs: the next one begins anew. */
  send(message: To): void {
    // With a callback a failed send is no 'error' of the process; its 'close' follows.
    if (this.#child?.connected) this.#child.send(message, () => {});
  }

  /** Says `farewell` and waits for the end, or kills after `timeoutMs`. */
  async stop(farewell: To, timeoutMs: number): Promise<void> {
    this.#stopped = true;
    if (this.#retry) clearTimeout(this.#retry);
    const child = this.#child;
    if (!child) return;
    const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
    this.send(farewell);
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    await gone;
    clearTimeout(timer);
  }

  #fork(): void {
    const { entry, hello, onStart, onMessage, log, name } = this.#options;
    onStart();
    const born = performance.now();
    let child: ChildProcess;
    try {
      child = fork(entry, [], { serialization: 'advanced', stdio: ['ignore', 2, 2, 'ipc'] });
    } catch (error) {
      this.#ended(0, (error as Error).message);
      return;
    }
    this.#child = child;
    child.on('message', (message) => onMessage(message as From));
    child.on('error', (error) => log(`the ${name} process: ${error.message}`));
    // Not 'exit', which does not come where the process could not be started.
    child.once('close', (code, signal) => this.#ended(performance.now() - born, signal ?? `code ${code}`));
    this.send(hello);
  }

  #ended(livedMs: number, how: string): void {
    const { log, name } = this.#options;
    this.#child = null;
    if (this.#stopped) return;
    if (livedMs > WELL_AFTER_MS) this.#backOff = FIRST_BACK_OFF_MS;
    log(`the ${name} process ended (${how}); it is started again in ${this.#backOff} ms`);
    this.#retry = setTimeout(() => {
      this.#restarts += 1;
      this.#fork();
    }, this.#backOff);
    this.#backOff = Math.min(this.#backOff * 2, MAX_BACK_OFF_MS);
  }
}
