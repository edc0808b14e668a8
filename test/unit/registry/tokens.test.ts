import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isToken } from '../../../src/config.ts';
import { openForWriting, REGISTRY_FILE } from '../../../src/registry/database.ts';
import { TokenRequestError, Tokens } from '../../../src/registry/tokens.ts';

const SUPPLIER = '9DFB369B-AB13-4FAE-A276-55DAA05F1119';
const OWN = 'an-admin-token-from-the-settings-0123456789';

let directory: string;
let db: ReturnType<typeof openForWriting>;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'playproof-tokens-'));
  db = openForWriting(path.join(directory, REGISTRY_FILE));
});

afterEach(() => {
  db.close();
  rmSync(directory, { recursive: true });
});

describe('tokens', () => {
  test('the administrator gets one at the first start, once', () => {
    const tokens = new Tokens(db, null);
    const first = tokens.ensureAdminToken();
    expect(first).not.toBeNull();
    expect(isToken(first ?? '')).toBe(true);
    expect(tokens.authenticate(first ?? '')).toEqual({ role: 'admin' });
    expect(tokens.ensureAdminToken()).toBeNull();
    expect(new Tokens(db, null).ensureAdminToken()).toBeNull();
  });

  test('a token from the settings takes the place of the one made at the first start, and gives it back', () => {
    const made = new Tokens(db, null).ensureAdminToken() ?? '';
    const created = new Tokens(db, null).createToken({ role: 'admin' });
    const withSettings = new Tokens(db, OWN);
    expect(withSettings.ensureAdminToken()).toBeNull();
    expect(withSettings.authenticate(OWN)).toEqual({ role: 'admin' });
    expect(withSettings.authenticate(made)).toBeNull();
    expect(withSettings.authenticate(created)).toEqual({ role: 'admin' });
    const without = new Tokens(db, null);
    expect(without.authenticate(OWN)).toBeNull();
    expect(without.authenticate(made)).toEqual({ role: 'admin' });
  });

  test('roles carry the id whose plays they may see', () => {
    const tokens = new Tokens(db, null);
    expect(tokens.authenticate(tokens.createToken({ role: 'operator', label: 'dashboard' }))).toEqual({ role: 'operator' });
    expect(tokens.authenticate(tokens.createToken({ role: 'supplier', supplierId: SUPPLIER }))).toEqual({
      role: 'supplier',
      supplierId: SUPPLIER.toLowerCase(),
    });
    expect(tokens.authenticate(tokens.createToken({ role: 'advertiser', advertiserId: SUPPLIER }))).toEqual({
      role: 'advertiser',
      advertiserId: SUPPLIER.toLowerCase(),
    });
  });

  test.each([
    { role: 'supplier' as const },
    { role: 'advertiser' as const },
    { role: 'admin' as const, supplierId: SUPPLIER },
    { role: 'supplier' as const, advertiserId: SUPPLIER },
    { role: 'supplier' as const, supplierId: SUPPLIER, advertiserId: SUPPLIER },
    { role: 'supplier' as const, supplierId: 'us' },
    { role: 'operator' as const, label: 'x'.repeat(201) },
  ])('a request that makes no sense is refused: %j', (request) => {
    expect(() => new Tokens(db, null).createToken(request)).toThrow(TokenRequestError);
  });

  test('anything else is nobody', () => {
    const tokens = new Tokens(db, OWN);
    const token = tokens.createToken({ role: 'operator' });
    for (const other of ['', 'short', `${token}x`, token.slice(1), token.toLowerCase() === token ? `${token}y` : token.toLowerCase()]) {
      expect(tokens.authenticate(other)).toBeNull();
    }
    expect(tokens.authenticate(`${OWN}${'x'.repeat(300)}`)).toBeNull();
  });

  test('a token made through another connection works at once, and none of them is in the files', () => {
    const tokens = new Tokens(db, null);
    const other = openForWriting(path.join(directory, REGISTRY_FILE));
    const token = new Tokens(other, null).createToken({ role: 'operator' });
    expect(tokens.authenticate(token)).toEqual({ role: 'operator' });
    other.close();
    for (const name of [REGISTRY_FILE, `${REGISTRY_FILE}-wal`])
      expect(readFileSync(path.join(directory, name)).includes(token)).toBe(false);
  });
});
