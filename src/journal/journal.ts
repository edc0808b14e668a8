/** One record on its way into the journal; the bytes are not copied and must not change until `append` has resolved. */
export interface JournalEntry {
  readonly kind: 1 | 2;
  /** Sixteen bytes; zeros where a refusal has no readable log_id. */
  readonly logId: Uint8Array;
  readonly record: Uint8Array;
}

/** The durable queue between accept and settle. */
export interface Journal {
  /** Minted at random when the journal was created. With a position's number it names one record for ever. */
  readonly journalId: string;
  /**
   * Appends all entries, in order, or none.
   *
   * Resolves when they survive a power cut. Rejects with JournalFull when the journal has no room: nothing was kept, and a
   * later append may succeed. Rejects with JournalBroken when it is unknown what was kept: the process must stop.
   */
  append(entries: readonly JournalEntry[]): Promise<void>;
  /** The position behind the last durable record; positions are never used twice. */
  readonly end: number;
  close(): void;
}

export class JournalFull extends Error {
  override readonly name = 'JournalFull';
}

export class JournalBroken extends Error {
  override readonly name = 'JournalBroken';
}
