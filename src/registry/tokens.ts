/** Bearer tokens. Their hashes are kept, never they themselves: a lost token is replaced, not looked up. */
import { timingSafeEqual } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { isToken } from '../config.ts';
import type { Identity, Role } from '../server/access.ts';
import { inTransaction } from './database.ts';
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

export { type TokenRequest, TokenRequestError } from './token-rules.ts';

export class Tokens implements TokenAuthority {
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
    this.#settingsHash = adminToken === null ? null : tokenHash(adminToken);
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
    const given = tokenHash(token);
    if (this.#settingsHash !== null && timingSafeEqual(given, this.#settingsHash)) return { role: 'admin' };
    const row = this.#find.get(given);
    if (!row || !timingSafeEqual(given, row.hash as Uint8Array)) return null;
    if (row.first_start === 1 && this.#settingsHash !== null) return null;
    return identityOf({
      role: row.role as Role,
      supplierId: row.supplier_id as string | null,
      advertiserId: row.advertiser_id as string | null,
    });
  }

  /** Makes the administrator's token where none is set and none was made before; returned this once, to be printed. */
  ensureAdminToken(): string | null {
    if (this.#settingsHash !== null) return null;
    return inTransaction(this.#db, () => {
      if (this.#db.prepare('SELECT 1 FROM tokens WHERE first_start = 1').get()) return null;
      return this.#create(FIRST_ADMINISTRATOR, 1);
    });
  }

  /**
   * @returns the new token, which cannot be read again.
   * @throws TokenRequestError
   */
  createToken(request: TokenRequest): string {
    const holder = holderOf(request);
    return inTransaction(this.#db, () => this.#create(holder, 0));
  }

  #create({ role, supplierId, advertiserId, label }: TokenHolder, firstStart: 0 | 1): string {
    const token = newToken();
    this.#insert.run(tokenHash(token), role, supplierId, advertiserId, label, firstStart, this.#now());
    return token;
  }
}
