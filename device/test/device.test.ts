import { generateKeyPairSync } from 'node:crypto';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Device, type DeviceOptions, openDevice, type PlayInput } from '../src/index.ts';
import { acceptAll, type FakeService, startFakeService } from './support/fake-service.ts';
import { temporaryDirectory } from './support/temporary.ts';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const play: PlayInput = {
  campaignId: 'bafe9bd1-20c5-4152-9127-c47089bf36a2',
  contentId: '98daa4bf-7559-4f89-b3fb-95ee22432045',
  startedAt: Date.parse('2026-11-20T03:00:00Z'),
  endedAt: Date.parse('2026-11-20T03:00:15Z'),
  durationActual: 15,
  durationExpected: 15,
  status: 'COMPLETED',
};

let service: FakeService;
let queueDir: string;

beforeAll(async () => {
  service = await startFakeService();
});
afterAll(() => service.close());
beforeEach(async () => {
  service.requests.length = 0;
  service.answer = acceptAll;
  queueDir = path.join(await temporaryDirectory(), 'not', 'there', 'yet');
});

function open(options: Partial<DeviceOptions> = {}): Promise<Device> {
  return openDevice({
    deviceId: '2330fcf1-562a-44b8-8866-8d77e827062c',
    keyId: 'k1',
    privateKey,
    algorithm: 'PS256',
    baseUrl: `${service.baseUrl}/`,
    queueDir,
    backoff: { minMs: 1, maxMs: 5 },
    ...options,
  });
}

describe('a device', () => {
  it('delivers what it recorded and says so', async () => {
    const device = await open();
    const logs = await Promise.all(Array.from({ length: 5 }, () => device.recordPlay(play)));
    expect(await device.flush(10_000)).toBe(true);
    expect(service.requests.flatMap(({ logIds }) => logIds).toSorted()).toEqual(logs.map(({ logId }) => logId).toSorted());
    expect(device.stats()).toMatchObject({ recorded: 5, accepted: 5, queued: 0, maxQueueBytes: 1024 ** 3 });
    await device.close();
  });

  it('keeps plays while the network is away, over a restart, and sends them in one go', async () => {
    const away = await open({ baseUrl: 'http://127.0.0.1:1' });
    const logs = await Promise.all(Array.from({ length: 20 }, () => away.recordPlay(play)));
    expect(await away.flush(100)).toBe(false);
    expect(away.stats()).toMatchObject({ queued: 20, accepted: 0 });
    expect(away.stats().trouble).toContain('ECONNREFUSED');
    await away.close();
    const back = await open();
    expect(await back.flush(10_000)).toBe(true);
    await back.close();
    expect(service.requests.map(({ logIds }) => logIds)).toEqual([logs.map(({ logId }) => logId)]);
  });

  it('closes in time while a request hangs, and loses nothing', async () => {
    const asked = Promise.withResolvers<void>();
    const device = await open({
      transport: {
        post: ({ signal }) =>
          new Promise((_, reject) => {
            asked.resolve();
            signal.addEventListener('abort', () => reject(new Error('broken off')));
          }),
        close: () => {},
      },
    });
    await device.recordPlay(play);
    await asked.promise;
    await device.close(10);
    const again = await open();
    expect(again.stats().queued + again.stats().accepted).toBe(1);
    expect(await again.flush(10_000)).toBe(true);
    await again.close();
  });

  it('refuses plays when the queue is full or closed, with a reason', async () => {
    const device = await open({ maxQueueBytes: 2000, baseUrl: 'http://127.0.0.1:1' });
    await device.recordPlay(play);
    await expect(Promise.all([device.recordPlay(play), device.recordPlay(play)])).rejects.toMatchObject({ code: 'queue_full' });
    await device.close();
    await expect(device.recordPlay(play)).rejects.toMatchObject({ code: 'closed' });
  });

  it.each([
    [{ baseUrl: 'plays.example.com' }, /baseUrl/],
    [{ baseUrl: 'https://plays.example.com/?a=b' }, /baseUrl/],
    [{ keyId: '' }, /keyId/],
    [{ deviceId: 'screen 1' }, /deviceId/],
    [{ privateKey: 'secret' }, /privateKey/],
  ])('refuses options that cannot work: %j', async (options, message) => {
    await expect(open(options)).rejects.toThrow(message);
  });
});
