/** Bearer tokens. Their hashes are kept, never they themselves: a lost token is replaced, not looked up. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { isToken } from '../config.ts';
import { isUuid } from '../domain/uuid.ts';
import type { Identity, Role } from '../server/access.ts';
import { inTransaction } from './database.ts';

export interface TokenRequest {
  readonly role: Role;
  /** For the role supplier, and only there. */
  readonly supplierId?: string;
  /** For the role advertiser, and only there. */
  readonly advertiserId?: string;
  /** What the token is for, at most 200 characters. */
  readonly label?: string;
}

/** A token was asked for that makes no sense; the message says why. */
export class TokenRequestError extends Error {
  override readonly name = 'TokenRequestError';
}

const MAX_LABEL = 200;

export class Tokens {
  readonly #db: DatabaseSync;
  readonly #now: () => number;
  /** The hash of the administrator's token from the settings. */
  readonly #settingsHash: Buffer | null;
  readonly #find: StatementSync;
  readonly #insert: StatementSync;

  /** @param adminToken From the settings; it takes the place of the one that was made at the first start. */
  constructor(db: DatabaseSync, adminToken: string | null, now: () => number = Date.now) {
    this.#db = db;
    this.#now = now;
    this.#settingsHash = adminToken === null ? null : hashOf(adminToken);
    this.#find = db.prepare('SELECT hash, role, supplier_id, advertiser_id, first_start FROM tokens WHERE hash = ?');
    this.#insert = db.prepare(`
      INSERT INTO tokens (hash, role, supplier_id, advertiser_id, label, first_start, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)`);
  }

  /**
   * Who holds `token`; null: nobody. Reads the table each time, so that a token made by the command line works at once.
   * The look-up by hash tells an attacker nothing he can steer; equality itself is decided in constant time.
   */
  authenticate(token: string): Identity | null {
    if (!isToken(token)) return null;
    const given = hashOf(token);
    if (this.#settingsHash !== null && timingSafeEqual(given, this.#settingsHash)) return { role: 'admin' };
    const row = this.#find.get(given);
    if (!row || !timingSafeEqual(given, row.hash as Uint8Array)) return null;
    if (row.first_start === 1 && this.#settingsHash !== null) return null;
    return identityOf(row.role as Role, row.supplier_id, row.advertiser_id);
  }

  /** Makes the administrator's token where none is set and none was made before; returned this once, to be printed. */
  ensureAdminToken(): string | null {
    if (this.#settingsHash !== null) return null;
    return inTransaction(this.#db, () => {
      if (this.#db.prepare('SELECT 1 FROM tokens WHERE first_start = 1').get()) return null;
      return this.#create('admin', null, null, null, 1);
    });
  }

  /**
   * @returns the new token, which cannot be read again.
   * @throws TokenRequestError
   */
  createToken({ role, supplierId, advertiserId, label }: TokenRequest): string {
    if ((supplierId !== undefined) !== (role === 'supplier')) {
      throw new TokenRequestError('the role supplier needs the id of its supplier, and no other role takes one');
    }
    if ((advertiserId !== undefined) !== (role === 'advertiser')) {
      throw new TokenRequestError('the role advertiser needs the id of its advertiser, and no other role takes one');
    }
    const owner = supplierId ?? advertiserId;
    if (owner !== undefined && !isUuid(owner)) throw new TokenRequestError(`the ${role}'s id must be a UUID`);
    if (label !== undefined && label.length > MAX_LABEL) throw new TokenRequestError(`a label has at most ${MAX_LABEL} characters`);
    return inTransaction(this.#db, () =>
      this.#create(role, supplierId?.toLowerCase() ?? null, advertiserId?.toLowerCase() ?? null, label ?? null, 0),
    );
  }

  #create(role: Role, supplierId: string | null, advertiserId: string | null, label: string | null, firstStart: 0 | 1): string {
    const token = randomBytes(32).toString('base64url');
    this.#insert.run(hashOf(token), role, supplierId, advertiserId, label, firstStart, this.#now());
    return token;
  }
}

function identityOf(role: Role, supplierId: unknown, advertiserId: unknown): Identity | null {
  if (role === 'admin' || role === 'operator') return { role };
  if (role === 'supplier' && typeof supplierId === 'string') return { role, supplierId };
  if (role === 'advertiser' && typeof advertiserId === 'string') return { role, advertiserId };
  return null;
}

function hashOf(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}
