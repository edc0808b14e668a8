import { expect, test } from 'vitest';
import { randomKills } from './random-kills.ts';

/** `npm run crash:cluster -- --kills 50` does the same for longer. */
const KILLS = 5;

test('I1, I3: any process or the broker killed or stopped at random, nothing acknowledged is lost or counted twice', {
  timeout: 400_000,
}, async () => {
  const seed = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}; CRASH_SEED=${seed} does the same again`);
  const result = await randomKills({ kills: KILLS, seed, tell: console.log });
  expect(result.differences).toEqual([]);
  expect(Object.values(result.done).reduce((sum, n) => sum + n, 0)).toBe(KILLS);
  expect(result.summary['acknowledged']).toBeGreaterThan(100);
});
