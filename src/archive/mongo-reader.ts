/** Evidence and quarantine from MongoDB, as the routes read them. */
import type { Db } from 'mongodb';
import { writeUuid } from '../domain/uuid.ts';
import { readPlayRecord } from '../journal/record.ts';
import { ANSWER_MS, MongoConnection, type MongoOptions, MongoUnavailable } from '../mongo/mongo-connection.ts';
import type {
  FeedPage,
  FoundPlay,
  PlayArchive,
  QuarantineGroups,
  QuarantineGroupsQuery,
  QuarantineItem,
  QuarantineQuery,
} from '../query/archive-port.ts';
import type { Scope } from '../server/access.ts';
import { Problem } from '../server/problem.ts';
import { archiveOf } from './mongo-archive.ts';
import { uuidBinary } from './mongo-claims.ts';
import { groupRefusals, listRefusals } from './mongo-quarantine.ts';
import { within } from './shown.ts';

export class MongoReader implements PlayArchive {
  readonly #connection: MongoConnection;

  /** @throws Error with a sentence when `url` is no connection string. */
  constructor(url: string, options: MongoOptions = {}) {
    this.#connection = new MongoConnection(url, options);
  }

  /** Never 'unsettled': what waits in the journal is not seen from here. */
  async play(logId: string, scope: Scope): Promise<FoundPlay | null> {
    const id = new Uint8Array(16);
    writeUuid(id, 0, logId);
    const found = await this.#read((db) => archiveOf(db).findOne({ _id: uuidBinary(id) }));
    if (!found) return null;
    const play = readPlayRecord(found.record.buffer);
    if (!within(play, scope)) return null;
    // The place in the topic is the broker's to give; the record there carries this position in its header.
    return { play, positions: { journal: found.position, feed: `playback-logs?journal_position=${found.position}` } };
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

  /** Null: numbers of the embedded feed mean nothing here. */
  async receivedAfter(): Promise<null> {
    return null;
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  async #read<T>(work: (db: Db) => Promise<T>): Promise<T> {
    try {
      return await this.#connection.ask(ANSWER_MS, work);
    } catch (error) {
      if (!(error instanceof MongoUnavailable)) throw error;
      throw new Problem('unavailable', 'The archive cannot be read right now; ask again later.', { retryAfter: 2 });
    }
  }
}
