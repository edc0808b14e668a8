/** What a bearer token is, whatever its hash is kept in. */
import { hash, randomBytes } from 'node:crypto';
import { isUuid } from '../domain/uuid.ts';
import type { Identity, Role } from '../server/access.ts';

export interface TokenRequest {
  readonly role: Role;
  /** For the role supplier, and only there. */
  readonly supplierId?: string;
  /** For the role advertiser, and only there. */
  readonly advertiserId?: string;
  /** What the token is for, at most 200 characters. */
  readonly label?: string;
}

/** What is kept of a token beside its hash. Ids in lower case. */
export interface TokenHolder {
  readonly role: Role;
  readonly supplierId: string | null;
  readonly advertiserId: string | null;
  readonly label: string | null;
}

export const FIRST_ADMINISTRATOR: TokenHolder = { role: 'admin', supplierId: null, advertiserId: null, label: null };

/** A token was asked for that makes no sense; the message says why. */
export class TokenRequestError extends Error {
  override readonly name = 'TokenRequestError';
}

/** Bearer tokens wherever they are kept. A backend that can answer at once does so without a promise. */
export interface TokenAuthority {
  /** Who holds `token`; null: nobody. Rejects with a Problem `unavailable` where nobody can tell now. */
  authenticate(token: string): Identity | null | Promise<Identity | null>;
  /** Makes the administrator's token where none is set and none was made before; returned this once, to be printed. */
  ensureAdminToken(): string | null | Promise<string | null>;
  /**
   * @returns the new token, which cannot be read again.
   * @throws TokenRequestError
   */
  createToken(request: TokenRequest): string | Promise<string>;
}

const MAX_LABEL = 200;

/** @throws TokenRequestError */
export function holderOf({ role, supplierId, advertiserId, label }: TokenRequest): TokenHolder {
  if ((supplierId !== undefined) !== (role === 'supplier')) {
    throw new TokenRequestError('the role supplier needs the id of its supplier, and no other role takes one');
  }
  if ((advertiserId !== undefined) !== (role === 'advertiser')) {
    throw new TokenRequestError('the role advertiser needs the id of its advertiser, and no other role takes one');
  }
  const owner = supplierId ?? advertiserId;
  if (owner !== undefined && !isUuid(owner)) throw new TokenRequestError(`the ${role}'s id must be a UUID`);
  if (label !== undefined && label.length > MAX_LABEL) throw new TokenRequestError(`a label has at most ${MAX_LABEL} characters`);
  return {
    role,
    supplierId: supplierId?.toLowerCase() ?? null,
    advertiserId: advertiserId?.toLowerCase() ?? null,
    label: label ?? null,
  };
}

/** Null: what is kept makes no sense, so nobody holds it. */
export function identityOf({ role, supplierId, advertiserId }: Omit<TokenHolder, 'label'>): Identity | null {
  if (role === 'admin' || role === 'operator') return { role };
  if (role === 'supplier' && typeof supplierId === 'string') return { role, supplierId };
  if (role === 'advertiser' && typeof advertiserId === 'string') return { role, advertiserId };
  return null;
}

export function newToken(): string {
  return randomBytes(32).toString('base64url');
}

export function tokenHash(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}
