import { randomUUID } from 'node:crypto';
import type { Binary } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MongoArchive, openMongoArchive } from '../../../src/archive/mongo-archive.ts';
import { MongoReader } from '../../../src/archive/mongo-reader.ts';
import { within } from '../../../src/archive/shown.ts';
import type { Play } from '../../../src/domain/play.ts';
import type { Refusal } from '../../../src/domain/refusal.ts';
import { writeUuid } from '../../../src/domain/uuid.ts';
import { HASH_AT, HASH_BYTES, LOG_ID_AT, LOG_ID_BYTES, recordHash, recordLogId } from '../../../src/journal/record.ts';
import { MongoUnavailable } from '../../../src/mongo/mongo-connection.ts';
import { DamagedRecord, type QuarantineQuery } from '../../../src/query/archive-port.ts';
import { SCOPE_ALL } from '../../../src/server/access.ts';
import type { ArchiveWriter, Claim } from '../../../src/settle/ports.ts';
import { type ArchiveHarness, archiveWriterContract, claimOf, hashOf } from '../../contract/archive-writer.contract.ts';
import { archiveReaderContract } from '../../contract/archive-reader.contract.ts';
import { playOf, uuidOf } from '../../support/feed-file.ts';
import { playBytes, refusalOf } from '../../support/plays.ts';
import { startMongo } from '../support/engines.ts';
import { databaseUrl, type Server, startServer, tapOf, until, withDatabase } from './support.ts';

const KEEP = 4;
const EVERYTHING: QuarantineQuery = { scope: SCOPE_ALL, code: null, deviceId: null, limit: 1_000, before: null };

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

async function harnessOf(url: string): Promise<ArchiveHarness & { readonly archive: MongoArchive }> {
  const archive = await openMongoArchive(url, { quarantinePerDevice: KEEP });
  const reader = new MongoReader(url);
  const others: MongoArchive[] = [];
  return {
    archive,
    quarantinePerDevice: KEEP,
    another: async (): Promise<ArchiveWriter> => {
      const other = await openMongoArchive(url, { quarantinePerDevice: KEEP });
      others.push(other);
      return other;
    },
    standing: async () =>
      (await archive.entries(null, 10_000)).map(({ position, record }) => `${recordLogId(record)} ${recordHash(record)} ${position}`),
    quarantined: async () =>
      (await reader.quarantine(EVERYTHING))
        .toReversed()
        .map(({ log_id, content_hash, code, count }) => `${log_id ?? '-'} ${content_hash} ${code} ${count}`),
    dispose: async () => {
      for (const one of [archive, reader, ...others]) await one.close();
      await withDatabase(url, (db) => db.dropDatabase());
    },
  };
}

archiveWriterContract('MongoDB', () => harnessOf(databaseUrl(server)));

archiveReaderContract(
  'MongoDB',
  async () => {
    const url = databaseUrl(server);
    const archive = await openMongoArchive(url);
    const waiting: ({ play: Play } | { refusal: Refusal })[] = [];
    const journalId = randomUUID();
    let offset = 0;
    const reader = new MongoReader(url, {
      waiting: async (logId, scope) => waiting.some((one) => 'play' in one && one.play.logId === logId && within(one.play, scope)),
    });
    return {
      reader,
      acknowledge: async (records) => void waiting.push(...records),
      settle: async () => {
        for (const record of waiting.splice(0)) {
          const position = `${journalId}/0/${(offset += 1)}`;
          if ('refusal' in record) await archive.quarantine([{ refusal: record.refusal, position }]);
          else {
            const bytes = playBytes(record.play);
            const logId = bytes.subarray(LOG_ID_AT, LOG_ID_AT + LOG_ID_BYTES);
            await archive.claim([{ logId, contentHash: bytes.subarray(HASH_AT, HASH_AT + HASH_BYTES), position, bytes }]);
          }
        }
      },
      dispose: async () => {
        await archive.close();
        await reader.close();
      },
    };
  },
  { feed: false },
);

function idOf(n: number): Uint8Array {
  const bytes = new Uint8Array(16);
  writeUuid(bytes, 0, uuidOf(1, n));
  return bytes;
}

