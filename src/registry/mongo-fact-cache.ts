/** What a view read of one kind, with what is not registered, and which of it has to be read again. */
export interface Loaded<Facts> {
  readonly id: string;
  /** Null: not registered. */
  readonly facts: Facts | null;
  /** Equal stamps, equal facts. */
  readonly stamp: string;
}

interface Held<Facts> extends Loaded<Facts> {
  stale: boolean;
}

/**
 * At most `limit` registered entries and as many that are not registered, the longest-held dropped first. An entry that is stale
 * still answers, so that nothing vanishes between `prepare` and the look-up; it is among the missing ones of the next `prepare`.
 */
export class MongoFactCache<Facts> {
  readonly #limit: number;
  readonly #known = new Map<string, Held<Facts>>();
  readonly #unknown = new Map<string, Held<Facts>>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(id: string): Facts | null {
    return this.#known.get(id)?.facts ?? null;
  }

  missing(ids: ReadonlySet<string>): string[] {
    return [...ids].filter((id) => (this.#known.get(id) ?? this.#unknown.get(id))?.stale ?? true);
  }

  /**
   * @param stale Something changed while this was read, so it is to be read again.
   * @param wanted Never dropped to make room; they may go over the limit while they are needed.
   */
  put(loaded: readonly Loaded<Facts>[], stale: boolean, wanted: ReadonlySet<string>): void {
    for (const { id, facts, stamp } of loaded) {
      const before = this.#known.get(id);
      // What did not change stays the same object: others remember things by it.
      const same = before?.stamp === stamp ? before.facts : facts;
      const [into, outOf] = same === null ? [this.#unknown, this.#known] : [this.#known, this.#unknown];
      outOf.delete(id);
      into.set(id, { id, facts: same, stamp, stale });
    }
    this.#makeRoom(this.#known, wanted);
    this.#makeRoom(this.#unknown, wanted);
  }

  markStale(id: string): void {
    for (const held of [this.#known.get(id), this.#unknown.get(id)]) if (held) held.stale = true;
  }

  markStaleWhere(changed: (facts: Facts) => boolean): void {
    for (const held of this.#known.values()) if (held.facts !== null && changed(held.facts)) held.stale = true;
  }

  markAllStale(): void {
    for (const held of this.#known.values()) held.stale = true;
    this.#unknown.clear();
  }

  #makeRoom(held: Map<string, Held<Facts>>, wanted: ReadonlySet<string>): void {
    let excess = held.size - this.#limit;
    if (excess <= 0) return;
    for (const id of held.keys()) {
      if (wanted.has(id)) continue;
      held.delete(id);
      excess -= 1;
      if (excess <= 0) return;
    }
  }
}
