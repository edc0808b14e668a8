/**
 * The import that is running, in MongoDB: one at a time for all nodes, and with its document, so that another node can finish what
 * a crash cut short.
 */
import { randomUUID } from 'node:crypto';
import { Binary, type Collection, type Db } from 'mongodb';
import { isDuplicateKey, type MongoConnection } from '../mongo/mongo-connection.ts';
import { WRITE_MS } from './mongo-changes.ts';
import { importing } from './refusals.ts';
import type { ImportFormat } from './registry.ts';

interface Running {
  readonly _id: 'running';
  /** Whose import it is; parts are under this name. */
  readonly owner: string;
  /** `checking`: nothing is written yet. `writing`: its parts are complete, and it is to be finished by whoever finds it left alone. */
  readonly state: 'checking' | 'writing';
  /** Milliseconds since 1970 UTC; renewed while somebody works on it. */
  readonly until: number;
  readonly format: ImportFormat;
  readonly now: number;
  readonly parts: number;
}

interface Part {
  readonly _id: string;
  readonly bytes: Binary;
}

/** An import that was left alone while it was being written. */
export interface LeftAlone {
  readonly body: Buffer;
  readonly format: ImportFormat;
  readonly now: number;
}

const PART_BYTES = 8 * 1024 * 1024;
/** An import that was not renewed for so long has nobody any more. */
const LEASE_MS = 60_000;
const RENEW_MS = 10_000;
const ATTEMPTS = 3;

/** Holding the import of this installation; `release` or a crash ends it. */
export class ImportJournal {
  readonly #connection: MongoConnection;
  readonly #owner: string;
  readonly #renewal: NodeJS.Timeout;

  private constructor(connection: MongoConnection, owner: string) {
    this.#connection = connection;
    this.#owner = owner;
    this.#renewal = setInterval(() => void this.#renew(), RENEW_MS);
    this.#renewal.unref();
  }

  /**
   * Begins an import.
   * @param finish Finishes one that was left alone, which comes first.
   * @throws Problem overloaded while another is running; MongoUnavailable
   */
  static async begin(
    connection: MongoConnection,
    format: ImportFormat,
    now: number,
    finish: (left: LeftAlone) => Promise<void>,
  ): Promise<ImportJournal> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const owner = randomUUID();
      const until = Date.now() + LEASE_MS;
      const begun = await connection.ask(WRITE_MS, (db) =>
        insertOnce(runningOf(db), { _id: 'running', owner, state: 'checking', until, format, now, parts: 0 }),
      );
      if (begun) return new ImportJournal(connection, owner);
      if (!(await ImportJournal.finishLeftAlone(connection, finish))) throw importing();
    }
    throw importing();
  }

  /** @returns whether no import is in the way any more. */
  static async finishLeftAlone(connection: MongoConnection, finish: (left: LeftAlone) => Promise<void>): Promise<boolean> {
    const found = await connection.ask(WRITE_MS, (db) => runningOf(db).findOne({ _id: 'running' }));
    if (!found) return true;
    const { owner, until, state } = found;
    if (until > Date.now()) return false;
    // Of several nodes that find it, one goes on.
    const taken = await connection.ask(WRITE_MS, (db) =>
      runningOf(db).updateOne({ _id: 'running', owner, until }, { $set: { until: Date.now() + LEASE_MS } }),
    );
    if (taken.matchedCount === 0) return false;
    const journal = new ImportJournal(connection, owner);
    try {
      if (state === 'writing') await finish(await journal.#read(found));
      await journal.release();
    } finally {
      clearInterval(journal.#renewal);
    }
    return true;
  }

  /** Keeps the document; from here on the import will be finished, by this process or another. */
  async keep(body: Uint8Array): Promise<void> {
    const parts = Math.ceil(body.length / PART_BYTES);
    for (let part = 0; part < parts; part += 1) {
      const bytes = new Binary(body.subarray(part * PART_BYTES, (part + 1) * PART_BYTES));
      await this.#connection.ask(WRITE_MS, (db) => partsOf(db).insertOne({ _id: `${this.#owner}/${part}`, bytes }));
    }
    await this.#connection.ask(WRITE_MS, (db) =>
      runningOf(db).updateOne({ _id: 'running', owner: this.#owner }, { $set: { state: 'writing', parts } }),
    );
  }

  /** Ends it: it is written, or nothing of it is. */
  async release(): Promise<void> {
    clearInterval(this.#renewal);
    // In an order that leaves nothing to be finished without its parts.
    await this.#connection.ask(WRITE_MS, async (db) => {
      await runningOf(db).updateOne({ _id: 'running', owner: this.#owner }, { $set: { state: 'checking' } });
      await partsOf(db).deleteMany({ _id: { $gte: `${this.#owner}/`, $lt: `${this.#owner}0` } });
      await runningOf(db).deleteOne({ _id: 'running', owner: this.#owner });
    });
  }

  /** Lets it lie, as a crash would: it is finished when its lease is over. */
  abandon(): void {
    clearInterval(this.#renewal);
  }

  async #read({ owner, parts, format, now }: Running): Promise<LeftAlone> {
    const chunks: Buffer[] = [];
    for (let part = 0; part < parts; part += 1) {
      const found = await this.#connection.ask(WRITE_MS, (db) => partsOf(db).findOne({ _id: `${owner}/${part}` }));
      if (!found) throw new Error(`part ${part} of the import ${owner} is missing in MongoDB; import its document again`);
      chunks.push(Buffer.from(found.bytes.buffer));
    }
    return { body: Buffer.concat(chunks), format, now };
  }

  async #renew(): Promise<void> {
    const until = Date.now() + LEASE_MS;
    await this.#connection
      .ask(WRITE_MS, (db) => runningOf(db).updateOne({ _id: 'running', owner: this.#owner }, { $set: { until } }))
      .catch(() => {
        // The lease is longer than several renewals; who loses it all the same shares the work, which is harmless.
      });
  }
}

async function insertOnce(running: Collection<Running>, document: Running): Promise<boolean> {
  try {
    await running.insertOne(document);
    return true;
  } catch (error) {
    if (isDuplicateKey(error)) return false;
    throw error;
  }
}

function runningOf(db: Db): Collection<Running> {
  return db.collection('imports');
}

function partsOf(db: Db): Collection<Part> {
  return db.collection('import_parts');
}
