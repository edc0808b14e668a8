import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { isToken } from '../../../src/config.ts';
import { MongoTokens } from '../../../src/registry/mongo-tokens.ts';
import { TokenRequestError } from '../../../src/registry/token-rules.ts';
import { startMongo } from '../support/engines.ts';
import { databaseUrl, type Server, startServer, until, withDatabase } from './support.ts';

const SUPPLIER = '9DFB369B-AB13-4FAE-A276-55DAA05F1119';
const OWN = 'an-admin-token-from-the-settings-0123456789';
const NOBODY = 'nobody-has-this-token-0123456789-0123456789';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

const opened: MongoTokens[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

function open(url: string, adminToken: string | null = null): MongoTokens {
  const tokens = new MongoTokens(url, { adminToken });
  opened.push(tokens);
  return tokens;
}

describe('tokens in MongoDB', () => {
  test('the administrator gets one at the first start, once, of however many nodes', async () => {
    const url = databaseUrl(server);
    const nodes = Array.from({ length: 6 }, () => open(url));
    const made = (await Promise.all(nodes.map((node) => node.ensureAdminToken()))).filter((token) => token !== null);
    expect(made).toHaveLength(1);
    const [token = ''] = made;
    expect(isToken(token)).toBe(true);
    for (const node of nodes) expect(await node.authenticate(token)).toEqual({ role: 'admin' });
    expect(await open(url).ensureAdminToken()).toBeNull();
  });

  test('a token from the settings takes the place of the one made at the first start, and gives it back', async () => {
    const url = databaseUrl(server);
    const made = (await open(url).ensureAdminToken()) ?? '';
    const created = await open(url).createToken({ role: 'admin' });
    const withSettings = open(url, OWN);
    expect(await withSettings.ensureAdminToken()).toBeNull();
    expect(withSettings.authenticate(OWN)).toEqual({ role: 'admin' });
    expect(await withSettings.authenticate(made)).toBeNull();
    expect(await withSettings.authenticate(created)).toEqual({ role: 'admin' });
    const without = open(url);
    expect(await without.authenticate(OWN)).toBeNull();
    expect(await without.authenticate(made)).toEqual({ role: 'admin' });
  });

  test('roles carry the id whose plays they may see, on every node at once, and later without asking', async () => {
    const url = databaseUrl(server);
    const [one, other] = [open(url), open(url)];
    const supplier = await one.createToken({ role: 'supplier', supplierId: SUPPLIER });
    const advertiser = await one.createToken({ role: 'advertiser', advertiserId: SUPPLIER });
    const operator = await one.createToken({ role: 'operator', label: 'dashboard' });
    expect(await other.authenticate(supplier)).toEqual({ role: 'supplier', supplierId: SUPPLIER.toLowerCase() });
    expect(await other.authenticate(advertiser)).toEqual({ role: 'advertiser', advertiserId: SUPPLIER.toLowerCase() });
    expect(await other.authenticate(operator)).toEqual({ role: 'operator' });
    const third = open(url);
    await until(async () => expect(third.authenticate(operator)).toEqual({ role: 'operator' }));
  });

  test('anything else is nobody', async () => {
    const tokens = open(databaseUrl(server), OWN);
    const token = await tokens.createToken({ role: 'operator' });
    for (const other of ['', 'short', `${token}x`, token.slice(1), NOBODY]) expect(await tokens.authenticate(other)).toBeNull();
    await expect(tokens.createToken({ role: 'supplier' })).rejects.toThrow(TokenRequestError);
  });

  test('none of them is in the database', async () => {
    const url = databaseUrl(server);
    const token = await open(url).createToken({ role: 'operator' });
    await withDatabase(url, async (db) => {
      const kept = await db.collection('tokens').find().toArray();
      expect(kept).toHaveLength(1);
      expect(JSON.stringify(kept)).not.toContain(token);
    });
  });

  test('guessing does not keep MongoDB busy', async () => {
    const tokens = open(databaseUrl(server));
    await tokens.createToken({ role: 'operator' });
    const guesses = await Promise.allSettled(Array.from({ length: 60 }, async (_, n) => tokens.authenticate(`${NOBODY}${n}`)));
    const refused = guesses.filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]).toMatchObject({ reason: { code: 'overloaded' } });
    expect(await tokens.authenticate(NOBODY)).toBeNull();
  });

  test('while MongoDB is away known tokens work, that of the settings too, and of others nobody can tell', async () => {
    const own = await startMongo();
    const url = databaseUrl(own);
    const maker = open(url);
    const token = await maker.createToken({ role: 'operator' });
    const tokens = open(url, OWN);
    await until(async () => {
      const answer = tokens.authenticate(token);
      // Not held yet: it was looked up, and nobody waits for that.
      if (answer instanceof Promise) answer.catch(() => {});
      expect(answer).toEqual({ role: 'operator' });
    });
    await own.kill();
    expect(tokens.authenticate(token)).toEqual({ role: 'operator' });
    expect(tokens.authenticate(OWN)).toEqual({ role: 'admin' });
    await expect(tokens.authenticate(NOBODY)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(maker.createToken({ role: 'operator' })).rejects.toMatchObject({ code: 'unavailable' });
    await own.dispose();
  });
});
