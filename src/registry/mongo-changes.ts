/**
 * How a change of the registry reaches the judges of every node.
 *
 * One document counts the changes and holds the newest. It is written *before* the entry itself, so that no crash in between can
 * leave a changed entry unnoted; whoever reads a note therefore takes the entry as restless for RESTLESS_MS, which is longer than
 * any write may take, and reads it again at each look. One document has one order: no change can become visible behind a later one.
 */
import type { Collection, Db } from 'mongodb';

/** `all`: more changed than is worth naming. */
export type NotedKind = 'store' | 'device' | 'campaign' | 'content' | 'all';

export interface Note {
  readonly kind: NotedKind;
  readonly id: string;
}

interface DatedNote extends Note {
  /** When it was written, by that node's clock; milliseconds since 1970 UTC. */
  readonly at: number;
}

interface Changes {
  readonly _id: 'registry';
  readonly revision: number;
  /** The newest last; the last is change number `revision`. */
  readonly recent: readonly DatedNote[];
}

/** Changes that are kept by name; who missed more drops all it has. */
const MAX_NOTES = 500;
/** How long a write may take altogether. */
export const WRITE_MS = 10_000;
/** How long after a note was seen its entry may still be about to change. */
export const RESTLESS_MS = 3 * WRITE_MS;
/** A note that is older than this, clocks that differ included, is of a write that is over. */
const LONG_OVER_MS = 15 * 60_000;

export const NOTE_ALL: Note = { kind: 'all', id: '' };

/** The document that readers compare against, from the start. */
export async function layOutChanges(db: Db): Promise<void> {
  await changesOf(db).updateOne({ _id: 'registry' }, { $setOnInsert: { revision: 0, recent: [] } }, { upsert: true });
}

/** Durable before the caller writes the entries. */
export async function noteChanges(db: Db, notes: readonly Note[]): Promise<void> {
  const at = Date.now();
  const told = (notes.length > MAX_NOTES / 2 ? [NOTE_ALL] : notes).map((note) => ({ ...note, at }));
  await changesOf(db).updateOne(
    { _id: 'registry' },
    { $inc: { revision: told.length }, $push: { recent: { $each: told, $slice: -MAX_NOTES } } },
    { upsert: true },
  );
}

export interface Seen {
  readonly revision: number;
  /** What changed since the revision that was asked about, or may still be about to. */
  readonly notes: readonly Note[];
}

/** @param since The revision seen last; null: none yet, and nothing is held that could have changed. */
export async function readChanges(db: Db, since: number | null): Promise<Seen> {
  const changes = changesOf(db);
  const now = (await changes.findOne({ _id: 'registry' }, { projection: { revision: 1 } }))?.revision ?? 0;
  if (now === since) return { revision: now, notes: [] };
  const found = await changes.findOne({ _id: 'registry' });
  if (!found) return { revision: 0, notes: since === null ? [] : [NOTE_ALL] };
  const { revision, recent } = found;
  if (since === null) {
    const pending = recent.filter(({ at }) => at > Date.now() - LONG_OVER_MS);
    return { revision, notes: pending.length === MAX_NOTES ? [NOTE_ALL] : pending };
  }
  const missed = revision - since;
  // Fewer than before: the database was replaced by another.
  const known = missed >= 0 && missed <= recent.length;
  return { revision, notes: known ? recent.slice(recent.length - missed) : [NOTE_ALL] };
}

function changesOf(db: Db): Collection<Changes> {
  return db.collection('registry_changes');
}
