import { afterEach, expect, test, vi } from 'vitest';
import { onStopSignal } from '../../../src/cli/signals.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

function withClock(): { stop: ReturnType<typeof vi.fn>; force: ReturnType<typeof vi.fn>; at: (ms: number) => void; forget: () => void } {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const stop = vi.fn<() => void>();
  const force = vi.fn<() => void>();
  const forget = onStopSignal(stop, force);
  return {
    stop,
    force,
    forget,
    at: (ms) => {
      now = ms;
    },
  };
}

test('one Ctrl-C that arrives several times is one wish', () => {
  const { stop, force, at, forget } = withClock();
  process.emit('SIGINT');
  at(3);
  process.emit('SIGINT');
  at(900);
  process.emit('SIGTERM');
  forget();
  expect(stop).toHaveBeenCalledTimes(1);
  expect(force).not.toHaveBeenCalled();
});

test('a signal after a moment means now', () => {
  const { stop, force, at, forget } = withClock();
  process.emit('SIGTERM');
  at(1_001);
  process.emit('SIGINT');
  forget();
  expect(stop).toHaveBeenCalledTimes(1);
  expect(force).toHaveBeenCalledTimes(1);
});

test('nothing is left behind', () => {
  const before = process.listenerCount('SIGINT');
  const { forget } = withClock();
  expect(process.listenerCount('SIGINT')).toBe(before + 1);
  forget();
  expect(process.listenerCount('SIGINT')).toBe(before);
});
