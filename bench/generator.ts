/** The benchmark's side of the load generator. */
import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import type { FleetOptions, FleetRegistry } from './load/fleet.ts';
import type { FromGenerator, Load, LoadResult, Second, ToGenerator } from './load/messages.ts';

type Answer<Type extends FromGenerator['type']> = Extract<FromGenerator, { type: Type }>;

export class Generator {
  readonly #process: ChildProcess;
  readonly #heard = new EventEmitter();
  #closing = false;
  #onSecond: (second: Second) => void = () => {};

  constructor() {
    this.#process = fork(new URL('./load/generator.ts', import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#process.on('message', (message: FromGenerator) => {
      if (message.type === 'second') this.#onSecond(message.second);
      else this.#heard.emit(message.type, message);
    });
    this.#process.once('exit', (code) => {
      if (!this.#closing) this.#heard.emit('failed', new Error(`the load generator ended with code ${code}`));
    });
  }

  async fleet(options: FleetOptions): Promise<FleetRegistry> {
    return (await this.#ask({ type: 'fleet', options }, 'fleet')).registry;
  }

  /** @returns how many logs are signed beforehand. */
  async prepare(batch: number, logs: number, megabytes: number): Promise<number> {
    return (await this.#ask({ type: 'prepare', batch, logs, megabytes }, 'prepared')).logs;
  }

  /** Signs bodies for another load generator and writes them, one a line, the files taking turns. */
  async write(batch: number, logs: number, files: readonly string[]): Promise<void> {
    await this.#ask({ type: 'write', batch, logs, files }, 'written');
  }

  async run(load: Load, onSecond: (second: Second) => void): Promise<LoadResult> {
    this.#onSecond = onSecond;
    return (await this.#ask({ type: 'run', load }, 'done')).result;
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.disconnect();
    await ended;
  }

  async #ask<Type extends FromGenerator['type']>(message: ToGenerator, type: Type): Promise<Answer<Type>> {
    const heard = Promise.withResolvers<Answer<Type>>();
    this.#heard.once(type, heard.resolve);
    this.#heard.once('failed', heard.reject);
    this.#process.send(message);
    try {
      return await heard.promise;
    } finally {
      this.#heard.off('failed', heard.reject);
    }
  }
}
