import { expect, it } from 'vitest';
import { tellFigure } from '../figures.ts';

let attempts = 0;

it('passes', () => tellFigure('once'));

it('passes the second time', () => {
  attempts += 1;
  tellFigure(`attempt ${attempts}`);
  expect(attempts).toBe(2);
});

it.skip('is skipped', () => {});
