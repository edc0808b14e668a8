/**
 * A connection to MongoDB, with what every use of it here has in common: a write is acknowledged when a majority has it in its
 * journal, a read shows only such writes, nothing waits for long, and what goes wrong is told in a sentence.
 */
import { type Db, MongoClient, type MongoClientOptions, MongoError, MongoServerError, ReadConcern } from 'mongodb';
import { bounded, TookTooLong } from './bounded.ts';

/** MongoDB cannot be asked now, or what it did is not known. Nothing that this was thrown for may be taken as written. */
export class MongoUnavailable extends Error {
  override readonly name = 'MongoUnavailable';
}

export interface MongoOptions {
  /** How long one exchange may take once a server was found; longer for bulk writes. */
  readonly socketTimeoutMs?: number;
  /** Connections at once. */
  readonly connections?: number;
  /** Told once when MongoDB goes away, and once when it is back. */
  readonly log?: (message: string) => void;
}

/** How long a server is looked for, a connection is made, and a free connection is waited for. */
const FIND_SERVER_MS = 5_000;
const CONNECT_MS = 3_000;
const HEARTBEAT_MS = 2_000;
export const ANSWER_MS = 5_000;
/** After a failure everybody hears so at once for this long, so that no queue of waiting calls builds up. */
const FAIL_FAST_MS = 500;
const DEFAULT_DATABASE = 'playproof';

const BAD_CREDENTIALS = new Set([13, 18]);
const OUT_OF_DISK_SPACE = 14_031;

export class MongoConnection {
  /** Everything done through it is durable in a majority when it resolves, and reads see nothing less. */
  readonly db: Db;
  readonly #client: MongoClient;
  readonly #log: (message: string) => void;
  #connected = false;
  #failedAt = Number.NEGATIVE_INFINITY;
  #failure: MongoUnavailable | null = null;

  /**
   * Connects when it is first used: a server that is away now may be there then.
   * @param url A connection string; TLS and credentials come with it, and the database (playproof).
   * @throws Error with a sentence when it is none.
   */
  constructor(url: string, options: MongoOptions = {}) {
    const settings: MongoClientOptions = {
      appName: 'playproof',
      serverSelectionTimeoutMS: FIND_SERVER_MS,
      connectTimeoutMS: CONNECT_MS,
      heartbeatFrequencyMS: HEARTBEAT_MS,
      waitQueueTimeoutMS: FIND_SERVER_MS,
      socketTimeoutMS: options.socketTimeoutMs ?? ANSWER_MS,
      maxPoolSize: options.connections ?? 10,
    };
    try {
      this.#client = new MongoClient(url, settings);
    } catch (cause) {
      const told = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`PLAYPROOF_MONGODB_URL is not a MongoDB connection string: ${withoutUrl(told, url)}`, { cause });
    }
    // Said here and not in the client's options, where a `w=1` in the connection string would win.
    this.db = this.#client.db(databaseOf(url), {
      writeConcern: { w: 'majority', journal: true },
      readConcern: new ReadConcern('majority'),
      readPreference: 'primary',
    });
    this.#log = options.log ?? (() => {});
  }

  /**
   * Asks MongoDB, for at most `ms`.
   * @throws MongoUnavailable for every failure of MongoDB and of the way to it. What else `work` throws passes through.
   */
  async ask<T>(ms: number, work: (db: Db) => Promise<T>): Promise<T> {
    if (this.#failure && performance.now() - this.#failedAt < FAIL_FAST_MS) throw this.#failure;
    try {
      const result = await bounded(ms, async () => {
        await this.#connect();
        return work(this.db);
      });
      this.#came();
      return result;
    } catch (cause) {
      if (!(cause instanceof MongoError || cause instanceof TookTooLong || isConnectionFault(cause))) {
        if (!(cause instanceof MongoUnavailable)) this.#came();
        throw cause;
      }
      throw this.#went(cause);
    }
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  /**
   * The driver connects by itself for the first call; but where that fails, its client stays closed for good, unless it is told to
   * connect. Once it was connected, it finds its servers again by itself.
   */
  async #connect(): Promise<void> {
    if (this.#connected) return;
    await this.#client.connect();
    this.#connected = true;
  }

  #came(): void {
    if (this.#failure) this.#log('MongoDB is back');
    this.#failure = null;
  }

  #went(cause: Error): MongoUnavailable {
    const code = cause instanceof MongoServerError ? Number(cause.code) : null;
    const refused = code !== null && BAD_CREDENTIALS.has(code);
    let told = `MongoDB cannot be asked now: ${cause.message}`;
    if (refused) told = `MongoDB refuses the credentials of PLAYPROOF_MONGODB_URL, or what they may do: ${cause.message}`;
    else if (code === OUT_OF_DISK_SPACE) told = `MongoDB takes no writes, its disk is full: ${cause.message}`;
    const failure = new MongoUnavailable(told, { cause });
    if (!this.#failure) this.#log(told);
    this.#failure = failure;
    // A server that answers with an error has answered: others may be luckier.
    if (refused || !(cause instanceof MongoServerError)) this.#failedAt = performance.now();
    return failure;
  }
}

const CONNECTION_CODES = new Set([
  'EPIPE',
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
]);

/** A socket that ends while it is written to: the driver lets Node's own error through. */
function isConnectionFault(cause: unknown): cause is Error {
  return cause instanceof Error && CONNECTION_CODES.has(String((cause as NodeJS.ErrnoException).code));
}

/** Whether it is MongoDB's word that a unique key is taken. */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === 11_000;
}

/** The driver calls a missing database `test`; ours has a name of its own. */
function databaseOf(url: string): string {
  const path = /^mongodb(?:\+srv)?:\/\/[^/?]+\/([^?]+)/.exec(url)?.[1];
  return path === undefined ? DEFAULT_DATABASE : decodeURIComponent(path);
}

/** The driver's messages do not repeat the connection string; if one does, the password in it is not passed on. */
function withoutUrl(message: string, url: string): string {
  return message.replaceAll(url, '(the connection string)');
}
