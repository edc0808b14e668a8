/** A setup file for suites that try a failed test again: marks where the next attempt begins among the lines that it prints. */
import { beforeEach } from 'vitest';
import { AGAIN } from './figures.ts';

beforeEach(({ task }) => {
  if ((task.result?.retryCount ?? 0) > 0) console.log(AGAIN);
});
