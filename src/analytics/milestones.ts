/**
 * How complete the figures are where journal and feed are topics: a milestone is what the journal held at an instant. It is reached
 * once that is settled, and what the feed held then is loaded.
 */
import type { FeedPositions } from './feed-source.ts';

type Ends = ReadonlyMap<number, number>;

export interface MilestoneSources {
  /** The next offset of each journal partition; null where the journal is not on Kafka: then the asker knows it is settled. */
  readonly journalEnds: (() => Promise<Ends>) | null;
  /** The next offset that the settler reads, of each journal partition. */
  readonly settled: () => Promise<Ends>;
  readonly feedEnds: () => Promise<Ends>;
  /** Everything before these offsets is in analytics. */
  readonly loaded: () => FeedPositions | null;
}

interface Milestone {
  /** Everything received before it is in what the journal held then. Milliseconds since 1970 UTC. */
  readonly instant: number;
  journal: Ends | null;
  feed: Ends | null;
}

const MAX_WAITING = 64;

export class Milestones {
  readonly #sources: MilestoneSources;
  readonly #onReached: (instant: number) => void;
  #waiting: Milestone[] = [];
  #reachedInstant = 0;
  /** While a question is out, no other is asked: each holds a thread of the client's for as long as the brokers are silent. */
  #adding = false;

  constructor(sources: MilestoneSources, onReached: (instant: number) => void = () => {}) {
    this.#sources = sources;
    this.#onReached = onReached;
  }

  /** The latest instant of a milestone that was reached; 0 before the first. */
  get reachedInstant(): number {
    return this.#reachedInstant;
  }

  /** Takes note of what the journal holds now. Rejects when it cannot be asked. */
  async add(instant: number): Promise<void> {
    // Those that wait are not dropped for it: where settling is far behind, none would ever be reached.
    if (this.#adding || this.#waiting.length >= MAX_WAITING) return;
    const { journalEnds, feedEnds } = this.#sources;
    this.#adding = true;
    try {
      const journal = journalEnds ? await journalEnds() : null;
      this.#waiting.push({ instant, journal, feed: journal ? null : await feedEnds() });
    } finally {
      this.#adding = false;
    }
  }

  /** Looks how far things have come. Rejects when it cannot be asked; the next look goes on. */
  async look(): Promise<void> {
    const { settled, feedEnds, loaded } = this.#sources;
    if (this.#waiting.some(({ feed }) => feed === null)) {
      const reached = await settled();
      const passed = this.#waiting.filter(({ journal, feed }) => feed === null && journal !== null && covers(reached, journal));
      // Read after the settler's position: what was settled before is published before these ends.
      if (passed.length > 0) {
        const feed = await feedEnds();
        for (const milestone of passed) milestone.feed = feed;
      }
    }
    const at = loaded();
    if (!at) return;
    const done = this.#waiting.filter(({ feed }) => feed !== null && covers(at, feed));
    this.#waiting = this.#waiting.filter((milestone) => !done.includes(milestone));
    for (const { instant } of done) {
      this.#reachedInstant = Math.max(this.#reachedInstant, instant);
      this.#onReached(instant);
    }
  }
}

function covers(reached: Ends, ends: Ends): boolean {
  return [...ends].every(([partition, end]) => end === 0 || (reached.get(partition) ?? 0) >= end);
}
