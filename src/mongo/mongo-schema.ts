/** What is laid out once in a database: the version of its layout, and its indexes. */
import type { CreateIndexesOptions, Db, IndexSpecification } from 'mongodb';
import type { MongoConnection } from './mongo-connection.ts';

/** Raised whenever a document changes its form in a way that an older program would misread. */
const LAYOUT_VERSION = 1;
const SETUP_MS = 60_000;

export interface Index {
  readonly collection: string;
  readonly name: string;
  readonly keys: IndexSpecification;
  readonly options?: Pick<CreateIndexesOptions, 'unique' | 'partialFilterExpression'>;
}

/**
 * Checks the layout's version and makes the indexes, once; after a failure the next call tries again. Several nodes may do so at
 * the same time. An index of the same name with other keys is MongoDB's own refusal.
 */
export class MongoSchema {
  readonly #connection: MongoConnection;
  readonly #indexes: readonly Index[];
  readonly #more: (db: Db) => Promise<void>;
  #ready: Promise<void> | null = null;

  constructor(connection: MongoConnection, indexes: readonly Index[], more: (db: Db) => Promise<void> = async () => {}) {
    this.#connection = connection;
    this.#indexes = indexes;
    this.#more = more;
  }

  /** @throws MongoUnavailable; Error with a sentence when a newer version laid the database out. */
  ready(): Promise<void> {
    this.#ready ??= this.#connection
      .ask(SETUP_MS, (db) => this.#layOut(db))
      .catch((error: unknown) => {
        this.#ready = null;
        throw error;
      });
    return this.#ready;
  }

  async #layOut(db: Db): Promise<void> {
    const meta = db.collection<{ _id: string; version: number }>('meta');
    const found = await meta.findOne({ _id: 'layout' });
    if (found && found.version > LAYOUT_VERSION) {
      throw new Error(
        `the MongoDB database ${db.databaseName} was laid out by a newer Playproof (version ${found.version}, this one knows ${LAYOUT_VERSION}); use that version`,
      );
    }
    for (const { collection, name, keys, options } of this.#indexes)
      await db.collection(collection).createIndex(keys, { ...options, name });
    await this.#more(db);
    if (!found) await meta.updateOne({ _id: 'layout' }, { $max: { version: LAYOUT_VERSION } }, { upsert: true });
  }
}
