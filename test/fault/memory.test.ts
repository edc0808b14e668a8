/** I1, I4: too little memory for what is sent. It sheds, or ends and says why; whatever was acknowledged is there afterwards, once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { tellFigure } from '../support/figures.ts';
import { Load } from '../support/load.ts';
import { differences } from '../support/oracle.ts';
import { importWorld, makeWorld } from '../support/registry.ts';
import { endForWantOfMemory } from '../support/out-of-memory.ts';
import { announceSeed, scaled, Stage } from './stage.ts';

const seed = announceSeed();
const SENDERS = 24;
const LASTS_MS = 12_000;

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

afterEach(() => stage.close());

test.each(scaled([24, 40], (heap) => heap === 40))(
  'a heap of %i MiB under many large batches: sheds or ends, and nothing acknowledged is lost',
  async (heap) => {
    const world = makeWorld(2, { seed });
    const prepared = await stage.start();
    await importWorld(prepared, world);
    await prepared.stop();

    const small = stage.spawn({ env: { NODE_OPTIONS: `--max-old-space-size=${heap} --max-semi-space-size=1` } });
    const load = new Load(world, seed);
    const ready = await small.ready().then(
      () => true,
      () => false,
    );
    if (ready) {
      const { url } = small;
      const until = performance.now() + LASTS_MS;
      const senders = Array.from({ length: SENDERS }, async () => {
        while (performance.now() < until && !small.ended) {
          await load.sendGood(url, 100);
          // Repeats weigh as much, and cost us no signature.
          for (let i = 0; i < 20 && !small.ended; i += 1) await load.resend(url, 100);
        }
      });
      await Promise.all(senders);
    }
    await sleep(0);
    tellFigure(endForWantOfMemory(small) ?? 'shed, or had enough');
    await small.kill();

    const healthy = await stage.start();
    await load.sendGood(healthy.url, 10);
    await load.drain(healthy.url);
    expect(await differences(healthy, load.ledger)).toEqual([]);
    expect(load.ledger.summary()['acknowledged']).toBeGreaterThanOrEqual(10);
  },
);
