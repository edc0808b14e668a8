/** Registry, tokens and quarantine in MongoDB, as a copy fills them. */
import { copiedConflicts, copyRefusals } from '../archive/mongo-quarantine-copy.ts';
import { layOutNumbers, QUARANTINE_INDEXES } from '../archive/mongo-quarantine.ts';
import { MongoConnection } from '../mongo/mongo-connection.ts';
import { MongoSchema } from '../mongo/mongo-schema.ts';
import type { Merge, Taken, WholeEntry, WholeToken } from '../registry/merge.ts';
import { layOutChanges } from '../registry/mongo-changes.ts';
import { mergeEntries, mergeTokens } from '../registry/mongo-merge.ts';
import { TOKEN_INDEX } from '../registry/mongo-tokens.ts';
import type { Kind } from '../registry/registry.ts';
import type { CopyTarget, WholeRefusal } from './ports.ts';

const BULK_MS = 60_000;

/** Every method rejects with MongoUnavailable when MongoDB cannot be asked, or when it is not known what became of a write. */
export class MongoTarget implements CopyTarget {
  readonly #connection: MongoConnection;
  readonly #schema: MongoSchema;
  readonly #perDevice: number;

  /** @throws Error with a sentence when `url` is no connection string. */
  constructor(url: string, quarantinePerDevice: number) {
    this.#connection = new MongoConnection(url, { socketTimeoutMs: BULK_MS });
    this.#schema = new MongoSchema(this.#connection, [...QUARANTINE_INDEXES, TOKEN_INDEX], async (db) => {
      await layOutNumbers(db);
      await layOutChanges(db);
    });
    this.#perDevice = quarantinePerDevice;
  }

  /** Lays the database out where that was not done yet. @throws Error with a sentence when a newer version did. */
  async ready(): Promise<void> {
    await this.#schema.ready();
  }

  async entries<K extends Kind>(kind: K, entries: readonly WholeEntry<K>[], how: Merge): Promise<Taken> {
    return mergeEntries(this.#connection, kind, entries, how);
  }

  async tokens(tokens: readonly WholeToken[], how: Merge): Promise<Taken> {
    return mergeTokens(this.#connection, tokens, how);
  }

  async quarantine(journalId: string, refusals: readonly WholeRefusal[]): Promise<void> {
    await this.#connection.ask(BULK_MS, (db) => copyRefusals(db, journalId, refusals, this.#perDevice));
  }

  async conflicts(journalId: string): Promise<number> {
    return this.#connection.ask(BULK_MS, (db) => copiedConflicts(db, journalId));
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}
