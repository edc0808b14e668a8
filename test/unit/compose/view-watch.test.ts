import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ViewWatch } from '../../../src/compose/view-watch.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('a view that grows old is said once, when nothing is judged by it any more once more, and then that it is up to date', () => {
  const said: string[] = [];
  let age: number | null = 100;
  const watch = new ViewWatch(
    () => age,
    60_000,
    (level, message) => said.push(`${level} ${message}`),
  );
  const after = (next: number | null): string[] => {
    age = next;
    vi.advanceTimersByTime(3_000);
    return said.splice(0);
  };
  expect(after(4_000)).toEqual([]);
  expect(after(6_000)).toEqual([
    'warn MongoDB does not answer: logs are judged by a view of the registry that grows old, until it is 60 s old',
  ]);
  expect(after(59_000)).toEqual([]);
  expect(after(61_000)).toEqual([
    'warn the view of the registry is more than 60 s old: no log is judged until MongoDB answers, devices hear 503 and send again',
  ]);
  expect(after(200)).toEqual(['info the view of the registry is up to date again']);
  watch.close();
  expect(after(70_000)).toEqual([]);
});

it('a registry that was never read is said too', () => {
  const said: string[] = [];
  const watch = new ViewWatch(
    () => null,
    5_000,
    (_level, message) => said.push(message),
  );
  vi.advanceTimersByTime(8_000);
  expect(said).toEqual(['the registry was not read yet: no log is judged until MongoDB answers, devices hear 503 and send again']);
  watch.close();
});
