import { expect, test } from 'vitest';
import { Milestones } from '../../../src/analytics/milestones.ts';

const one = (offset: number) => new Map([[0, offset]]);

/** One partition of journal and feed each; a test moves what it likes. */
function stage() {
  const at = { journalEnd: 0, settled: 0, feedEnd: 0, loaded: 0 };
  const reached: number[] = [];
  const milestones = new Milestones(
    {
      journalEnds: async () => one(at.journalEnd),
      settled: async () => one(at.settled),
      feedEnds: async () => one(at.feedEnd),
      loaded: () => one(at.loaded),
    },
    (instant) => reached.push(instant),
  );
  return { at, reached, milestones };
}

test('an instant is reached once what was in the journal then is settled, and what that published is loaded', async () => {
  const { at, reached, milestones } = stage();
  at.journalEnd = 5;
  await milestones.add(1_000);
  await milestones.look();
  expect(reached).toEqual([]);
  Object.assign(at, { settled: 5, feedEnd: 4, loaded: 3 });
  await milestones.look();
  expect(reached).toEqual([]);
  at.loaded = 4;
  await milestones.look();
  expect(reached).toEqual([1_000]);
  expect(milestones.reachedInstant).toBe(1_000);
});

test('where settling is far behind, those that wait are reached in the end, however many came after them', async () => {
  const { at, reached, milestones } = stage();
  for (let instant = 1; instant <= 1_000; instant += 1) {
    at.journalEnd = instant;
    await milestones.add(instant);
  }
  at.settled = 10;
  await milestones.look();
  await milestones.look();
  expect(milestones.reachedInstant).toBe(10);
  at.settled = 1_000;
  await milestones.look();
  await milestones.add(1_001);
  await milestones.look();
  expect(reached.at(-1)).toBe(1_001);
});

test('brokers that are silent are asked one question at a time, and the next one when that has ended, however it did', async () => {
  const asked: PromiseWithResolvers<ReadonlyMap<number, number>>[] = [];
  const journalEnds = () => {
    const answer = Promise.withResolvers<ReadonlyMap<number, number>>();
    asked.push(answer);
    return answer.promise;
  };
  const reached: number[] = [];
  const sources = { journalEnds, settled: async () => one(3), feedEnds: async () => one(3), loaded: () => one(3) };
  const milestones = new Milestones(sources, (instant) => reached.push(instant));
  const first = milestones.add(1_000);
  for (let instant = 1_001; instant < 1_100; instant += 1) await milestones.add(instant);
  expect(asked).toHaveLength(1);
  asked[0]?.reject(new Error('nobody answers'));
  await expect(first).rejects.toThrow('nobody answers');
  const second = milestones.add(1_100);
  asked[1]?.resolve(one(3));
  await second;
  await milestones.look();
  expect(reached).toEqual([1_100]);
});
