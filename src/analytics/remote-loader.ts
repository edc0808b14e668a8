/** The service's side of the loading process. */
import { KeptProcess } from '../kept-process.ts';
import type { FromLoader, LoaderProcessOptions, ToLoader } from './loader-messages.ts';
import type { LoaderStatus } from './loader.ts';

const STOP_MS = 8_000;
const SAMPLE_MS = 1_000;

export interface RemoteLoaderDeps {
  readonly options: LoaderProcessOptions;
  /**
   * An instant of which it is certain that every log received before it is in the journal already, or in the part of it that
   * `settledNow` speaks of; null: not now.
   */
  readonly certain: () => number | null;
  readonly log: (message: string) => void;
}

export class RemoteLoader {
  readonly #process: KeptProcess<ToLoader, FromLoader>;
  readonly #timer: NodeJS.Timeout;
  readonly #certain: () => number | null;
  #status: LoaderStatus | null = null;

  constructor({ options, certain, log }: RemoteLoaderDeps) {
    this.#certain = certain;
    this.#process = new KeptProcess({
      name: 'loading',
      entry: new URL('./loader-process.ts', import.meta.url),
      hello: { type: 'start', options },
      onStart: () => {
        this.#status = null;
      },
      onMessage: (message) => this.#hear(message, log),
      log,
    });
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
    this.#timer.unref();
  }

  /** Null until the process that runs now has loaded, looked or failed. */
  get status(): LoaderStatus | null {
    return this.#process.alive ? this.#status : null;
  }

  get restarts(): number {
    return this.#process.restarts;
  }

  /** What keeps the figures back, as far as loading does; null: nothing. */
  get behind(): string | null {
    const { status } = this;
    if (!status) return 'Loading has not begun yet; where that lasts, the log of the service says why.';
    const { lastError, lagRows } = status;
    if (lastError !== null) return 'Loading is held up; the log of the service says by what.';
    return lagRows !== null && lagRows > 0 ? `${lagRows} records of the feed wait to be loaded.` : null;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#process.stop({ type: 'stop' }, STOP_MS);
  }

  #sample(): void {
    const instant = this.#certain();
    if (instant === null || !this.#process.alive) return;
    this.#process.send({ type: 'milestone', instant });
  }

  #hear(message: FromLoader, log: (message: string) => void): void {
    if (message.type === 'status') this.#status = message.status;
    else log(message.message);
  }
}
