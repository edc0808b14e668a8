import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type FactIds, RegistryUnavailable } from '../../../src/accept/registry-view.ts';
import { MongoRegistry } from '../../../src/registry/mongo-registry.ts';
import { MongoRegistryView } from '../../../src/registry/mongo-view.ts';
import { deviceFacts, keyOf, registryContract, type RegistryHarness, STORE } from '../../contract/registry.contract.ts';
import { registryHistoryContract } from '../../contract/registry-history.contract.ts';
import { startMongo } from '../support/engines.ts';
import { databaseUrl, type Server, startServer, until, withDatabase } from './support.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

async function open(): Promise<RegistryHarness> {
  const url = databaseUrl(server);
  let now = 0;
  const registry = new MongoRegistry(url, { now: () => now });
  const view = new MongoRegistryView(url);
  return {
    registry,
    view,
    setNow: (instant) => {
      now = instant;
    },
    dispose: async () => {
      view.close();
      await registry.close();
    },
  };
}

function idsOf(...devices: string[]): FactIds {
  return { devices: new Set(devices), campaigns: new Set(), contents: new Set() };
}

registryContract('MongoDB', open);
registryHistoryContract('MongoDB', open);

describe('the registry on MongoDB', () => {
  let url: string;
  let registry: MongoRegistry;
  let other: MongoRegistry;
  beforeEach(() => {
    url = databaseUrl(server);
    registry = new MongoRegistry(url);
    other = new MongoRegistry(url);
  });
  afterEach(async () => {
    await registry.close();
    await other.close();
  });

  async function aDevice(): Promise<{ deviceId: string; storeId: string }> {
    const [deviceId, storeId] = [randomUUID(), randomUUID()];
    await registry.put('store', storeId, STORE);
    await registry.put('device', deviceId, { storeId, active: true, since: null });
    await registry.addKey(deviceId, keyOf('k1'));
    return { deviceId, storeId };
  }

  describe('written by two nodes at once', () => {
    test('every change of one device is kept, in one history', async () => {
      const { deviceId, storeId } = await aDevice();
      const stores = await Promise.all(
        Array.from({ length: 6 }, async () => {
          const id = randomUUID();
          await registry.put('store', id, STORE);
          return id;
        }),
      );
      await Promise.all(
        stores.map((id, n) => (n % 2 === 0 ? registry : other).put('device', deviceId, { storeId: id, active: true, since: null })),
      );
      const entry = await registry.get('device', deviceId);
      expect(entry?.assignments.map((one) => one.storeId).toSorted()).toEqual([storeId, ...stores].toSorted());
      const instants = entry?.assignments.map(({ since }) => since ?? 0) ?? [];
      expect(instants).toEqual(instants.toSorted((a, b) => a - b));
      expect(new Set(instants).size).toBe(instants.length);
    });

    test('a new entry is created by one of them', async () => {
      const id = randomUUID();
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, n) =>
          (n % 2 === 0 ? registry : other).put('campaign', id, { advertiserId: STORE.supplierId, name: 'x' }),
        ),
      );
      expect(answers.filter(({ created }) => created)).toHaveLength(1);
    });

    test('keys are added side by side, and one key_id stands for one key', async () => {
      const { deviceId } = await aDevice();
      const adding = await Promise.allSettled([
        ...Array.from({ length: 6 }, (_, n) => (n % 2 === 0 ? registry : other).addKey(deviceId, keyOf(`n${n}`))),
        registry.addKey(deviceId, keyOf('same', { validFrom: 1 })),
        other.addKey(deviceId, keyOf('same', { validFrom: 2 })),
      ]);
      expect(adding.filter(({ status }) => status === 'rejected')).toMatchObject([{ reason: { code: 'key_conflict' } }]);
      expect((await registry.get('device', deviceId))?.keys).toHaveLength(8);
    });

    test('a compromise is never lost beside another change', async () => {
      for (let round = 0; round < 5; round += 1) {
        const { deviceId, storeId } = await aDevice();
        await Promise.all([
          registry.revokeKey(deviceId, 'k1', { at: 5_000, compromised: true }),
          other.put('device', deviceId, { storeId, active: false, since: null }),
          other.addKey(deviceId, keyOf('k2')),
        ]);
        const entry = await other.get('device', deviceId);
        expect(entry?.keys[0]).toMatchObject({ keyId: 'k1', compromisedAt: 5_000 });
        expect(entry?.assignments).toHaveLength(2);
        expect(entry?.keys).toHaveLength(2);
      }
    });
  });

  test('the key of a retired device is still told', async () => {
    const { deviceId } = await aDevice();
    await registry.retire('device', deviceId);
    expect(await registry.publicKey(deviceId, 'k1')).toBe(keyOf('k1').publicKey);
    expect(await registry.publicKey(deviceId, 'k2')).toBeNull();
    expect(await registry.publicKey(randomUUID(), 'k1')).toBeNull();
  });

  describe('as a judge sees it', () => {
    let view: MongoRegistryView;
    beforeEach(() => {
      view = new MongoRegistryView(url, { limits: { devices: 3, campaigns: 2, contents: 2 } });
    });
    afterEach(() => view.close());

    test('what was read answers at once, as long as the view looks for changes', async () => {
      const { deviceId } = await aDevice();
      await view.prepare(idsOf(deviceId), 5_000);
      expect(view.prepare(idsOf(deviceId), 5_000)).toBeUndefined();
      expect(view.facts.device(deviceId)?.keys).toHaveLength(1);
      // Nobody asks, and it is young all the same.
      await new Promise((resolve) => {
        setTimeout(resolve, 1_500);
      });
      await until(async () => expect(view.prepare(idsOf(deviceId), 1_000)).toBeUndefined());
    });

    test('I2: a change made elsewhere arrives without being asked for', async () => {
      const { deviceId } = await aDevice();
      await view.prepare(idsOf(deviceId), 5_000);
      await other.revokeKey(deviceId, 'k1', { at: 5_000, compromised: true });
      await until(async () => {
        await view.prepare(idsOf(deviceId), 5_000);
        expect(view.facts.device(deviceId)?.keys[0]?.compromisedAt).toBe(5_000);
      });
    });

    test('I2: a change whose writer dies between its note and its entry arrives when it is written', async () => {
      const { deviceId } = await aDevice();
      await view.prepare(idsOf(deviceId), 0);
      // Saying it again is noted and changes nothing; the entry is written behind the note, by other means.
      await registry.addKey(deviceId, keyOf('k2'));
      await view.prepare(idsOf(deviceId), 0);
      expect(view.facts.device(deviceId)?.keys).toHaveLength(2);
      await withDatabase(url, (db) =>
        db.collection<{ _id: string }>('devices').updateOne({ _id: deviceId }, { $set: { retired_at: 5 }, $inc: { version: 1 } }),
      );
      await until(async () => {
        await view.prepare(idsOf(deviceId), 5_000);
        expect(view.facts.device(deviceId)?.assignments.at(-1)?.active).toBe(false);
      });
    });

    test('what did not change stays the same object', async () => {
      const [first, second] = [await aDevice(), await aDevice()];
      const [before, changed] = [await deviceFacts(view, first.deviceId), await deviceFacts(view, second.deviceId)];
      await registry.put('device', second.deviceId, { storeId: second.storeId, active: false, since: null });
      expect(await deviceFacts(view, first.deviceId)).toBe(before);
      expect(await deviceFacts(view, second.deviceId)).not.toBe(changed);
      await registry.put('store', first.storeId, { ...STORE, region: 'elsewhere' });
      expect((await deviceFacts(view, first.deviceId))?.assignments[0]?.store.region).toBe('elsewhere');
    });

    test('what was not registered is found as soon as it is', async () => {
      const [deviceId, storeId] = [randomUUID(), randomUUID()];
      expect(await deviceFacts(view, deviceId)).toBeNull();
      // It is remembered that it is not there, so that logs of unknown contents ask nobody.
      expect(view.prepare(idsOf(deviceId), 5_000)).toBeUndefined();
      await registry.put('store', storeId, STORE);
      await registry.put('device', deviceId, { storeId, active: true, since: null });
      expect((await deviceFacts(view, deviceId))?.keys).toEqual([]);
    });

    test('holds a bounded number, and always all that was asked for', async () => {
      const devices: string[] = [];
      for (let n = 0; n < 8; n += 1) devices.push((await aDevice()).deviceId);
      await view.prepare(idsOf(...devices), 0);
      expect(devices.map((id) => view.facts.device(id)?.deviceId)).toEqual(devices);
      const last = devices[0] as string;
      await view.prepare(idsOf(last, (await aDevice()).deviceId), 0);
      expect(view.facts.device(last)?.deviceId).toBe(last);
      expect(devices.filter((id) => view.facts.device(id) !== null).length).toBeLessThanOrEqual(3);
    });

    test('more changes than are kept by name are not missed', async () => {
      const { deviceId, storeId } = await aDevice();
      expect((await deviceFacts(view, deviceId))?.assignments).toHaveLength(1);
      await registry.put('device', deviceId, { storeId, active: false, since: null });
      const noise = Array.from({ length: 500 }, () => ({ kind: 'campaign', id: 'x', at: 0 }));
      await withDatabase(url, (db) =>
        db
          .collection<{ _id: string; recent: object[]; revision: number }>('registry_changes')
          .updateOne({ _id: 'registry' }, { $inc: { revision: 500 }, $push: { recent: { $each: noise, $slice: -500 } } }),
      );
      expect((await deviceFacts(view, deviceId))?.assignments).toHaveLength(2);
    });
  });
});

