/** Which plays of the feed are proven again. */

/** How many: all, none, or about so many. */
export type SampleSize = number | 'all' | 'none';

/**
 * Spread over the whole feed: one out of each stretch of equal length, at a place that nobody can foresee. It takes a play at or
 * behind each such place, so that places without a play cost nothing.
 */
export class Sample {
  readonly #size: SampleSize;
  readonly #stretch: number;
  readonly #random: () => number;
  #stretches = 0;
  #next = 0;

  /** @param last The feed's end. @param random Numbers from 0 to 1. */
  constructor(size: SampleSize, last: number, random: () => number) {
    this.#size = size;
    this.#stretch = typeof size === 'number' ? Math.max(1, last / size) : 1;
    this.#random = random;
    this.#aim();
  }

  /** To be asked in the order of positions. */
  takes(seq: number): boolean {
    if (typeof this.#size === 'string') return this.#size === 'all';
    if (seq < this.#next) return false;
    this.#stretches = Math.max(this.#stretches, Math.floor((seq - 1) / this.#stretch)) + 1;
    this.#aim();
    return true;
  }

  #aim(): void {
    this.#next = this.#stretches * this.#stretch + 1 + this.#random() * (this.#stretch - 1);
  }
}
