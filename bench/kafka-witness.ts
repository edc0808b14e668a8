/** The benchmark's side of the process that reads the feed. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { FromWitness, ToWitness } from './kafka-witness-messages.ts';

type Answer<Type extends FromWitness['type']> = Extract<FromWitness, { type: Type }>;

export class Witness {
  readonly #process: ChildProcess;

  constructor() {
    this.#process = fork(new URL('./kafka-witness-process.ts', import.meta.url), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** One question at a time. @throws Error when the process ends before it answers. */
  async ask<Type extends FromWitness['type']>(message: ToWitness, type: Type): Promise<Answer<Type>> {
    const over = new AbortController();
    const ended = once(this.#process, 'exit', { signal: over.signal }).then(() => {
      throw new Error('the reader of the feed ended before it answered');
    });
    ended.catch(() => {});
    this.#process.send(message);
    try {
      const [answer] = (await Promise.race([once(this.#process, 'message', { signal: over.signal }), ended])) as [FromWitness];
      if (answer.type !== type) throw new Error(`the reader of the feed answered ${answer.type} in place of ${type}`);
      return answer as Answer<Type>;
    } finally {
      over.abort();
    }
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.disconnect();
    await ended;
  }
}
