/**
 * How complete the figures are: the instant up to which every log that was received is in analytics.
 *
 * Journal order is not the order of receipt, so a position alone does not say it. Samples do: at each one it is known when the
 * oldest request still in flight was received, and everything received before that was appended at or before the journal's end
 * read just afterwards. Once analytics is past that end, the sample's instant holds.
 */
import type { Completeness } from './analytics-port.ts';

const EVERY_MS = 100;
const MAX_SAMPLES = 20_000;

export interface CompletenessDeps {
  readonly now: () => number;
  /** When the oldest request in flight was received; null: nothing is in flight. */
  readonly oldestInFlight: () => number | null;
  /** The journal's end; read after `oldestInFlight`. */
  readonly end: () => number;
  /** Everything up to here is settled. */
  readonly settled: () => number;
  /** Everything settled up to here is loaded; null: nobody knows yet. */
  readonly loaded: () => number | null;
}

export class CompletenessTracker {
  readonly #deps: CompletenessDeps;
  #samples: { readonly received: number; readonly end: number }[] = [];
  #complete = 0;
  #latest = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(deps: CompletenessDeps) {
    this.#deps = deps;
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), EVERY_MS);
    this.#timer.unref();
  }

  /** A member function that can be handed on. */
  readonly completeUntil = async (): Promise<Completeness> => {
    this.#sample();
    const loaded = this.#deps.loaded();
    if (loaded === null) return { instant: this.#complete, reason: 'Analytics is starting, or away.' };
    let passed = 0;
    for (const { received, end } of this.#samples) {
      if (end > loaded) break;
      this.#complete = Math.max(this.#complete, received);
      passed += 1;
    }
    this.#samples = this.#samples.slice(passed);
    const { end, settled } = this.#deps;
    if (loaded >= end()) return { instant: this.#complete };
    const waiting = end() - settled();
    return {
      instant: this.#complete,
      reason: waiting > 0 ? `${waiting} logs wait to be settled.` : `${settled() - loaded} logs wait to be loaded.`,
    };
  };

  close(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    const received = this.#deps.oldestInFlight() ?? this.#deps.now();
    const end = this.#deps.end();
    // The wall clock was set back: what comes now is received "before" instants that were claimed, so they are claimed no more.
    if (received < this.#latest) {
      this.#complete = Math.min(this.#complete, received);
      this.#samples = this.#samples.map((sample) => ({ ...sample, received: Math.min(sample.received, received) }));
    }
    this.#latest = received;
    const last = this.#samples.at(-1);
    // The same end with a later instant says more; and when many are kept already, a coarser grid will do.
    if (last?.end === end) this.#samples[this.#samples.length - 1] = { received: Math.max(last.received, received), end };
    else this.#samples.push({ received, end });
    if (this.#samples.length > MAX_SAMPLES) this.#samples = this.#samples.filter((_, i) => i % 2 === 1);
  }
}