describe('bad days of the registry on MongoDB', () => {
  test('away: what is known is judged by for its age, then nothing is, at once; back: it goes on', async () => {
    const own = await startMongo();
    const url = databaseUrl(own);
    const registry = new MongoRegistry(url);
    const view = new MongoRegistryView(url);
    const [deviceId, storeId] = [randomUUID(), randomUUID()];
    await registry.put('store', storeId, STORE);
    await registry.put('device', deviceId, { storeId, active: true, since: null });
    await view.prepare(idsOf(deviceId), 5_000);
    // Until it was read again since the note of the change was seen: then it is restless, and not known to be out of date.
    await sleep(1_500);
    await view.prepare(idsOf(deviceId), 0);
    await own.kill();
    const ids = idsOf(deviceId);
    // A whole minute is what these facts may be old: they are still there.
    await view.prepare(ids, 60_000);
    expect(view.facts.device(deviceId)).not.toBeNull();
    const asked = async (maxAgeMs: number): Promise<unknown> => {
      try {
        return await view.prepare(ids, maxAgeMs);
      } catch (error) {
        return error;
      }
    };
    await until(async () => expect(await asked(1_000)).toBeInstanceOf(RegistryUnavailable));
    expect(await asked(0)).toBeInstanceOf(RegistryUnavailable);
    // Of several screens it is told which one nothing is known of.
    const unseen = randomUUID();
    const absent = await Promise.resolve(view.prepare(idsOf(deviceId, unseen), 60_000)).catch((error: unknown) => error);
    expect(absent).toBeInstanceOf(RegistryUnavailable);
    expect([...((absent as RegistryUnavailable).missing?.devices ?? [])]).toEqual([unseen]);
    const tooOld = await Promise.resolve(view.prepare(idsOf(deviceId, unseen), 0)).catch((error: unknown) => error);
    expect((tooOld as RegistryUnavailable).missing).toBeNull();
    for (const call of [
      registry.get('device', deviceId),
      registry.list('device', null, 10),
      registry.put('store', storeId, { ...STORE, name: 'y' }),
      registry.retire('store', storeId),
      registry.addKey(deviceId, keyOf('k9')),
    ]) {
      await expect(call).rejects.toMatchObject({ code: 'unavailable' });
    }
    await own.restart();
    await until(async () => expect(await asked(1_000)).toBeUndefined());
    await until(() => registry.addKey(deviceId, keyOf('k9')));
    await until(async () => {
      await view.prepare(ids, 5_000);
      expect(view.facts.device(deviceId)?.keys).toHaveLength(1);
    });
    view.close();
    await registry.close();
    await own.dispose();
  });

  test('I2: away: what is known to have changed is not judged by, however old a view may be', async () => {
    const own = await startMongo();
    const url = databaseUrl(own);
    const registry = new MongoRegistry(url);
    const view = new MongoRegistryView(url);
    const [deviceId, storeId] = [randomUUID(), randomUUID()];
    await registry.put('store', storeId, STORE);
    await registry.put('device', deviceId, { storeId, active: true, since: null });
    await registry.addKey(deviceId, keyOf('k1'));
    await view.prepare(idsOf(deviceId), 0);
    await registry.revokeKey(deviceId, 'k1', { at: 5_000, compromised: true });
    // The note of it is seen; the device itself is not read again, as nobody asks for it.
    await view.prepare(idsOf(), 0);
    await own.kill();
    const absent = await Promise.resolve(view.prepare(idsOf(deviceId), 86_400_000)).catch((error: unknown) => error);
    expect(absent).toBeInstanceOf(RegistryUnavailable);
    expect([...((absent as RegistryUnavailable).missing?.devices ?? [])]).toEqual([deviceId]);
    view.close();
    await registry.close();
    await own.dispose();
  });

  test('away at the start: it opens, and begins when MongoDB comes', async () => {
    const own = await startMongo();
    const url = databaseUrl(own);
    await own.kill();
    const view = new MongoRegistryView(url);
    const registry = new MongoRegistry(url);
    await expect(view.prepare(idsOf(randomUUID()), 5_000)).rejects.toThrow(RegistryUnavailable);
    // Longer than the driver looks for its first server; then its client is closed for good, unless it is told to connect.
    await sleep(7_000);
    await own.restart();
    const storeId = randomUUID();
    await until(() => registry.put('store', storeId, STORE));
    await until(async () => view.prepare(idsOf(randomUUID()), 5_000));
    view.close();
    await registry.close();
    await own.dispose();
  });
});
