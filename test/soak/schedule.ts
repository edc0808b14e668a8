/** Which fault comes when: a seed decides it all, whatever happens meanwhile. */
import { randomFrom } from '../support/log-source.ts';

/** Random numbers of one fault, so that what one draws moves no other. */
export class Dice {
  readonly random: () => number;

  constructor(seed: number) {
    this.random = randomFrom(seed);
  }

  /** A whole number from 0 to n − 1. */
  below(n: number): number {
    return Math.floor(this.random() * n);
  }

  /** A number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.random() * (most - least);
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  /** @throws Error when there is nothing to choose from. */
  oneOf<T>(list: readonly T[]): T {
    const one = list[this.below(list.length)];
    if (one === undefined) throw new Error('there is nothing to choose from');
    return one;
  }
}

export interface Planned {
  /** Counted from 1. */
  readonly number: number;
  readonly name: string;
  /** How long the installation is left alone before it, milliseconds. */
  readonly gapMs: number;
  readonly dice: Dice;
}

const MIN_GAP_MS = 300;
const MAX_GAP_MS = 4_000;

/**
 * Without an end. Names are drawn as from a bag that holds each once, or as often as it is given: each comes in every round, in another
 * order.
 */
export function* schedule(seed: number, names: readonly string[]): Generator<Planned> {
  if (names.length === 0) throw new Error('a schedule needs at least one fault');
  const dice = new Dice(seed);
  let bag: string[] = [];
  for (let number = 1; ; number += 1) {
    if (bag.length === 0) bag = [...names].sort();
    const [name] = bag.splice(dice.below(bag.length), 1);
    yield {
      number,
      name: name as string,
      gapMs: Math.round(dice.between(MIN_GAP_MS, MAX_GAP_MS)),
      dice: new Dice(Math.floor(dice.random() * 0x7fff_ffff)),
    };
  }
}
