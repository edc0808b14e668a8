/**
 * Whether an edge box may acknowledge logs. What goes into a journal whose read position is lost is settled by nobody, so it is not
 * taken. That has to be known: a box that has not reached Kafka yet, for a day if need be, goes on taking logs.
 */
import type { SettleStatus } from './settle-messages.ts';

const LOST =
  'The read position of this box is lost, so what it took now would never be billed; an operator has to look at it. ' +
  'Keep the logs and send them again later.';
const FENCED =
  'Another process publishes the journal of this box; whether this one may go on is being found out. Send the same logs again.';

export class EdgeStanding {
  #refusal: string | null;
  readonly #onChange: (refusal: string | null) => void;

  /**
   * @param noted The journal says itself that its position was lost when it was looked at last.
   * @param onChange Told why logs are refused from now on, and null when they are not; at once where `noted`.
   */
  constructor(noted: boolean, onChange: (refusal: string | null) => void) {
    this.#refusal = noted ? LOST : null;
    this.#onChange = onChange;
    if (noted) onChange(LOST);
  }

  /** A sentence for devices; null: logs are taken. */
  get refusal(): string | null {
    return this.#refusal;
  }

  heard({ state, lastError }: Pick<SettleStatus, 'state' | 'lastError'>): void {
    if (state === 'position-lost') this.#change(LOST);
    else if (state === 'fenced') this.#change(this.#refusal ?? FENCED);
    // Kafka is away again, so nobody can find it out; being fenced alone proves nothing: a transaction that took too long ends so too.
    else if (this.#refusal === FENCED && lastError !== null) this.#change(null);
  }

  /** The position was found, and it is one of this very journal. */
  found(): void {
    this.#change(null);
  }

  #change(refusal: string | null): void {
    if (refusal === this.#refusal) return;
    this.#refusal = refusal;
    this.#onChange(refusal);
  }
}
