/**
 * How fast logs are answered, and whether one more would wait too long. The expected wait is what is in flight over the speed of
 * late. Speed is measured while there is work only; and since light load is answered slower than it could be, expecting
 * a long wait is believed only once somebody has really waited for a good part of it.
 */
const WINDOW_MS = 250;
const KEEP = 0.7;
const WAITED_PART = 0.25;

export class Pace {
  readonly #maxWaitMs: number;
  /** Bytes answered per millisecond, lately; 0: not known yet. */
  #rate = 0;
  #doneBytes = 0;
  #since = 0;

  constructor(maxWaitMs: number) {
    this.#maxWaitMs = maxWaitMs;
  }

  /** Work begins after there was none. @param now Milliseconds of a clock that only goes forward, here and below. */
  begin(now: number): void {
    this.#since = now;
    this.#doneBytes = 0;
  }

  done(bytes: number, now: number): void {
    this.#doneBytes += bytes;
    const elapsed = now - this.#since;
    if (elapsed < WINDOW_MS) return;
    const rate = this.#doneBytes / elapsed;
    this.#rate = this.#rate === 0 ? rate : KEEP * this.#rate + (1 - KEEP) * rate;
    this.begin(now);
  }

  /** The wait in milliseconds that one more must expect where that is too long, otherwise null. */
  tooLong(bytesInFlight: number, oldestSince: number, now: number): number | null {
    if (this.#rate === 0 || now - oldestSince < this.#maxWaitMs * WAITED_PART) return null;
    const waitMs = bytesInFlight / this.#rate;
    return waitMs > this.#maxWaitMs ? waitMs : null;
  }
}
