/** Who asks, and what part of the plays they may see. */
export type Identity =
  | { readonly role: 'admin' }
  | { readonly role: 'operator' }
  | { readonly role: 'supplier'; readonly supplierId: string }
  | { readonly role: 'advertiser'; readonly advertiserId: string };

export type Role = Identity['role'];
export const ROLES = ['admin', 'operator', 'supplier', 'advertiser'] as const satisfies readonly Role[];

/**
 * What a route asks of the token, set as `config: { access }` on every route.
 * public: no token. reader: any role, narrowed by `scopeOf`. operator: admin or operator. admin: admin.
 */
export type Access = 'public' | 'reader' | 'operator' | 'admin';

/** The plays that may be seen: all (both null), those of one supplier, or those of one advertiser. */
export interface Scope {
  readonly supplierId: string | null;
  readonly advertiserId: string | null;
}

export const SCOPE_ALL: Scope = { supplierId: null, advertiserId: null };

export function scopeOf(identity: Identity): Scope {
  if (identity.role === 'supplier') return { supplierId: identity.supplierId, advertiserId: null };
  if (identity.role === 'advertiser') return { supplierId: null, advertiserId: identity.advertiserId };
  return SCOPE_ALL;
}

export function allows(access: Access, role: Role): boolean {
  if (access === 'public' || access === 'reader') return true;
  if (access === 'operator') return role === 'admin' || role === 'operator';
  return role === 'admin';
}