describe('the archive on MongoDB', () => {
  it('asks for a majority and its journals, whatever the connection string says', async () => {
    const own = await startMongo();
    const tap = await tapOf(own.port);
    const url = databaseUrl(
      { url: `mongodb://127.0.0.1:${tap.port}/?directConnection=true` },
      'w=1&journal=false&readPreference=secondaryPreferred&readConcernLevel=local',
    );
    const archive = await openMongoArchive(url);
    await archive.ready();
    const sent = async (work: () => Promise<unknown>): Promise<string> => {
      tap.sent.length = 0;
      await work();
      return Buffer.concat(tap.sent).toString('latin1');
    };
    const majority = 'majority\0';
    const journal = '\x08j\0\x01';
    const claim = await sent(() => archive.claim([claimOf(1, 1)]));
    expect(claim).toContain('\x02insert\0');
    expect([claim.includes(`\x02w\0\x09\0\0\0${majority}`), claim.includes(journal)]).toEqual([true, true]);
    const kept = await sent(() => archive.quarantine([{ refusal: refusalOf(1), position: 'j/0/1' }]));
    for (const command of ['findAndModify', 'update']) expect(kept).toContain(`\x02${command}\0`);
    expect(kept.split(journal)).toHaveLength(3);
    const read = await sent(() => archive.find(idOf(1)));
    expect(read).toContain(`\x02level\0\x09\0\0\0${majority}`);
    expect(read).not.toContain('secondary');
    await archive.close();
    tap.close();
    await own.dispose();
  });

  it('keeps a log as an operator can read it, and nothing beside the index of its id', async () => {
    const url = databaseUrl(server);
    const harness = await harnessOf(url);
    await harness.archive.claim([claimOf(1, 'j/3/77')]);
    await withDatabase(url, async (db) => {
      const [document] = await db.collection('archive').find().toArray();
      expect(String(document?._id)).toBe(uuidOf(1, 1));
      expect(document).toMatchObject({ position: 'j/3/77', received_at: new Date(playOf(1).receivedAt) });
      expect((await db.collection('archive').indexes()).map(({ name }) => name)).toEqual(['_id_']);
      expect((await db.collection('quarantine').indexes()).map(({ name }) => String(name)).toSorted()).toEqual([
        '_id_',
        'newest',
        'newest_of_device',
      ]);
    });
    await harness.dispose();
  });

  it('lays itself out again and again, by many at once, and refuses what a newer version laid out', async () => {
    const url = databaseUrl(server);
    const several = await Promise.all(Array.from({ length: 8 }, () => openMongoArchive(url)));
    await Promise.all(several.map((one) => one.ready()));
    for (const one of several) await one.close();
    await withDatabase(url, (db) => db.collection<{ _id: string }>('meta').updateOne({ _id: 'layout' }, { $set: { version: 99 } }));
    const late = await openMongoArchive(url);
    await expect(late.claim([claimOf(1, 1)])).rejects.toThrow(/newer Playproof/);
    await late.close();
  });

  it('an index of the same name with other keys is said, not passed over', async () => {
    const url = databaseUrl(server);
    await withDatabase(url, (db) => db.collection('quarantine').createIndex({ code: 1 }, { name: 'newest' }));
    const archive = await openMongoArchive(url);
    await expect(archive.ready()).rejects.toThrow(/same name|newest/);
    await archive.close();
  });

  it('after a restore the numbers of the quarantine go on behind those in use', async () => {
    const url = databaseUrl(server);
    const first = await harnessOf(url);
    await first.archive.quarantine([
      { refusal: refusalOf(1), position: 'j/0/1' },
      { refusal: refusalOf(2), position: 'j/0/2' },
    ]);
    await withDatabase(url, (db) => db.collection('counters').deleteMany({}));
    const second = await harnessOf(url);
    await second.archive.quarantine([{ refusal: refusalOf(3), position: 'j/0/3' }]);
    const reader = new MongoReader(url);
    expect((await reader.quarantine(EVERYTHING)).map(({ quarantine_id }) => quarantine_id)).toEqual([3, 2, 1]);
    await reader.close();
    await first.dispose();
    await second.archive.close();
  });

  it('tells accept what was settled', async () => {
    const harness = await harnessOf(databaseUrl(server));
    await harness.archive.claim([claimOf(1, 1)]);
    expect(await harness.archive.find(idOf(1))).toEqual({
      contentHash: Buffer.from(playOf(1).contentHash, 'hex'),
      flags: 4,
      receivedAt: playOf(1).receivedAt,
    });
    expect(await harness.archive.find(idOf(2))).toBeNull();
    await harness.dispose();
  });

  it('pages through what it keeps in the order of the ids', async () => {
    const harness = await harnessOf(databaseUrl(server));
    await harness.archive.claim(Array.from({ length: 25 }, (_, n) => claimOf((n * 7) % 25, n)));
    const seen: string[] = [];
    for (let after: Uint8Array | null = null; ; ) {
      const page = await harness.archive.entries(after, 10);
      seen.push(...page.map(({ record }) => recordLogId(record)));
      const last = page.at(-1);
      if (!last || page.length < 10) break;
      after = last.logId;
    }
    expect(seen).toEqual(Array.from({ length: 25 }, (_, n) => uuidOf(1, n)));
    await harness.dispose();
  });
});

