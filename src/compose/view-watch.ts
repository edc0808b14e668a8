/** Says in the log when the judges' view of the registry grows old, and when it is up to date again. */
import { REGISTRY_MAX_AGE_MS } from '../domain/limits.ts';

const LOOK_EVERY_MS = 1_000;

export class ViewWatch {
  readonly #ageMs: () => number | null;
  readonly #maxAgeMs: number;
  readonly #log: (level: 'warn' | 'info', message: string) => void;
  readonly #born = performance.now();
  readonly #timer: NodeJS.Timeout;
  #told: 'well' | 'old' | 'too old' = 'well';

  /** @param maxAgeMs Up to which age logs are judged by it. */
  constructor(ageMs: () => number | null, maxAgeMs: number, log: (level: 'warn' | 'info', message: string) => void) {
    this.#ageMs = ageMs;
    this.#maxAgeMs = maxAgeMs;
    this.#log = log;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const known = this.#ageMs();
    const age = known ?? performance.now() - this.#born;
    if (age <= REGISTRY_MAX_AGE_MS) {
      if (this.#told !== 'well') this.#log('info', 'the view of the registry is up to date again');
      this.#told = 'well';
    } else if (known === null || age > this.#maxAgeMs) {
      if (this.#told !== 'too old') {
        const which =
          known === null ? 'the registry was not read yet' : `the view of the registry is more than ${this.#maxAgeMs / 1_000} s old`;
        this.#log('warn', `${which}: no log is judged until MongoDB answers, devices hear 503 and send again`);
      }
      this.#told = 'too old';
    } else if (this.#told === 'well') {
      this.#log(
        'warn',
        `MongoDB does not answer: logs are judged by a view of the registry that grows old, until it is ${this.#maxAgeMs / 1_000} s old`,
      );
      this.#told = 'old';
    }
  }
}
