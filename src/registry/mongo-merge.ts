/** Takes whole entries and tokens over into MongoDB: entry by entry, at the version that was read, each as often as one likes. */
import { Binary, type Db } from 'mongodb';
import { isDuplicateKey, type MongoConnection, MongoUnavailable } from '../mongo/mongo-connection.ts';
import { type Merge, mergeEntry, type Taken, type WholeEntry, type WholeToken } from './merge.ts';
import { noteChanges, WRITE_MS } from './mongo-changes.ts';
import { type KeptTypes, tableOf } from './mongo-documents.ts';
import { type Change, isSame } from './mongo-table.ts';
import { FIRST_START, type KeptToken, tokensOf } from './mongo-tokens.ts';
import type { Kind } from './registry.ts';

/** How often entries are decided again because others change them at the same time. */
const ROUNDS = 10;

/** @throws MongoUnavailable; whatever was written is written again harmlessly. */
export async function mergeEntries<K extends Kind>(
  connection: MongoConnection,
  kind: K,
  entries: readonly WholeEntry<K>[],
  how: Merge,
): Promise<Taken> {
  let first: Taken | null = null;
  for (let round = 0; round < ROUNDS; round += 1) {
    const { changes, taken } = await connection.ask(WRITE_MS, (db) => decide(db, kind, entries));
    first ??= taken;
    if (changes.length === 0 || how === 'look') return { ...first, conflicts: taken.conflicts };
    await connection.ask(WRITE_MS, async (db) => {
      // The note comes before the write (mongo-changes.ts).
      await noteChanges(
        db,
        changes.map(({ id }) => ({ kind, id })),
      );
      await tableOf(db, kind).writeMany(changes);
    });
  }
  throw new MongoUnavailable('others keep changing the same entries of the registry');
}

async function decide<K extends Kind>(
  db: Db,
  kind: K,
  entries: readonly WholeEntry<K>[],
): Promise<{ changes: Change<KeptTypes[K]>[]; taken: Taken }> {
  const found = await tableOf(db, kind).findMany(entries.map(({ id }) => id));
  const changes: Change<KeptTypes[K]>[] = [];
  const conflicts: string[] = [];
  let added = 0;
  for (const source of entries) {
    const before = found.get(source.id) ?? null;
    const standing = before && { retiredAt: before.retired_at, entry: before.entry };
    const merged = mergeEntry(kind, source, standing);
    conflicts.push(...merged.conflicts);
    const after = { retired_at: merged.after.retiredAt, entry: merged.after.entry };
    if (isSame(before, after)) continue;
    changes.push({ id: source.id, before, after });
    if (before === null) added += 1;
  }
  return { changes, taken: { added, changed: changes.length - added, same: entries.length - changes.length, conflicts, notes: [] } };
}

/** One administrator's token is made at a first start; where the target has made its own, that of the source is left out and told. */
export async function mergeTokens(connection: MongoConnection, tokens: readonly WholeToken[], how: Merge): Promise<Taken> {
  let added = 0;
  const notes: string[] = [];
  for (const token of tokens) {
    const outcome = await connection.ask(WRITE_MS, (db) => takeToken(db, token, how));
    if (outcome === 'added') added += 1;
    else if (outcome !== 'same') notes.push(outcome);
  }
  return { added, changed: 0, same: tokens.length - added - notes.length, conflicts: [], notes };
}

async function takeToken(db: Db, { hash, holder, firstStart, createdAt }: WholeToken, how: Merge): Promise<string> {
  const tokens = tokensOf(db);
  const bytes = new Binary(hash);
  if (await tokens.findOne({ hash: bytes }, { projection: { _id: 1 } })) return 'same';
  const _id = firstStart ? FIRST_START : Buffer.from(hash).toString('hex');
  const taken = "the administrator's token of the first start was left out: the target has made its own";
  if (how === 'look') return (await tokens.findOne({ _id }, { projection: { _id: 1 } })) ? taken : 'added';
  try {
    await tokens.insertOne({ _id, hash: bytes, holder, created_at: createdAt } satisfies KeptToken);
    return 'added';
  } catch (error) {
    if (isDuplicateKey(error)) return taken;
    throw error;
  }
}