describe('the archive on MongoDB as it is read', () => {
  let harness: ArchiveHarness & { readonly archive: MongoArchive };
  let reader: MongoReader;
  beforeAll(async () => {
    const url = databaseUrl(server);
    harness = await harnessOf(url);
    reader = new MongoReader(url);
    await harness.archive.claim([1, 2, 3].map((n): Claim => claimOf(n, `j/0/${n}`)));
    await harness.archive.quarantine(
      Array.from({ length: 9 }, (_, n) => ({
        refusal: refusalOf(n, { code: n % 2 === 0 ? 'too_old' : 'in_future', receivedAt: 1_000 + n }),
        position: `j/0/${100 + n}`,
      })),
    );
    await harness.archive.quarantine([{ refusal: refusalOf(0, { receivedAt: 9_000 }), position: 'j/0/200' }]);
  });
  afterAll(async () => {
    await reader.close();
    await harness.dispose();
  });

  it('evidence, to whom it belongs', async () => {
    const found = await reader.play(uuidOf(1, 2), SCOPE_ALL);
    expect(found).toMatchObject({
      play: { logId: uuidOf(1, 2), deviceId: playOf(2).deviceId, keyId: 'k1' },
      positions: { journal: 'j/0/2', feed: 'playback-logs?journal_position=j/0/2' },
    });
    expect(await reader.play(uuidOf(1, 9), SCOPE_ALL)).toBeNull();
    const { supplierId, advertiserId } = playOf(2);
    expect(await reader.play(uuidOf(1, 2), { supplierId, advertiserId: null })).not.toBeNull();
    expect(await reader.play(uuidOf(1, 2), { supplierId: null, advertiserId })).not.toBeNull();
    expect(await reader.play(uuidOf(1, 2), { supplierId: uuidOf(6, 99), advertiserId: null })).toBeNull();
  });

  it('quarantine, newest first, page by page, by code, device and owner', async () => {
    const all = await reader.quarantine(EVERYTHING);
    expect(all.map(({ log_id }) => log_id)).toEqual(Array.from({ length: 9 }, (_, i) => uuidOf(1, 8 - i)));
    expect(all.at(-1)).toMatchObject({ count: 2, received_at: '1970-01-01T00:00:01.000Z', last_received_at: '1970-01-01T00:00:09.000Z' });
    const page = await reader.quarantine({ ...EVERYTHING, limit: 4, before: all[3]?.quarantine_id ?? null });
    expect(page).toEqual(all.slice(4, 8));
    expect(await reader.quarantine({ ...EVERYTHING, code: 'in_future' })).toHaveLength(4);
    expect(await reader.quarantine({ ...EVERYTHING, deviceId: uuidOf(2, 1) })).toHaveLength(2);
    const { supplierId, advertiserId } = refusalOf(1);
    expect(await reader.quarantine({ ...EVERYTHING, scope: { supplierId, advertiserId: null } })).toHaveLength(4);
    expect(await reader.quarantine({ ...EVERYTHING, scope: { supplierId: null, advertiserId } })).toHaveLength(3);
  });

  it('refusals by reason and device, most first', async () => {
    const { groups, examined, whole } = await reader.quarantineGroups({ scope: SCOPE_ALL, code: null, deviceId: null });
    expect({ examined, whole }).toEqual({ examined: 9, whole: true });
    expect(groups[0]).toEqual({
      code: 'too_old',
      device_id: uuidOf(2, 0),
      store_id: refusalOf(0).storeId,
      logs: 1,
      refusals: 2,
      last_received_at: '1970-01-01T00:00:09.000Z',
      detail: refusalOf(0).detail,
      retryable: false,
      fields: null,
    });
    expect(groups.reduce((sum, { refusals }) => sum + refusals, 0)).toBe(10);
    expect((await reader.quarantineGroups({ scope: SCOPE_ALL, code: 'in_future', deviceId: null })).groups).toHaveLength(4);
    const none = { scope: { supplierId: uuidOf(6, 99), advertiserId: null }, code: null, deviceId: null };
    expect(await reader.quarantineGroups(none)).toEqual({ groups: [], examined: 0, whole: true });
  });

  it('I3: a record that somebody changed is said to be damaged, and not shown', async () => {
    const url = databaseUrl(server);
    const own = await harnessOf(url);
    await own.archive.claim([claimOf(1, 1)]);
    await own.archive.quarantine([{ refusal: refusalOf(1), position: 'j/0/1' }]);
    await withDatabase(url, async (db) => {
      for (const name of ['archive', 'quarantine']) {
        const record = (await db.collection(name).findOne())?.['record'] as Binary;
        record.buffer[120] = (record.buffer[120] as number) ^ 1;
        await db.collection(name).updateOne({}, { $set: { record } });
      }
    });
    const damaged = new MongoReader(url);
    await expect(damaged.play(uuidOf(1, 1), SCOPE_ALL)).rejects.toThrow(DamagedRecord);
    await expect(damaged.quarantine(EVERYTHING)).rejects.toThrow(/damaged .* restore/);
    await damaged.close();
    await own.dispose();
  });

  it('has no feed: that is a topic', async () => {
    await expect(reader.feed()).rejects.toMatchObject({ code: 'not_implemented' });
  });
});

