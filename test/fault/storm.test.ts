/** I1, I2, I3: one log sent ten thousand times, alone, in batches, from many connections and around a kill, is one row everywhere. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Load, randomFrom } from '../support/load.ts';
import { differences, readFeed } from '../support/oracle.ts';
import { idsFrom, importWorld, makeWorld, play } from '../support/registry.ts';
import { waitUntil } from '../support/wait-until.ts';
import { announceSeed, Stage } from './stage.ts';

const seed = announceSeed();
const SENDS = 10_000;
const CONNECTIONS = 8;

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

afterEach(() => stage.close());

test('one log ten thousand times, with a kill in the middle: one row everywhere', async () => {
  const random = randomFrom(seed);
  const world = makeWorld(2, { seed });
  let service = await stage.start();
  await importWorld(service, world);
  const load = new Load(world, seed);
  const log = play(world, {}, { log_id: idsFrom(seed + 1)() });
  let left = SENDS;
  let url: string | null = service.url;
  const sending = Array.from({ length: CONNECTIONS }, async () => {
    while (left > 0) {
      const count = Math.min(left, random() < 0.8 ? 1 : 1 + Math.floor(random() * 100));
      left -= count;
      await waitUntil(() => url !== null);
      await load.send(
        url ?? '',
        Array.from({ length: count }, () => log),
      );
    }
  });
  await waitUntil(() => left <= SENDS / 2);
  await service.kill();
  url = null;
  service = await stage.start();
  url = service.url;
  await Promise.all(sending);
  await load.drain(url);
  expect(await differences(service, load.ledger)).toEqual([]);
  expect((await readFeed(service)).copies.map(({ logId, hash }) => [logId, hash])).toEqual([[log.logId, log.hash]]);
  const [entry] = load.ledger.entries();
  expect(entry?.sent).toBeGreaterThanOrEqual(SENDS);
  // "accepted" is heard by those that were in flight together before the kill, and perhaps by one that came back after it.
  expect([...(entry?.heard.keys() ?? [])].filter((outcome) => outcome !== 'accepted' && outcome !== 'duplicate')).toEqual([]);
});

test('other contents and other screens under one log_id, all at once: one stands, each other is a conflict in quarantine', async () => {
  const world = makeWorld(3, { seed });
  let service = await stage.start();
  await importWorld(service, world);
  const load = new Load(world, seed);
  const first = play(world, {}, { log_id: idsFrom(seed + 1)() });
  const rivals = Array.from({ length: 30 }, (_, i) =>
    play(world, { device: i % 3 }, { log_id: first.logId, status: 'PARTIAL', duration_actual: (1_000 + i) / 1_000 }),
  );
  const all = [first, ...rivals];
  for (let round = 0; round < 2; round += 1) {
    const { url } = service;
    await Promise.all(all.flatMap((log) => [load.send(url, [log]), load.send(url, all.toReversed()), load.send(url, [log, first])]));
    await load.drain(url);
    await service.kill();
    service = await stage.start();
  }
  // After the kill the memory of what was seen is gone, so any of them may be acknowledged again; settling knows.
  await load.send(service.url, all);
  await load.drain(service.url);
  expect(await differences(service, load.ledger)).toEqual([]);
  expect((await readFeed(service)).copies).toHaveLength(1);
});
