/** Bearer tokens in MongoDB, shared by all nodes. Their hashes are kept, never they themselves. */
import { timingSafeEqual } from 'node:crypto';
import { Binary, type Collection, type Db } from 'mongodb';
import { isToken } from '../config.ts';
import { ANSWER_MS, isDuplicateKey, MongoConnection, type MongoOptions, MongoUnavailable } from '../mongo/mongo-connection.ts';
import { type Index, MongoSchema } from '../mongo/mongo-schema.ts';
import type { Identity } from '../server/access.ts';
import { Problem } from '../server/problem.ts';
import { WRITE_MS } from './mongo-changes.ts';
import {
  FIRST_ADMINISTRATOR,
  holderOf,
  identityOf,
  newToken,
  type TokenAuthority,
  type TokenHolder,
  type TokenRequest,
  tokenHash,
} from './token-rules.ts';

export interface KeptToken {
  /** `first-start` for the administrator's token that is made at the first start, so that only one node makes it. */
  readonly _id: string;
  readonly hash: Binary;
  readonly holder: TokenHolder;
  readonly created_at: number;
}

export const FIRST_START = 'first-start';
export const TOKEN_INDEX: Index = { collection: 'tokens', name: 'by_hash', keys: { hash: 1 }, options: { unique: true } };
const REFRESH_MS = 5_000;
/** Tokens that were known are believed for so long while MongoDB is away. */
const BELIEVED_MS = 10 * 60_000;
/** Tokens held; more than that are looked up each time. */
const MAX_HELD = 10_000;
/** Look-ups at once: whoever guesses tokens must not keep MongoDB busy. */
const MAX_LOOK_UPS = 32;

export interface MongoTokensOptions extends MongoOptions {
  /** From the settings; it takes the place of the one that was made at the first start. */
  readonly adminToken: string | null;
  readonly now?: () => number;
}

/**
 * Tokens are held in memory and read again every REFRESH_MS. One that is not held is looked up, so that a new one works at once
 * on every node.
 */
export class MongoTokens implements TokenAuthority {
  readonly #connection: MongoConnection;
  readonly #schema: MongoSchema;
  readonly #now: () => number;
  readonly #settingsHash: Buffer | null;
  readonly #timer: NodeJS.Timeout;
  #held: ReadonlyMap<string, KeptToken> = new Map();
  #heldAt = Number.NEGATIVE_INFINITY;
  #lookUps = 0;
  #firstToken: string | null = null;

  /** Opens without waiting for MongoDB. @throws Error with a sentence when `url` is no connection string. */
  constructor(url: string, { adminToken, now = Date.now, ...options }: MongoTokensOptions) {
    this.#connection = new MongoConnection(url, options);
    this.#schema = new MongoSchema(this.#connection, [TOKEN_INDEX]);
    this.#now = now;
    this.#settingsHash = adminToken === null ? null : tokenHash(adminToken);
    this.#timer = setInterval(() => void this.#refresh(), REFRESH_MS);
    this.#timer.unref();
    void this.#refresh();
  }

  authenticate(token: string): Identity | null | Promise<Identity | null> {
    if (!isToken(token)) return null;
    const given = tokenHash(token);
    if (this.#settingsHash !== null && timingSafeEqual(given, this.#settingsHash)) return { role: 'admin' };
    const held = performance.now() - this.#heldAt < BELIEVED_MS ? this.#held.get(given.toString('hex')) : undefined;
    return held ? this.#identity(held) : this.#lookUp(given);
  }

  async ensureAdminToken(): Promise<string | null> {
    if (this.#settingsHash !== null) return null;
    // One token for all tries: where an answer was lost, the next try finds it and knows it for its own.
    this.#firstToken ??= newToken();
    return this.#create(this.#firstToken, FIRST_ADMINISTRATOR, FIRST_START);
  }

  async createToken(request: TokenRequest): Promise<string> {
    const token = await this.#create(newToken(), holderOf(request), null);
    if (token === null) throw new Error('a new token has the hash of another');
    return token;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#connection.close();
  }

  #identity(kept: KeptToken): Identity | null {
    return kept._id === FIRST_START && this.#settingsHash !== null ? null : identityOf(kept.holder);
  }

  async #lookUp(hash: Buffer): Promise<Identity | null> {
    if (this.#lookUps >= MAX_LOOK_UPS)
      throw new Problem('overloaded', 'Too many unknown tokens are being looked up; try again.', { retryAfter: 1 });
    this.#lookUps += 1;
    try {
      const found = await this.#ask(ANSWER_MS, (db) => tokensOf(db).findOne({ hash: new Binary(hash) }));
      return found ? this.#identity(found) : null;
    } finally {
      this.#lookUps -= 1;
    }
  }

  /** @returns null when the id is taken by another token. */
  async #create(token: string, holder: TokenHolder, id: string | null): Promise<string | null> {
    const hash = tokenHash(token);
    const document = { _id: id ?? hash.toString('hex'), hash: new Binary(hash), holder, created_at: this.#now() };
    return this.#ask(WRITE_MS, async (db) => {
      await this.#schema.ready();
      try {
        await tokensOf(db).insertOne(document);
        return token;
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
        return (await tokensOf(db).findOne({ _id: document._id, hash: document.hash })) ? token : null;
      }
    });
  }

  async #refresh(): Promise<void> {
    try {
      const tokens = await this.#connection.ask(REFRESH_MS, (db) => tokensOf(db).find().limit(MAX_HELD).toArray());
      this.#held = new Map(tokens.map((kept) => [Buffer.from(kept.hash.buffer).toString('hex'), kept]));
      this.#heldAt = performance.now();
    } catch (error) {
      // Away: told by the connection, and tried again with the next tick.
      if (!(error instanceof MongoUnavailable)) throw error;
    }
  }

  async #ask<T>(ms: number, work: (db: Db) => Promise<T>): Promise<T> {
    try {
      return await this.#connection.ask(ms, work);
    } catch (error) {
      if (!(error instanceof MongoUnavailable)) throw error;
      throw new Problem('unavailable', 'The tokens cannot be looked up now; try again.', { retryAfter: 2 });
    }
  }
}

export function tokensOf(db: Db): Collection<KeptToken> {
  return db.collection('tokens');
}
