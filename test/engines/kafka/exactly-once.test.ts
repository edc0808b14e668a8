/** I1 on Kafka: settlers are killed and stopped while they publish, and Java's consumer counts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { smoke } from '../../fault/stage.ts';
import { playOf } from '../../support/feed-file.ts';
import { playBytes } from '../../support/plays.ts';
import { startKafka } from '../support/engines.ts';
import { Settler, untilSettled } from './settler.ts';
import { forgetGroup, freshPlace, loseTopic, type Place, type Published, put, setGroupOffset, witnessFeed } from './support.ts';

/** Some 10 s each. A fence that holds now and then is none. */
const FENCING_RUNS = smoke ? 5 : 20;
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);

let kafka: Awaited<ReturnType<typeof startKafka>>;
const settlers: Settler[] = [];
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1, config: { 'group.min.session.timeout.ms': '1000' } });
});
afterAll(async () => {
  for (const settler of settlers) await settler.kill();
  await kafka.dispose();
});

function start(place: Place, instance: string, over: { pauseMs?: number; sessionTimeoutMs?: number } = {}): Settler {
  const settler = new Settler(place, { instance, ...over });
  settlers.push(settler);
  return settler;
}

/** Plays `from` to `to`, spread over the partitions; returns what the feed has to hold, `log_id hash`. */
async function fill(place: Place, partitions: number, from: number, to: number): Promise<string[]> {
  const plays = Array.from({ length: to - from }, (_, i) => playOf(from + i));
  for (let partition = 0; partition < partitions; partition += 1) {
    const own = plays.filter((_, i) => i % partitions === partition);
    await put(
      place,
      place.topics.journal,
      partition,
      own.map((play) => ({ value: playBytes(play), key: play.deviceId })),
    );
  }
  return plays.map(({ logId, contentHash }) => `${logId} ${contentHash}`);
}

/** Each once, none missing, none besides: as multisets. */
async function expectOnce(place: Place, expected: readonly string[]): Promise<void> {
  const published: readonly Published[] = await witnessFeed(place, expected.length);
  expect(published.map(({ logId, hash }) => `${logId} ${hash}`).sort()).toEqual([...expected].sort());
  expect(new Set(published.map(({ position }) => position)).size).toBe(expected.length);
}

/** A small generator, so that a failure can be had again with its seed. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

describe('exactly once on Kafka', () => {
  it(`I1: two settlers that are killed at random, and a broker killed in between, publish every log once (seed ${SEED})`, async () => {
    const place = await freshPlace(kafka.bootstrap, 4);
    const expected = await fill(place, 4, 0, 12_000);
    const next = random(SEED);
    const running = new Map<string, Settler>();
    let kills = 0;
    let brokerKilled = false;
    const disturb = async (): Promise<void> => {
      for (const name of ['a', 'b']) {
        const settler = running.get(name);
        if (!settler?.alive) running.set(name, start(place, name, { pauseMs: 150 }));
        else if (next() < 0.25 && settler.said.some(({ type }) => type === 'claimed') && kills < 12) {
          kills += 1;
          await settler.kill();
        }
      }
      if (kills >= 3 && !brokerKilled) {
        brokerKilled = true;
        await kafka.kill();
        await kafka.restart();
      }
    };
    await untilSettled(place, expected.length, disturb);
    for (const settler of running.values()) await settler.kill();
    expect(kills).toBeGreaterThan(2);
    await expectOnce(place, expected);
  }, 240_000);

  it.each(Array.from({ length: FENCING_RUNS }, (_, run) => run))(
    'I1: a settler stopped between claiming and publishing, and resumed after another took over, publishes nothing (run %i)',
    async (run) => {
      const place = await freshPlace(kafka.bootstrap, 2);
      const expected = await fill(place, 2, 0, 600);
      // By turns: one of the same name, as a restart elsewhere makes it; and one of another, after the session ran out.
      const sameName = run % 2 === 0;
      const zombie = start(place, 'first', { pauseMs: 600 });
      await zombie.until((said) => said.filter(({ type }) => type === 'claimed').length === 2);
      zombie.signal('SIGSTOP');
      const heir = start(place, sameName ? 'first' : 'second');
      await untilSettled(place, expected.length);
      zombie.signal('SIGCONT');
      if (sameName) {
        expect(await zombie.ended()).toBe(3);
        expect(zombie.said.find(({ type }) => type === 'failure')).toMatchObject({ name: 'Fenced' });
      } else {
        // It may be fenced as well, or drop its batch and go on as a member of the group.
        await Promise.race([zombie.ended(), zombie.until((said) => said.at(-1)?.type === 'settled' && said.length > 4)]);
      }
      const more = await fill(place, 2, 600, 800);
      await untilSettled(place, expected.length + more.length);
      await zombie.kill();
      await heir.kill();
      await expectOnce(place, [...expected, ...more]);
    },
  );

  it.each([
    ['the positions topic', false],
    ['the feed alone', true],
  ])(
    'I1: group offsets deleted while nothing runs, found again from %s: nothing is billed twice, nothing skipped',
    async (_from, copiesLost) => {
      const place = await freshPlace(kafka.bootstrap, 3);
      const first = await fill(place, 3, 0, 500);
      const before = start(place, 'one');
      await untilSettled(place, first.length);
      await before.kill();
      const second = await fill(place, 3, 500, 900);
      await forgetGroup(place);
      if (copiesLost) await loseTopic(place, 'positions');
      const after = start(place, 'one');
      await untilSettled(place, first.length + second.length);
      await after.kill();
      await expectOnce(place, [...first, ...second]);
    },
  );

  it.each([
    ['as brokers do that lost the end of their own topic', true],
    ['by hand', false],
  ])('I1: group offsets that went back while nothing runs, %s: nothing is billed twice, and it is said', async (_how, named) => {
    const place = await freshPlace(kafka.bootstrap, 3);
    const first = await fill(place, 3, 0, 500);
    const before = start(place, 'one');
    await untilSettled(place, first.length);
    await before.kill();
    const second = await fill(place, 3, 500, 900);
    await setGroupOffset(place, 0, 20, named);
    await setGroupOffset(place, 2, 0, named);
    const after = start(place, 'one');
    await untilSettled(place, first.length + second.length);
    await after.kill();
    await expectOnce(place, [...first, ...second]);
    const warnings = after.said.filter((said) => said.type === 'failure' && said.message.includes('went back to'));
    expect(warnings).toHaveLength(2);
  });
});
