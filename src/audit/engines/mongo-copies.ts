/** Archive and quarantine on MongoDB, as the audit reads them, and the registry's keys. */
import { Binary, type Db, type Filter, type FindCursor } from 'mongodb';
import type { ArchivedLog } from '../../archive/mongo-claims.ts';
import { uuidBinary } from '../../archive/mongo-claims.ts';
import { quarantineOf } from '../../archive/mongo-quarantine.ts';
import type { Play } from '../../domain/play.ts';
import { writeUuid } from '../../domain/uuid.ts';
import { MongoConnection } from '../../mongo/mongo-connection.ts';
import { piecesOf } from '../../mongo/pieces.ts';
import { MongoRegistryView } from '../../registry/mongo-view.ts';
import type { KeyLookup } from '../recheck.ts';
import { patiently } from './patience.ts';
import type { ArchivedEntry, EngineArchive, KeptEntry, QuarantineKey, RegisteredKeys } from './ports.ts';

const PAGE_MS = 60_000;
/** Keys of registered devices hardly change; a sample of plays is proven by the registry as it was lately. */
const KEYS_MAX_AGE_MS = 60_000;
const NIL = new Uint8Array(16);

export class MongoCopies implements EngineArchive {
  readonly #connection: MongoConnection;
  /** One walk through the archive, kept between pages; `after`: what it handed out last. */
  #walk: { readonly cursor: FindCursor<ArchivedLog>; after: Uint8Array | null } | null = null;

  /** @throws Error with a sentence when `url` is no connection string. */
  constructor(url: string) {
    this.#connection = new MongoConnection(url, { socketTimeoutMs: PAGE_MS });
  }

  count(): Promise<number> {
    return this.#ask((db) => db.collection('archive').estimatedDocumentCount());
  }

  async entries(after: Uint8Array | null, limit: number): Promise<readonly ArchivedEntry[]> {
    const found = await patiently('MongoDB', async () => {
      try {
        return await this.#connection.ask(PAGE_MS, (db) => nextOf(this.#walkFrom(db, after, limit), limit));
      } catch (error) {
        // Nobody knows how far it had read: the next attempt begins behind `after` again.
        await this.#end();
        throw error;
      }
    });
    if (this.#walk) this.#walk.after = found.at(-1)?._id.buffer ?? after;
    return found.map(({ _id, position, content_hash: contentHash, received_at: receivedAt, record }) => ({
      logId: _id.buffer,
      position,
      contentHash: contentHash.buffer,
      receivedAt: receivedAt.getTime(),
      record: record.buffer,
    }));
  }

  /** Not by their ids, which are of several lengths: MongoDB puts shorter ones first, and servers beside it sort and compare differently. */
  async quarantine(after: number, limit: number): Promise<readonly KeptEntry[]> {
    const found = await this.#ask((db) =>
      quarantineOf(db)
        .find({ seq: { $gt: after } })
        .sort({ seq: 1 })
        .limit(limit)
        .toArray(),
    );
    return found.map(({ _id, seq, code, record }) => ({ id: _id.buffer, seq, code, record: record.buffer }));
  }

  async quarantined(wanted: readonly QuarantineKey[]): Promise<readonly boolean[]> {
    const ids = wanted.map(quarantineId);
    const kept = new Set<string>();
    for (const piece of piecesOf(ids)) {
      const filter = { _id: { $in: piece.map((id) => new Binary(id)) } };
      const found = await this.#ask((db) =>
        quarantineOf(db)
          .find(filter, { projection: { _id: 1 } })
          .toArray(),
      );
      for (const { _id } of found) kept.add(Buffer.from(_id.buffer).toString('latin1'));
    }
    return ids.map((id) => kept.has(id.toString('latin1')));
  }

  async close(): Promise<void> {
    await this.#end();
    await this.#connection.close();
  }

  #walkFrom(db: Db, after: Uint8Array | null, limit: number): FindCursor<ArchivedLog> {
    if (this.#walk?.after === after) return this.#walk.cursor;
    const filter: Filter<ArchivedLog> = { _id: after === null ? { $gte: uuidBinary(NIL) } : { $gt: uuidBinary(after) } };
    const cursor = db.collection<ArchivedLog>('archive').find(filter).sort({ _id: 1 }).batchSize(limit);
    this.#walk = { cursor, after };
    return cursor;
  }

  /** A server that is gone has no cursor either. */
  async #end(): Promise<void> {
    const walk = this.#walk;
    this.#walk = null;
    await walk?.cursor.close().catch(() => {});
  }

  #ask<T>(work: (db: Db) => Promise<T>): Promise<T> {
    return patiently('MongoDB', () => this.#connection.ask(PAGE_MS, work));
  }
}

async function nextOf<T>(cursor: FindCursor<T>, limit: number): Promise<T[]> {
  const found: T[] = [];
  while (found.length < limit) {
    const next = await cursor.next();
    if (next === null) break;
    found.push(next);
  }
  return found;
}

/** As archive/mongo-quarantine.ts makes them. */
function quarantineId({ logId, contentHash, code }: QuarantineKey): Buffer {
  const id = Buffer.alloc(48 + code.length);
  if (logId !== null) writeUuid(id, 0, logId);
  id.write(contentHash, 16, 32, 'hex');
  id.write(code, 48, 'latin1');
  return id;
}

export class MongoKeys implements RegisteredKeys {
  readonly #view: MongoRegistryView;

  constructor(url: string) {
    this.#view = new MongoRegistryView(url);
  }

  async prepare(plays: readonly Play[]): Promise<void> {
    const devices = new Set(plays.map(({ deviceId }) => deviceId));
    const ids = { devices, campaigns: new Set<string>(), contents: new Set<string>() };
    await patiently('the registry in MongoDB', async () => this.#view.prepare(ids, KEYS_MAX_AGE_MS));
  }

  readonly keyOf: KeyLookup = (deviceId, keyId) => this.#view.facts.device(deviceId)?.keys.find((key) => key.keyId === keyId) ?? null;

  close(): void {
    this.#view.close();
  }
}
