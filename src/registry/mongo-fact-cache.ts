/** What a view read of one kind, with what is not registered, and which of it has to be read again. */
export interface Loaded<Facts> {
  readonly id: string;
  /** Null: not registered. */
  readonly facts: Facts | null;
  /** Equal stamps, equal facts. */
  readonly stamp: string;
}

/** `outdated`: it changed since it was read. `restless`: it was read since it was noted as changing, and that may still go on. */
export type Stale = 'outdated' | 'restless';

interface Held<Facts> extends Loaded<Facts> {
  stale: Stale | null;
  /** `performance.now()` before it was read. */
  readonly readAt: number;
}

/**
 * At most `limit` registered entries and as many that are not registered, the longest-held dropped first. An entry that is stale
 * still answers, so that nothing vanishes between `prepare` and the look-up; it is among the missing ones of the next `prepare`.
 * Where it cannot be read again, one that is only restless may be judged by for its age.
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
    return [...ids].filter((id) => this.#held(id)?.stale !== null);
  }

  /** Of the missing ones those that may not be judged by. @param since Read before that, a restless entry is too old. */
  unusable(missing: readonly string[], since: number): string[] {
    return missing.filter((id) => {
      const held = this.#held(id);
      return !held || held.stale === 'outdated' || held.readAt < since;
    });
  }

  /**
   * @param readAt `performance.now()` before it was read.
   * @param stale Something changed while this was read, so it is to be read again.
   * @param wanted Never dropped to make room; they may go over the limit while they are needed.
   */
  put(loaded: readonly Loaded<Facts>[], readAt: number, stale: Stale | null, wanted: ReadonlySet<string>): void {
    for (const { id, facts, stamp } of loaded) {
      const before = this.#known.get(id);
      // What did not change stays the same object: others remember things by it.
      const same = before?.stamp === stamp ? before.facts : facts;
      const [into, outOf] = same === null ? [this.#unknown, this.#known] : [this.#known, this.#unknown];
      outOf.delete(id);
      into.set(id, { id, facts: same, stamp, stale, readAt });
    }
    this.#makeRoom(this.#known, wanted);
    this.#makeRoom(this.#unknown, wanted);
  }

  markStale(id: string, how: Stale): void {
    const held = this.#held(id);
    if (held) mark(held, how);
  }

  markStaleWhere(changed: (facts: Facts) => boolean, how: Stale): void {
    for (const held of this.#known.values()) if (held.facts !== null && changed(held.facts)) mark(held, how);
  }

  markAllStale(how: Stale): void {
    for (const held of this.#known.values()) mark(held, how);
    for (const held of this.#unknown.values()) mark(held, how);
  }

  #held(id: string): Held<Facts> | undefined {
    return this.#known.get(id) ?? this.#unknown.get(id);
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

function mark(held: { stale: Stale | null }, how: Stale): void {
  if (held.stale !== 'outdated') held.stale = how;
}
