/** What every registry promises, whatever it is kept in. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RegistryView } from '../../src/accept/registry-view.ts';
import type { DeviceFacts } from '../../src/domain/facts.ts';
import { type KeyFields, MAX_KEYS_PER_DEVICE, type Registry, type StoreFields } from '../../src/registry/registry.ts';

export interface RegistryHarness {
  readonly registry: Registry;
  /** As a judge on another connection sees it. */
  readonly view: RegistryView;
  /** Sets the registry's clock. */
  setNow(now: number): void;
  dispose(): Promise<void>;
}

export const NOW = Date.UTC(2026, 4, 1);
export const STORE: StoreFields = {
  supplierId: randomUUID(),
  name: 'Bến Thành 😀',
  location: { lat: 10.7725, lng: 106.698 },
  region: 'Ho Chi Minh',
  timeZone: 'Asia/Ho_Chi_Minh',
};
const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const PEM = publicKey.export({ type: 'spki', format: 'pem' });

export function keyOf(keyId: string, more: Partial<KeyFields> = {}): KeyFields {
  return { keyId, algorithm: 'RS256', publicKey: PEM, validFrom: null, validUntil: null, ...more };
}

export async function deviceFacts(view: RegistryView, deviceId: string): Promise<DeviceFacts | null> {
  await view.prepare({ devices: new Set([deviceId]), campaigns: new Set(), contents: new Set() }, 0);
  return view.facts.device(deviceId);
}

