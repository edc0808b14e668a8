/** The archive on MongoDB as it is written: who owns each log_id with its signed bytes, and quarantine beside it. */
import type { Collection, Db } from 'mongodb';
import { MongoConnection, type MongoOptions } from '../mongo/mongo-connection.ts';
import { MongoSchema } from '../mongo/mongo-schema.ts';
import type { ArchiveWriter, Claim, Claimed, Kept } from '../settle/ports.ts';
import { type SettledLogs, storedVerdict, type StoredVerdict } from './archive.ts';
import { type ArchivedLog, claimAll, uuidBinary } from './mongo-claims.ts';
import { keepRefusals, QUARANTINE_INDEXES, layOutNumbers } from './mongo-quarantine.ts';

export interface MongoArchiveOptions extends MongoOptions {
  /** Refused logs without a proven signature that are kept for each device (100). */
  readonly quarantinePerDevice?: number;
}

export interface ArchiveEntry {
  /** Sixteen bytes. */
  readonly logId: Uint8Array;
  /** `<journal_id>/<partition>/<offset>` */
  readonly position: string;
  /** journal/record.ts */
  readonly record: Uint8Array;
}

const QUARANTINE_PER_DEVICE = 100;
/** A device waits for this answer. */
const FIND_MS = 2_000;
const BULK_MS = 60_000;

/**
 * Opens the archive. It resolves whether MongoDB is there or not: the layout is made and checked by the first call that reaches
 * it, and until then every call rejects within seconds.
 *
 * @param url PLAYPROOF_MONGODB_URL. @throws Error with a sentence when it is no connection string.
 */
export async function openMongoArchive(url: string, options: MongoArchiveOptions = {}): Promise<MongoArchive> {
  return new MongoArchive(url, options);
}

/** Every method rejects with MongoUnavailable when MongoDB cannot be asked, or when it is not known what became of a write. */
export class MongoArchive implements ArchiveWriter, SettledLogs {
  readonly #connection: MongoConnection;
  readonly #schema: MongoSchema;
  readonly #perDevice: number;

  constructor(url: string, { quarantinePerDevice = QUARANTINE_PER_DEVICE, ...options }: MongoArchiveOptions = {}) {
    this.#connection = new MongoConnection(url, { socketTimeoutMs: BULK_MS, ...options });
    this.#schema = new MongoSchema(this.#connection, QUARANTINE_INDEXES, layOutNumbers);
    this.#perDevice = quarantinePerDevice;
  }

  /** Lays the database out where that was not done yet. @throws Error with a sentence when a newer version did. */
  async ready(): Promise<void> {
    await this.#schema.ready();
  }

  async claim(claims: readonly Claim[]): Promise<readonly Claimed[]> {
    if (claims.length === 0) return [];
    await this.#schema.ready();
    return claimAll(this.#connection, claims);
  }

  async quarantine(kept: readonly Kept[]): Promise<void> {
    if (kept.length === 0) return;
    await this.#schema.ready();
    await this.#connection.ask(BULK_MS, (db) => keepRefusals(db, kept, this.#perDevice));
  }

  async find(logId: Uint8Array): Promise<StoredVerdict | null> {
    const filter = { _id: uuidBinary(logId) };
    const found = await this.#connection.ask(FIND_MS, (db) => archiveOf(db).findOne(filter, { projection: { record: 1 } }));
    return found ? storedVerdict(found.record.buffer) : null;
  }

  /** Archived logs in the order of their log_ids, at most `limit` behind `after`: for the audit, and for copying. */
  async entries(after: Uint8Array | null, limit: number): Promise<readonly ArchiveEntry[]> {
    const filter = after === null ? {} : { _id: { $gt: uuidBinary(after) } };
    const rows = await this.#connection.ask(BULK_MS, (db) => archiveOf(db).find(filter).sort({ _id: 1 }).limit(limit).toArray());
    return rows.map(({ _id, position, record }) => ({ logId: _id.buffer, position, record: record.buffer }));
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}

export function archiveOf(db: Db): Collection<ArchivedLog> {
  return db.collection('archive');
}
