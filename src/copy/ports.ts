/** What a copy reads and what it writes, apart from the plays themselves: those go the way of settling (settle/ports.ts). */
import type { Refusal } from '../domain/refusal.ts';
import type { Merge, Taken, WholeEntry, WholeToken } from '../registry/merge.ts';
import type { Kind } from '../registry/registry.ts';

export interface SourceCounts {
  /** In the feed. */
  readonly plays: number;
  /** Acknowledged and not settled yet; none once the rest was settled. */
  readonly waiting: number;
  readonly quarantine: number;
  readonly tokens: number;
  readonly entries: Readonly<Record<Kind, number>>;
}

/** A row of quarantine with its count. */
export interface WholeRefusal {
  /** Its place: greater is newer. */
  readonly id: number;
  readonly count: number;
  /** Milliseconds since 1970 UTC. */
  readonly lastReceived: number;
  readonly refusal: Refusal;
}

/** What an embedded installation holds beside its plays. Nothing of it changes while it is copied. */
export interface CopySource {
  readonly journalId: string;
  counts(): SourceCounts;
  /** Entries with their whole history, retired ones too, by id, at most `limit` behind `after`. */
  entries<K extends Kind>(kind: K, after: string | null, limit: number): readonly WholeEntry<K>[];
  tokens(): readonly WholeToken[];
  /** Oldest first, at most `limit` behind the place `after`. @throws SourceDamaged */
  quarantine(after: number, limit: number): readonly WholeRefusal[];
}

/** Where it goes. Everything may be said again without effect; each call is durable when it resolves. */
export interface CopyTarget {
  /** Merges the entries (registry/merge.ts). `look`: says what it would do and writes nothing. */
  entries<K extends Kind>(kind: K, entries: readonly WholeEntry<K>[], how: Merge): Promise<Taken>;
  tokens(tokens: readonly WholeToken[], how: Merge): Promise<Taken>;
  /** Keeps refusals of the journal with their counts, oldest first. */
  quarantine(journalId: string, refusals: readonly WholeRefusal[]): Promise<void>;
  /** Plays of the journal that stand in quarantine because the target has another log under their log_id. */
  conflicts(journalId: string): Promise<number>;
}

/** The data directory does not hold what it should. */
export class SourceDamaged extends Error {
  override readonly name = 'SourceDamaged';
}

/** The copy cannot be made, as the sentence says; nothing was lost. */
export class CopyImpossible extends Error {
  override readonly name = 'CopyImpossible';
}
