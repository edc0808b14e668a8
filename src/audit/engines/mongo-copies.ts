/** Archive and quarantine on MongoDB, as the audit reads them, and the registry's keys. */
import { Binary, type Db, type Filter } from 'mongodb';
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

  /** @throws Error with a sentence when `url` is no connection string. */
  constructor(url: string) {
    this.#connection = new MongoConnection(url, { socketTimeoutMs: PAGE_MS });
  }

  count(): Promise<number> {
    return this.#ask((db) => db.collection('archive').estimatedDocumentCount());
  }

  async entries(after: Uint8Array | null, limit: number): Promise<readonly ArchivedEntry[]> {
    const filter: Filter<ArchivedLog> = { _id: after === null ? { $gte: uuidBinary(NIL) } : { $gt: uuidBinary(after) } };
    const found = await this.#ask((db) => db.collection<ArchivedLog>('archive').find(filter).sort({ _id: 1 }).limit(limit).toArray());
    return found.map(({ _id, position, content_hash: contentHash, received_at: receivedAt, record }) => ({
      logId: _id.buffer,
      position,
      contentHash: contentHash.buffer,
      receivedAt: receivedAt.getTime(),
      record: record.buffer,
    }));
  }

  async quarantine(after: Uint8Array | null, limit: number): Promise<readonly KeptEntry[]> {
    const filter = after === null ? {} : { _id: { $gt: new Binary(after) } };
    const found = await this.#ask((db) => quarantineOf(db).find(filter).sort({ _id: 1 }).limit(limit).toArray());
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

  close(): Promise<void> {
    return this.#connection.close();
  }

  #ask<T>(work: (db: Db) => Promise<T>): Promise<T> {
    return patiently('MongoDB', () => this.#connection.ask(PAGE_MS, work));
  }
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
