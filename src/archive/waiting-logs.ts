/** What is known of logs that were acknowledged and that MongoDB does not have, since they are not settled yet. */
import type { Scope } from '../server/access.ts';

export interface WaitingLogs {
  /**
   * Whether a play within `scope` waits under this log_id, or may wait. False: it does not, or it was settled while this was asked, so that
   * whoever asked the archive before asks it once more.
   */
  has(logId: string, scope: Scope): Promise<boolean>;
  close(): void;
}

/** How far the settlers are, as a process asks that does not settle. */
export interface SettledSoFar {
  /** Whether everything is settled that was in the journal when this was called; it waits a moment for it. Rejects where it cannot be asked. */
  upToNow(): Promise<boolean>;
  close(): void;
}

/** A question takes no longer than this, also of brokers that do not answer. */
const PATIENCE_MS = 3_000;

/**
 * Where the journal is on Kafka, nobody can look into it for one log. But once the settlers have passed everything that was in it when
 * the question came, a log that the archive does not have was never acknowledged. Until then it may be any log, for whoever asks: so the
 * answer tells nothing about plays that are not theirs.
 */
export class BehindSettlers implements WaitingLogs {
  readonly #open: () => Promise<SettledSoFar | null>;
  readonly #onFailure: (error: Error) => void;
  #settled: Promise<SettledSoFar | null> | null = null;

  /**
   * @param open Opened at the first question, and again after one that failed. Null: there is no journal, so nothing waits.
   * @param onFailure Told why it could not be asked; then every log that is not archived may be one that waits.
   */
  constructor(open: () => Promise<SettledSoFar | null>, onFailure: (error: Error) => void) {
    this.#open = open;
    this.#onFailure = onFailure;
  }

  async has(): Promise<boolean> {
    const patience = Promise.withResolvers<true>();
    const timer = setTimeout(() => patience.resolve(true), PATIENCE_MS);
    try {
      return await Promise.race([this.#ask(), patience.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    void this.#settled?.then((settled) => settled?.close());
    this.#settled = null;
  }

  async #ask(): Promise<boolean> {
    const opening = (this.#settled ??= this.#open());
    try {
      const settled = await opening;
      if (settled) return !(await settled.upToNow());
      // A journal may be made any time.
      this.#forget(opening);
      return false;
    } catch (error) {
      this.#forget(opening);
      this.#onFailure(error instanceof Error ? error : new Error(String(error)));
      return true;
    }
  }

  #forget(opened: Promise<SettledSoFar | null>): void {
    if (this.#settled !== opened) return;
    this.#settled = null;
    opened.then(
      (settled) => settled?.close(),
      () => {},
    );
  }
}
