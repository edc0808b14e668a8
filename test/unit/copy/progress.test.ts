import { expect, it } from 'vitest';
import { Progress } from '../../../src/copy/progress.ts';

it('tells how much is done, how fast this run is, and how long the rest takes', () => {
  const written: string[] = [];
  let now = 0;
  const progress = new Progress({ write: (text) => written.push(text) }, () => now);
  progress.tell();
  progress.begin('plays', 1_000, 400);
  now = 2_000;
  progress.at(500);
  progress.tell();
  now = 4_000;
  progress.tell();
  progress.end();
  expect(written).toEqual(['copy: plays 500 of 1000 (50 %), 50/s, 10 s left\n', 'copy: plays 500 of 1000 (50 %), 25/s, 20 s left\n']);
});
