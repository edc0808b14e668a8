import { expect, test } from 'vitest';
import { randomKills } from './random-kills.ts';

/** `npm run crash -- --cycles 200` runs the same for longer. */
const CYCLES = 8;

test('I1: killed at random times under load, nothing acknowledged is lost or counted twice', { timeout: 180_000 }, async () => {
  const seed = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}; CRASH_SEED=${seed} sends the same again`);
  const result = await randomKills({ cycles: CYCLES, seed, tell: console.log });
  expect(result.differences).toEqual([]);
  expect(result.kills).toBeGreaterThanOrEqual(CYCLES);
  expect(result.summary['acknowledged']).toBeGreaterThan(100);
});
