/** A soak that failed is run again from its seed: the same seed must give the same schedule and the same logs. */
import { expect, test } from 'vitest';
import { seeded } from '../../../bench/load/random.ts';
import { LogSource } from '../../support/log-source.ts';
import { makeWorld } from '../../support/registry.ts';
import { makeKey } from '../../support/signing.ts';
import { readOptions } from '../../soak/options.ts';
import { type Planned, schedule } from '../../soak/schedule.ts';

const NAMES = ['kill', 'stop', 'fill', 'jump', 'storm'];

function first(count: number, seed: number, names: readonly string[] = NAMES): Planned[] {
  return schedule(seed, names).take(count).toArray();
}

/** Also what the dice of each fault would say. */
function texts(planned: readonly Planned[]): string[] {
  return planned.map(({ number, name, gapMs, dice }) => `${number} ${name} ${gapMs} ${dice.random()} ${dice.below(1_000)}`);
}

test('the same seed gives the same faults in the same order and strength, another seed others', () => {
  expect(texts(first(50, 7))).toEqual(texts(first(50, 7)));
  expect(texts(first(50, 7))).toEqual(texts(first(50, 7, NAMES.toReversed())));
  expect(texts(first(50, 8))).not.toEqual(texts(first(50, 7)));
});

test('what one fault draws moves no other', () => {
  const drawn = schedule(7, NAMES)
    .take(20)
    .map((planned) => {
      for (let i = 0; i < planned.number; i += 1) planned.dice.random();
      return planned.name;
    });
  expect([...drawn]).toEqual(first(20, 7).map(({ name }) => name));
});

test('each fault comes once in every round', () => {
  const names = first(NAMES.length * 4, 3).map(({ name }) => name);
  for (let round = 0; round < 4; round += 1) {
    expect(names.slice(round * NAMES.length, (round + 1) * NAMES.length).sort()).toEqual([...NAMES].sort());
  }
});

test('the same seed gives the same logs but for the clock', () => {
  const world = makeWorld(1);
  const kinds = (seed: number): unknown[] => {
    const source = new LogSource(world, seeded(seed));
    return Array.from({ length: 60 }, () =>
      source.next().map(({ body, provable }) => [(JSON.parse(body) as { status: string }).status, provable]),
    );
  };
  expect(kinds(5)).toEqual(kinds(5));
  expect(kinds(6)).not.toEqual(kinds(5));
});

test('the same seed gives the same screens, and so the same partitions; another seed others', () => {
  const key = makeKey('k1');
  const screens = (seed: number): string[] => makeWorld(3, { seed, key: () => key }).devices.map(({ deviceId }) => deviceId);
  expect(screens(5)).toEqual(screens(5));
  expect(screens(6)).not.toEqual(screens(5));
});

test('wrong arguments are told', () => {
  for (const [args, sentence] of [
    [[], /--minutes says how long/],
    [['--minutes', '0'], /--minutes is 0; it must be a number above 0/],
    [['--minutes', '1', '--profile', 'edge'], /--profile is edge; it must be embedded or cluster/],
    [['--minutes', '1', '--rate', 'fast'], /--rate is fast/],
    [['--minutes', '1', '--speed', '3'], /--speed/],
  ] as const) {
    expect(() => readOptions(args)).toThrow(sentence);
  }
  expect(readOptions(['--minutes', '2.5', '--seed', '9'])).toEqual({
    minutes: 2.5,
    profile: 'embedded',
    seed: 9,
    rate: 500,
    only: [],
    json: null,
  });
});
