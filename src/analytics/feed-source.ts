import type { RowBatch } from './row-batch.ts';

/** For each partition of the feed the offset to read next. A partition that is not in it begins at its first record. */
export type FeedPositions = ReadonlyMap<number, number>;

export interface FeedRead {
  /** Where to read on when the rows are loaded. It can be ahead of the last row: not every offset holds a play. */
  readonly next: FeedPositions;
  /** The batch was filled and more is waiting. */
  readonly more: boolean;
  /** Records between `next` and the end of the feed; an upper bound. */
  readonly lagRows: number;
  /** Records before `next` that cannot be read and were left out, since a person said so of each. */
  readonly skipped: number;
}

/** A play as analytics holds it, with its place in the feed. */
export interface LoadedPlay {
  readonly partition: number;
  readonly offset: number;
  readonly logId: string;
  readonly contentHash: string;
}

/** Something in the feed cannot be loaded and must not be skipped: loading stops until a person has looked. */
export class FeedFault extends Error {
  override readonly name = 'FeedFault';
}

/**
 * The feed as analytics reads it: settled plays only, in the order of their offsets within each partition, the same ones
 * whenever the same range is read again.
 */
export interface FeedSource {
  /** What a person does to have analytics loaded again from this feed, in a sentence or two. */
  readonly reload: string;
  /** Names this very feed: positions in another one mean nothing here. */
  feedId(): Promise<string>;
  /**
   * Adds to `batch` what lies from `from` on, until the batch is full or the feed has no more.
   *
   * @throws FeedFault when a record is damaged, or when `from` lies behind the end of the feed.
   */
  read(from: FeedPositions, batch: RowBatch): Promise<FeedRead>;
  /** Records between `from` and the end of the feed, whether they can be read or not; an upper bound. */
  lag(from: FeedPositions): Promise<number>;
  /**
   * Whether the feed has this very play in its place. Only of a feed that can be put back to an earlier state, with its id, and then takes
   * other plays.
   */
  has?(play: LoadedPlay): Promise<boolean>;
  close(): void;
}
