/** Evidence and quarantine from MongoDB, as the routes read them. */
import type { Db } from 'mongodb';
import { writeUuid } from '../domain/uuid.ts';
import { CorruptRecord, readPlayRecord } from '../journal/record.ts';
import { ANSWER_MS, MongoConnection, type MongoOptions, MongoUnavailable } from '../mongo/mongo-connection.ts';
import {
  DamagedRecord,
  type FeedPage,
  type FoundPlay,
  type PlayArchive,
  type QuarantineGroups,
  type QuarantineGroupsQuery,
  type QuarantineItem,
  type QuarantineQuery,
} from '../query/archive-port.ts';
import type { Scope } from '../server/access.ts';
import { Problem } from '../server/problem.ts';
import { archiveOf } from './mongo-archive.ts';
import { uuidBinary } from './mongo-claims.ts';
import { groupRefusals, listRefusals } from './mongo-quarantine.ts';
import { within } from './shown.ts';

export interface MongoReaderOptions extends MongoOptions {
  /**
   * Whether a play within the scope was, or may have been, acknowledged under this log_id and is not settled yet: MongoDB sees only what is
   * settled. Without it, such a play is not found.
   */
  readonly waiting?: (logId: string, scope: Scope) => Promise<boolean>;
}

export class MongoReader implements PlayArchive {
  readonly #connection: MongoConnection;
  readonly #waiting: ((logId: string, scope: Scope) => Promise<boolean>) | null;

  /** @throws Error with a sentence when `url` is no connection string. */
  constructor(url: string, { waiting, ...options }: MongoReaderOptions = {}) {
    this.#connection = new MongoConnection(url, options);
    this.#waiting = waiting ?? null;
  }

  async play(logId: string, scope: Scope): Promise<FoundPlay | 'unsettled' | null> {
    const found = await this.#archived(logId, scope);
    if (found || !this.#waiting) return found;
    // Asked for a play of others too, which is archived: how long the answer takes, and what it is, must not tell that there is one.
    if (await this.#waiting(logId, scope)) return 'unsettled';
    return this.#archived(logId, scope);
  }

  async #archived(logId: string, scope: Scope): Promise<FoundPlay | null> {
    const id = new Uint8Array(16);
    writeUuid(id, 0, logId);
    const found = await this.#read(async (db) => {
      const document = await archiveOf(db).findOne({ _id: uuidBinary(id) });
      return document && { position: document.position, play: readPlayRecord(document.record.buffer) };
    });
    if (!found || !within(found.play, scope)) return null;
    const { play, position } = found;
    // The place in the topic is the broker's to give; the record there carries this position in its header.
    return { play, positions: { journal: position, feed: `playback-logs?journal_position=${position}` } };
  }

  async quarantine(query: QuarantineQuery): Promise<readonly QuarantineItem[]> {
    return this.#read((db) => listRefusals(db, query));
  }

  async quarantineGroups(query: QuarantineGroupsQuery): Promise<QuarantineGroups> {
    return this.#read((db) => groupRefusals(db, query));
  }

  async feed(): Promise<FeedPage> {
    throw new Problem('not_implemented', 'The feed of this installation is the Kafka topic playback-logs; read it there.');
  }

  /** @throws MongoUnavailable when MongoDB does not answer. */
  async ping(): Promise<void> {
    await this.#connection.ask(ANSWER_MS, (db) => db.command({ ping: 1 }));
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  async #read<T>(work: (db: Db) => Promise<T>): Promise<T> {
    try {
      return await this.#connection.ask(ANSWER_MS, work);
    } catch (error) {
      if (error instanceof CorruptRecord) {
        throw new DamagedRecord(`a record in MongoDB is damaged (${error.message}); restore its collection from a backup`, {
          cause: error,
        });
      }
      if (!(error instanceof MongoUnavailable)) throw error;
      throw new Problem('unavailable', 'The archive cannot be read right now; ask again later.', { retryAfter: 2 });
    }
  }
}
