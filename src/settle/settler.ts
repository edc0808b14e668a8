/** The service's side of the settling process. */
import { KeptProcess } from '../kept-process.ts';
import type { FromSettler, SettleOptions, SettleStatus, ToSettler } from './settle-messages.ts';

const STOP_MS = 8_000;

export interface SettlerEvents {
  readonly onStatus: (status: SettleStatus) => void;
  readonly onSettledUpTo: (seq: number) => void;
  readonly log: (level: 'warn' | 'error', message: string) => void;
}

export class Settler {
  readonly #process: KeptProcess<ToSettler, FromSettler>;
  #status: SettleStatus | null = null;

  constructor(options: SettleOptions, { onStatus, onSettledUpTo, log }: SettlerEvents) {
    this.#process = new KeptProcess({
      name: 'settling',
      entry: new URL('./settle-process.ts', import.meta.url),
      hello: { type: 'start', options },
      onStart: () => {
        this.#status = null;
      },
      onMessage: (message) => {
        if (message.type === 'status') {
          this.#status = message.status;
          onStatus(message.status);
        } else if (message.type === 'settled-up-to') onSettledUpTo(message.seq);
        else log(message.level, message.message);
      },
      log: (message) => log('warn', message),
    });
  }

  /** Null until the process that runs now has told something. */
  get status(): SettleStatus | null {
    return this.#process.alive ? this.#status : null;
  }

  async stop(): Promise<void> {
    await this.#process.stop({ type: 'stop' }, STOP_MS);
  }
}