export function registryContract(name: string, open: () => Promise<RegistryHarness>): void {
  describe(`registry on ${name}`, () => {
    let harness: RegistryHarness;
    let registry: Registry;
    let view: RegistryView;

    beforeAll(async () => {
      harness = await open();
      ({ registry, view } = harness);
      harness.setNow(NOW);
    });
    afterAll(() => harness.dispose());

    async function aStore(fields: StoreFields = STORE): Promise<string> {
      const id = randomUUID();
      await registry.put('store', id, fields);
      return id;
    }

    async function aDevice(): Promise<{ deviceId: string; storeId: string }> {
      const storeId = await aStore();
      const deviceId = randomUUID();
      await registry.put('device', deviceId, { storeId, active: true, since: null });
      return { deviceId, storeId };
    }

    describe('stores, campaigns, contents', () => {
      test('are registered, answered, replaced as a whole', async () => {
        const id = randomUUID();
        const entry = { storeId: id, ...STORE };
        expect(await registry.put('store', id, STORE)).toEqual({ created: true, entry });
        expect(await registry.put('store', id, STORE)).toEqual({ created: false, entry });
        expect(await registry.get('store', id)).toEqual(entry);
        const other = { ...STORE, region: null, timeZone: null, name: 'x' };
        expect(await registry.put('store', id, other)).toEqual({ created: false, entry: { storeId: id, ...other } });
        expect(await registry.get('store', id)).toEqual({ storeId: id, ...other });
        expect(await registry.get('store', randomUUID())).toBeNull();
        expect(await registry.get('campaign', id)).toBeNull();
      });

      test('retiring is for ever and can be said again', async () => {
        const id = randomUUID();
        expect(await registry.retire('content', id)).toBe(false);
        await registry.put('content', id, { durationMs: 15_001, name: null });
        expect(await registry.get('content', id)).toEqual({ contentId: id, durationMs: 15_001, name: null });
        expect(await registry.retire('content', id)).toBe(true);
        expect(await registry.retire('content', id)).toBe(true);
        expect(await registry.get('content', id)).toBeNull();
        await expect(registry.put('content', id, { durationMs: 1, name: null })).rejects.toMatchObject({ code: 'id_retired' });
      });

      test('lists are in the order of ids, page by page, without what was retired', async () => {
        const ids: string[] = Array.from({ length: 7 }, () => randomUUID()).sort();
        for (const id of ids.toReversed()) await registry.put('campaign', id, { advertiserId: STORE.supplierId, name: null });
        await registry.retire('campaign', ids[3] as string);
        const seen: string[] = [];
        for (let after: string | null = null; ; ) {
          const page = await registry.list('campaign', after, 2);
          seen.push(...page.map(({ campaignId }) => campaignId));
          if (page.length < 2) break;
          after = seen.at(-1) as string;
        }
        expect(seen.filter((id) => ids.includes(id))).toEqual(ids.filter((id) => id !== ids[3]));
        expect(seen).toEqual(seen.toSorted());
      });

      test('judges see a retired campaign with its end, and a retired content not at all', async () => {
        const campaignId = randomUUID();
        const contentId = randomUUID();
        const prepare = () => view.prepare({ devices: new Set(), campaigns: new Set([campaignId]), contents: new Set([contentId]) }, 0);
        await prepare();
        expect(view.facts.campaign(campaignId)).toBeNull();
        expect(view.facts.content(contentId)).toBeNull();
        await registry.put('campaign', campaignId, { advertiserId: STORE.supplierId, name: 'x' });
        await registry.put('content', contentId, { durationMs: 2_400, name: 'x' });
        await prepare();
        expect(view.facts.campaign(campaignId)).toEqual({ campaignId, advertiserId: STORE.supplierId, retiredAt: null });
        expect(view.facts.content(contentId)).toEqual({ contentId, durationMs: 2_400 });
        await registry.retire('campaign', campaignId);
        await registry.retire('content', contentId);
        await prepare();
        expect(view.facts.campaign(campaignId)?.retiredAt).toBe(NOW);
        expect(view.facts.content(contentId)).toBeNull();
      });
    });

    describe('devices', () => {
      test('the first assignment has no beginning, whatever is said; later ones keep the history', async () => {
        const [first, second] = [await aStore(), await aStore()];
        const deviceId = randomUUID();
        const { created } = await registry.put('device', deviceId, { storeId: first, active: true, since: NOW + 5 });
        expect(created).toBe(true);
        await registry.put('device', deviceId, { storeId: second, active: true, since: NOW - 1_000 });
        const { entry } = await registry.put('device', deviceId, { storeId: second, active: false, since: null });
        const assignments = [
          { storeId: first, active: true, since: null },
          { storeId: second, active: true, since: NOW - 1_000 },
          { storeId: second, active: false, since: NOW },
        ];
        expect(entry).toEqual({ deviceId, assignments, keys: [] });
        expect(
          (await deviceFacts(view, deviceId))?.assignments.map(({ store, active, since }) => ({ storeId: store.storeId, active, since })),
        ).toEqual(assignments);
      });

      test('two changes in one millisecond are both kept, in order', async () => {
        const { deviceId, storeId } = await aDevice();
        for (const active of [false, true, false]) await registry.put('device', deviceId, { storeId, active, since: null });
        expect((await registry.get('device', deviceId))?.assignments.map(({ since }) => since)).toEqual([null, NOW, NOW + 1, NOW + 2]);
      });

      test('saying again what holds changes nothing', async () => {
        const { deviceId, storeId } = await aDevice();
        await registry.put('device', deviceId, { storeId, active: false, since: NOW + 10 });
        for (const since of [null, NOW + 10, NOW + 20]) await registry.put('device', deviceId, { storeId, active: false, since });
        expect((await registry.get('device', deviceId))?.assignments).toHaveLength(2);
      });

      test('history is not rewritten', async () => {
        const { deviceId, storeId } = await aDevice();
        await registry.put('device', deviceId, { storeId, active: false, since: NOW + 10_000 });
        for (const [active, since] of [
          [true, NOW + 10_000],
          [true, NOW],
          [true, null],
          [false, NOW + 9_999],
        ] as const) {
          await expect(registry.put('device', deviceId, { storeId, active, since })).rejects.toMatchObject({
            code: 'invalid_field',
            extra: { fields: ['/since'] },
          });
        }
      });

      test('the store must be registered, and not retired', async () => {
        const deviceId = randomUUID();
        const storeId = await aStore();
        await registry.retire('store', storeId);
        for (const wrong of [storeId, randomUUID()]) {
          await expect(registry.put('device', deviceId, { storeId: wrong, active: true, since: null })).rejects.toMatchObject({
            code: 'unknown_store',
          });
        }
        expect(await registry.get('device', deviceId)).toBeNull();
      });

      test('a change of the store is seen with its devices at once', async () => {
        const { deviceId, storeId } = await aDevice();
        expect((await deviceFacts(view, deviceId))?.assignments[0]?.store.supplierId).toBe(STORE.supplierId);
        const supplierId = randomUUID();
        await registry.put('store', storeId, { ...STORE, supplierId });
        expect((await deviceFacts(view, deviceId))?.assignments[0]?.store.supplierId).toBe(supplierId);
      });
    });

    describe('keys', () => {
      test('are added, once', async () => {
        const { deviceId } = await aDevice();
        const key = keyOf('k1', { validFrom: NOW, validUntil: NOW + 10 });
        const entry = { ...key, compromisedAt: null };
        expect(await registry.addKey(deviceId, key)).toEqual({ created: true, entry });
        expect(await registry.addKey(deviceId, key)).toEqual({ created: false, entry });
        expect(await registry.addKey(deviceId, { ...key, publicKey: PEM.replaceAll('\n', '\r\n') })).toEqual({ created: false, entry });
        for (const other of [{ validFrom: null }, { validUntil: NOW + 11 }, { algorithm: 'PS256' as const }, { publicKey: `${PEM}x` }]) {
          await expect(registry.addKey(deviceId, { ...key, ...other })).rejects.toMatchObject({ code: 'key_conflict' });
        }
        expect((await registry.get('device', deviceId))?.keys).toEqual([entry]);
      });

      test('belong to a registered device that is not retired', async () => {
        await expect(registry.addKey(randomUUID(), keyOf('k1'))).rejects.toMatchObject({ code: 'not_found' });
        const { deviceId } = await aDevice();
        await registry.retire('device', deviceId);
        await expect(registry.addKey(deviceId, keyOf('k1'))).rejects.toMatchObject({ code: 'id_retired' });
      });

      test('reach the judges newest first', async () => {
        const { deviceId } = await aDevice();
        for (const [keyId, validFrom] of [
          ['a', NOW],
          ['b', null],
          ['c', NOW + 5],
          ['d', NOW],
        ] as const) {
          await registry.addKey(deviceId, keyOf(keyId, { validFrom }));
        }
        expect((await deviceFacts(view, deviceId))?.keys.map(({ keyId }) => keyId)).toEqual(['c', 'd', 'a', 'b']);
      });

      test('a revocation shortens and never lengthens; the key can still be said again as it was registered', async () => {
        const { deviceId } = await aDevice();
        const key = keyOf('k1', { validFrom: NOW - 100, validUntil: NOW + 100 });
        await registry.addKey(deviceId, key);
        await expect(registry.revokeKey(deviceId, 'k1', { at: NOW + 101, compromised: false })).rejects.toMatchObject({
          code: 'invalid_field',
          extra: { fields: ['/at'] },
        });
        expect((await registry.revokeKey(deviceId, 'k1', { at: NOW + 50, compromised: false })).validUntil).toBe(NOW + 50);
        expect((await registry.revokeKey(deviceId, 'k1', { at: null, compromised: false })).validUntil).toBe(NOW);
        harness.setNow(NOW + 20);
        expect((await registry.revokeKey(deviceId, 'k1', { at: null, compromised: false })).validUntil).toBe(NOW);
        harness.setNow(NOW);
        expect((await registry.addKey(deviceId, key)).entry.validUntil).toBe(NOW);
        expect((await registry.addKey(deviceId, { ...key, validUntil: NOW })).created).toBe(false);
        expect(await registry.revokeKey(deviceId, 'k1', { at: NOW - 500, compromised: false })).toEqual({
          ...key,
          validUntil: NOW - 100,
          compromisedAt: null,
        });
        expect((await deviceFacts(view, deviceId))?.keys[0]?.validUntil).toBe(NOW - 100);
      });

      test('a compromise is remembered from its earliest instant on, for retired devices too', async () => {
        const { deviceId } = await aDevice();
        await registry.addKey(deviceId, keyOf('k1', { validUntil: NOW - 10 }));
        await registry.retire('device', deviceId);
        const revoke = (at: number | null, compromised: boolean) => registry.revokeKey(deviceId, 'k1', { at, compromised });
        expect(await revoke(null, true)).toMatchObject({ validUntil: NOW - 10, compromisedAt: NOW });
        expect(await revoke(NOW - 20, true)).toMatchObject({ validUntil: NOW - 20, compromisedAt: NOW - 20 });
        expect(await revoke(NOW, true)).toMatchObject({ validUntil: NOW - 20, compromisedAt: NOW - 20 });
        expect(await revoke(NOW - 30, false)).toMatchObject({ validUntil: NOW - 30, compromisedAt: NOW - 20 });
        expect((await deviceFacts(view, deviceId))?.keys[0]).toMatchObject({ validUntil: NOW - 30, compromisedAt: NOW - 20 });
      });

      test('what is not there cannot be revoked', async () => {
        const { deviceId } = await aDevice();
        for (const id of [deviceId, randomUUID()]) {
          await expect(registry.revokeKey(id, 'k1', { at: null, compromised: true })).rejects.toMatchObject({ code: 'not_found' });
        }
      });

      test('are bounded for each device', async () => {
        const { deviceId } = await aDevice();
        for (let n = 0; n < MAX_KEYS_PER_DEVICE; n += 1) await registry.addKey(deviceId, keyOf(`k${n}`));
        await expect(registry.addKey(deviceId, keyOf('one-more'))).rejects.toMatchObject({ code: 'invalid_field' });
        expect((await registry.addKey(deviceId, keyOf('k7'))).created).toBe(false);
      });
    });
  });
}
