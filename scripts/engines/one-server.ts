/** An engine that is one process, which tests kill, pause and start again on its data. */
import type { EngineProcess } from './process.ts';

const STOP_MS = 10_000;

export class OneServer {
  process: EngineProcess;
  readonly #name: string;
  readonly #start: () => Promise<EngineProcess>;

  /** @param start Starts another process on the same data, and resolves when it answers. */
  constructor(name: string, process: EngineProcess, start: () => Promise<EngineProcess>) {
    this.#name = name;
    this.process = process;
    this.#start = start;
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.process.kill();
  }

  pause(): void {
    this.process.pause();
  }

  resume(): void {
    this.process.resume();
  }

  /** Starts a dead server on its data and waits for it. */
  async restart(): Promise<void> {
    if (this.process.alive) throw new Error(`the ${this.#name} is running`);
    this.process = await this.#start();
  }

  async stop(): Promise<void> {
    await this.process.stop(STOP_MS);
  }
}
