/** Keeps settling: lazily while little waits, at once when much does, with a pause after a failure. */
import type { Counters } from '../counters.ts';
import { PositionLost, type Settlement, type SettleStep } from './settlement.ts';

/** Rows in one step; a step of this size keeps its transaction in the low milliseconds. */
const STEP_ROWS = 1_000;
/** From this many waiting rows on, settling does not wait. */
const EAGER_ROWS = 2_000;
const LAZY_MS = 20;
const MAX_PAUSE_MS = 5_000;

export interface SettleLoopDeps {
  readonly settlement: Settlement;
  /** Records in the journal that are not settled yet. */
  readonly backlog: () => number;
  readonly counters: Counters;
  readonly onStep: (step: SettleStep) => void;
  /** Told of every failure; the loop goes on by itself, except after PositionLost. */
  readonly onFailure: (error: Error) => void;
}

export class SettleLoop {
  readonly #deps: SettleLoopDeps;
  #timer: NodeJS.Timeout | null = null;
  /** The step under way; it never rejects. */
  #running: Promise<void> | null = null;
  #stopped = false;
  #failures = 0;

  constructor(deps: SettleLoopDeps) {
    this.#deps = deps;
  }

  /** Says that something was appended. */
  nudge(): void {
    if (this.#running || this.#stopped || this.#failures > 0) return;
    if (this.#waiting() >= EAGER_ROWS) {
      if (this.#timer) clearTimeout(this.#timer);
      this.#timer = null;
      void this.#run();
    } else this.#later(LAZY_MS);
  }

  /** Settles everything that waits now, once a step that is under way has ended. Rejects with the first failure. */
  async drain(): Promise<void> {
    await this.#running;
    while (this.#deps.backlog() > 0) await this.#step();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  /** Records that wait; a position that cannot be read is a failure like one of a step. */
  #waiting(): number {
    try {
      return this.#deps.backlog();
    } catch (error) {
      this.#failed(error);
      return 0;
    }
  }

  #later(ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      void this.#run();
    }, ms);
  }

  async #run(): Promise<void> {
    if (this.#running || this.#stopped) return;
    this.#running = this.#attempt();
    await this.#running;
    this.#running = null;
    const waiting = this.#stopped ? 0 : this.#waiting();
    if (this.#stopped) return;
    if (this.#failures > 0) this.#later(Math.min(MAX_PAUSE_MS, 50 * 2 ** this.#failures));
    // Between two steps the waiting appends of the same thread get their turn.
    else if (waiting >= EAGER_ROWS) setImmediate(() => void this.#run());
    else if (waiting > 0) this.#later(LAZY_MS);
  }

  async #attempt(): Promise<void> {
    try {
      await this.#step();
      this.#failures = 0;
    } catch (error) {
      this.#failed(error);
    }
  }

  async #step(): Promise<void> {
    const step = await this.#deps.settlement.step(STEP_ROWS);
    const { counters } = this.#deps;
    counters.add('settledPlays', step.owners);
    counters.add('settledDuplicates', step.duplicates);
    counters.add('settledConflicts', step.conflicts);
    counters.add('quarantined', step.quarantined);
    this.#deps.onStep(step);
  }

  #failed(error: unknown): void {
    this.#failures += 1;
    this.#deps.counters.add('settleFailures', 1);
    if (error instanceof PositionLost) {
      this.#stopped = true;
      this.#deps.counters.set('positionLost', 1);
    }
    this.#deps.onFailure(error instanceof Error ? error : new Error(String(error)));
  }
}
