/** How many queries run and wait at once. */
import { Problem } from '../server/problem.ts';

export const MAX_RUNNING = 4;
export const MAX_WAITING = 64;
export const MAX_WAIT_MS = 10_000;

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Problem) => void;
  readonly timer: NodeJS.Timeout;
}

export class QuerySlots {
  readonly #waiting = new Set<Waiting>();
  #running = 0;

  /** Resolves when a query may run; `give` follows. @throws Problem overloaded */
  take(): Promise<void> {
    if (this.#running < MAX_RUNNING) {
      this.#running += 1;
      return Promise.resolve();
    }
    if (this.#waiting.size >= MAX_WAITING) {
      return Promise.reject(new Problem('overloaded', 'Too many reports are asked for at once; ask again in a moment.', { retryAfter: 2 }));
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting);
        reject(new Problem('overloaded', 'Other reports take their time; ask again in a moment.', { retryAfter: 5 }));
      }, MAX_WAIT_MS);
      const waiting: Waiting = { resolve, reject, timer };
      this.#waiting.add(waiting);
    });
  }

  give(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#running -= 1;
      return;
    }
    this.#waiting.delete(next);
    clearTimeout(next.timer);
    next.resolve();
  }

  /** Ends the waiting of all; those that run give their slots back themselves. */
  refuseWaiting(error: Problem): void {
    for (const waiting of this.#waiting) {
      clearTimeout(waiting.timer);
      waiting.reject(error);
    }
    this.#waiting.clear();
  }
}
