/**
 * One kind of entry of the registry in MongoDB: a document each, changed as a whole and only where nobody else changed it in
 * between.
 */
import { isDeepStrictEqual } from 'node:util';
import { type AnyBulkWriteOperation, type Collection, type Db, type Filter, MongoBulkWriteError } from 'mongodb';
import { isDuplicateKey } from '../mongo/mongo-connection.ts';
import { piecesOf } from '../mongo/pieces.ts';

/** `_id` is the lower-case UUID as text. */
export interface Kept<Entry> {
  readonly _id: string;
  /** Raised with each change; a write names the version that it is based on. */
  readonly version: number;
  /** Milliseconds since 1970 UTC; a retired entry stays for ever. */
  readonly retired_at: number | null;
  readonly entry: Entry;
}

/** What an entry is to become. */
export type State<Entry> = Pick<Kept<Entry>, 'retired_at' | 'entry'>;

export interface Change<Entry> {
  readonly id: string;
  readonly before: Kept<Entry> | null;
  readonly after: State<Entry>;
}

const DUPLICATE_KEY = 11_000;

export class MongoTable<Entry> {
  readonly #documents: Collection<Kept<Entry>>;

  constructor(db: Db, name: string) {
    this.#documents = db.collection(name);
  }

  async find(id: string): Promise<Kept<Entry> | null> {
    return this.#documents.findOne(filterOf<Entry>({ _id: id }));
  }

  async findMany(ids: Iterable<string>): Promise<Map<string, Kept<Entry>>> {
    const found = new Map<string, Kept<Entry>>();
    for (const piece of piecesOf([...ids])) {
      const documents = await this.#documents.find(filterOf<Entry>({ _id: { $in: piece } })).toArray();
      for (const document of documents) found.set(document._id, document);
    }
    return found;
  }

  /** By id, without what is retired. */
  async page(after: string | null, limit: number): Promise<readonly Kept<Entry>[]> {
    const filter = filterOf<Entry>({ _id: { $gt: after ?? '' }, retired_at: null });
    return this.#documents.find(filter).sort({ _id: 1 }).limit(limit).toArray();
  }

  /** @returns false when somebody else changed the entry since it was read: read it again. */
  async write({ id, before, after }: Change<Entry>): Promise<boolean> {
    const document = { ...after, version: (before?.version ?? 0) + 1 };
    if (before) {
      const filter = filterOf<Entry>({ _id: id, version: before.version });
      return (await this.#documents.updateOne(filter, { $set: document as never })).matchedCount === 1;
    }
    try {
      await this.#documents.insertOne({ _id: id, ...document });
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }

  /** Writes what can be written; reading again tells what it was. */
  async writeMany(changes: readonly Change<Entry>[]): Promise<void> {
    const writes = changes.map(({ id, before, after }): AnyBulkWriteOperation<Kept<Entry>> => {
      const document = { ...after, version: (before?.version ?? 0) + 1 };
      return before
        ? { updateOne: { filter: filterOf<Entry>({ _id: id, version: before.version }), update: { $set: document as never } } }
        : { insertOne: { document: { _id: id, ...document } } };
    });
    try {
      await this.#documents.bulkWrite(writes, { ordered: false });
    } catch (error) {
      const taken =
        error instanceof MongoBulkWriteError &&
        error.code === DUPLICATE_KEY &&
        error.result.getWriteErrors().every(({ code }) => code === DUPLICATE_KEY) &&
        error.result.getWriteConcernError() === undefined;
      if (!taken) throw error;
    }
  }
}

export function isSame<Entry>(before: Kept<Entry> | null, after: State<Entry>): boolean {
  return before !== null && before.retired_at === after.retired_at && isDeepStrictEqual(before.entry, after.entry);
}

/** The driver's types do not follow a generic document. */
function filterOf<Entry>(filter: object): Filter<Kept<Entry>> {
  return filter;
}
