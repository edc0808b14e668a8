/** Rows on their way into analytics: RowBinary bytes, one row behind the other, each with its place in the feed. */
const PLACE_BYTES = 4 + 8;

export class RowBatch {
  readonly maxRows: number;
  readonly #bytes: Buffer;
  #length = 0;
  #rows = 0;

  /** @param maxBytes has room for at least one row. */
  constructor(maxRows: number, maxBytes: number) {
    this.maxRows = maxRows;
    this.#bytes = Buffer.allocUnsafe(maxBytes);
  }

  /** Adds the row, or returns false when the batch is full and the row has to wait for the next one. */
  add(row: Uint8Array, partition: number, offset: number): boolean {
    const end = this.#length + row.length;
    if (this.#rows === this.maxRows || end + PLACE_BYTES > this.#bytes.length) {
      if (this.#rows === 0) throw new RangeError(`a row of ${row.length} bytes does not fit into a batch of ${this.#bytes.length}`);
      return false;
    }
    this.#bytes.set(row, this.#length);
    this.#bytes.writeUInt32LE(partition, end);
    this.#bytes.writeUInt32LE(offset % 0x1_0000_0000, end + 4);
    this.#bytes.writeUInt32LE(Math.floor(offset / 0x1_0000_0000), end + 8);
    this.#length = end + PLACE_BYTES;
    this.#rows += 1;
    return true;
  }

  get rows(): number {
    return this.#rows;
  }

  /** A view that is good until the next `add` or `clear`. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
    this.#rows = 0;
  }
}
