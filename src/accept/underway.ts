/**
 * Jobs that the HTTP thread has given out and the writer has not seen yet: while there are any, a group of the journal may have company. One
 * shared number, so that neither thread waits for the other.
 */
export class Underway {
  readonly shared: SharedArrayBuffer;
  readonly #jobs: Int32Array;

  constructor(shared = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.shared = shared;
    this.#jobs = new Int32Array(shared);
  }

  sent(): void {
    Atomics.add(this.#jobs, 0, 1);
  }

  arrived(): void {
    Atomics.sub(this.#jobs, 0, 1);
  }

  get any(): boolean {
    return Atomics.load(this.#jobs, 0) > 0;
  }
}
