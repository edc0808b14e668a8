/**
 * How old each judge's view of the registry is: one shared number for each judge thread, so that the HTTP thread can show it. Instants
 * are of the machine's clock that only goes forward, which all threads share.
 */
const NEVER = 0;

export class ViewAges {
  readonly shared: SharedArrayBuffer;
  readonly #lookedAt: Float64Array;

  constructor(shared: SharedArrayBuffer) {
    this.shared = shared;
    this.#lookedAt = new Float64Array(shared);
  }

  static of(judges: number): ViewAges {
    return new ViewAges(new SharedArrayBuffer(judges * Float64Array.BYTES_PER_ELEMENT));
  }

  /** The view of `judge` was up to date `ageMs` ago. */
  looked(judge: number, ageMs: number): void {
    this.#lookedAt[judge] = nowMs() - ageMs;
  }

  /** Milliseconds since the oldest view was up to date; null while one of them was never read. */
  oldestMs(): number | null {
    const oldest = Math.min(...this.#lookedAt);
    return oldest === NEVER ? null : nowMs() - oldest;
  }
}

function nowMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