describe('bad days', () => {
  it('what is no connection string is said without its password', async () => {
    const told = await openMongoArchive('mongo://user:secret@host/').catch((error: Error) => error.message);
    expect(told).toMatch(/PLAYPROOF_MONGODB_URL/);
    expect(told).not.toMatch(/secret/);
  });

  it('a server that is away is said within seconds, and then at once; when it comes the same archive goes on', async () => {
    const own = await startMongo();
    const told: string[] = [];
    const url = databaseUrl(own);
    const archive = await openMongoArchive(url, { log: (message) => told.push(message) });
    const reader = new MongoReader(url);
    expect(await archive.claim([claimOf(1, 1)])).toEqual(['owner']);
    await own.kill();
    await expect(archive.claim([claimOf(2, 2)])).rejects.toThrow(MongoUnavailable);
    await expect(archive.find(idOf(1))).rejects.toThrow(MongoUnavailable);
    await expect(reader.play(uuidOf(1, 1), SCOPE_ALL)).rejects.toMatchObject({ code: 'unavailable' });
    await own.restart();
    await until(async () => (await archive.claim([claimOf(2, 2), claimOf(1, 3)])).join());
    expect(await archive.claim([claimOf(2, 2), claimOf(1, 3), claimOf(1, 1)])).toEqual(['owner', 'duplicate', 'owner']);
    expect(told.length).toBeGreaterThan(1);
    expect(told.at(-1)).toBe('MongoDB is back');
    await archive.close();
    await reader.close();
    await own.dispose();
  });

  it('a server that hangs holds nobody for long', async () => {
    const own = await startMongo();
    const archive = await openMongoArchive(databaseUrl(own));
    await archive.claim([claimOf(1, 1)]);
    own.pause();
    // What it had already taken in, it may still answer.
    await until(async () => {
      expect(await archive.find(idOf(1)).catch((error: unknown) => error)).toBeInstanceOf(MongoUnavailable);
    });
    await expect(archive.claim([claimOf(2, 2)])).rejects.toThrow(MongoUnavailable);
    own.resume();
    await until(() => archive.claim([claimOf(2, 2)]));
    expect(await archive.claim([claimOf(2, 2)])).toEqual(['owner']);
    await archive.close();
    await own.dispose();
  });

  it('I1: what was claimed survives kill -9 of the server at any time, and what was not known is claimed again', {
    timeout: 240_000,
  }, async () => {
    const own = await startMongo();
    const url = databaseUrl(own);
    const owned = new Map<number, string>();
    let n = 0;
    for (let round = 0; round < 6; round += 1) {
      const clients = await Promise.all(Array.from({ length: 4 }, () => openMongoArchive(url)));
      const first = n;
      const killed = new AbortController();
      const work = clients.map(async (client, c) => {
        for (let batch = 0; !killed.signal.aborted && batch < 200; batch += 1) {
          const ids = Array.from({ length: 20 }, () => (n += 1));
          const claims = ids.map((id) => claimOf(id, `j/${c}/${id}`));
          try {
            for (const [i, answer] of (await client.claim(claims)).entries())
              if (answer === 'owner') owned.set(ids[i] as number, `j/${c}/${ids[i]}`);
          } catch (error) {
            expect(error).toBeInstanceOf(MongoUnavailable);
            return;
          }
        }
      });
      await until(async () => {
        if (n - first < 200 + round * 150) throw new Error('too early');
      });
      await own.kill();
      killed.abort();
      await Promise.all(work);
      for (const client of clients) await client.close();
      await own.restart();
    }
    const archive = await openMongoArchive(url);
    const entries = await archive.entries(null, 100_000);
    const standing = new Map(entries.map(({ record, position }) => [recordLogId(record), position]));
    expect(owned.size).toBeGreaterThan(500);
    for (const [id, position] of owned) expect(standing.get(uuidOf(1, id))).toBe(position);
    // Whatever was in flight is claimed again from its position: it is its owner, once.
    const all = Array.from({ length: n }, (_, i) => i + 1);
    for (let from = 0; from < n; from += 500) {
      const again = all.slice(from, from + 500).map((id) => claimOf(id, standing.get(uuidOf(1, id)) ?? `again/0/${id}`));
      expect(new Set(await archive.claim(again))).toEqual(new Set(['owner']));
    }
    expect(await archive.claim([claimOf(1, 'elsewhere/0/1', hashOf(9))])).toEqual(['conflict']);
    expect(await archive.entries(null, 100_000)).toHaveLength(n);
    await archive.close();
    await own.dispose();
  });
});
