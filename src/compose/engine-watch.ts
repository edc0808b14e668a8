/** Asks engines now and then whether they answer: a probe of this process must not wait for them. */
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_EVERY_MS = 2_000;

export class EngineWatch {
  readonly #closing = new AbortController();
  /** Why an engine cannot be asked, by its name. */
  readonly #faults = new Map<string, string>();

  /** @param engines By name, a question that an engine that is well answers; it ends within a few seconds, and rejects with a sentence. */
  constructor(engines: Readonly<Record<string, () => Promise<void>>>) {
    for (const [name, ask] of Object.entries(engines)) {
      this.#faults.set(name, `${name} was not asked yet`);
      void this.#watch(name, ask);
    }
  }

  /** Null: all of them answered when they were last asked. */
  get fault(): string | null {
    return this.#faults.size === 0 ? null : [...this.#faults.values()].join('; ');
  }

  close(): void {
    this.#closing.abort();
  }

  async #watch(name: string, ask: () => Promise<void>): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await ask();
        this.#faults.delete(name);
      } catch (error) {
        this.#faults.set(name, (error as Error).message);
      }
      await sleep(LOOK_EVERY_MS, undefined, { signal, ref: false }).catch(() => {});
    }
  }
}
