/** Wakes those who wait for the feed to grow. */
export class FeedSignal {
  #count = 0;
  readonly #waiting = new Set<() => void>();

  /** How often something was published; hand it to `wait`. */
  get count(): number {
    return this.#count;
  }

  published(): void {
    this.#count += 1;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /** Resolves once something was published after `count` was `seen`, or after `ms`, or when `signal` is aborted. */
  async wait(seen: number, ms: number, signal: AbortSignal): Promise<void> {
    if (this.#count !== seen || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#waiting.add(resolve);
    const wake = (): void => resolve();
    signal.addEventListener('abort', wake, { once: true });
    await promise;
    clearTimeout(timer);
    // One request waits many times on one signal.
    signal.removeEventListener('abort', wake);
    this.#waiting.delete(resolve);
  }
}
