import { defineConfig } from 'vitest/config';
import { FiguresReporter } from './scripts/reliability/figures-reporter.ts';

/**
 * Where a double, a lost log or a settler that was not fenced would show: it shows once in many runs, so that run counts. These tests get no
 * second look.
 */
const COUNTED = [
  'test/engines/kafka/exactly-once.test.ts',
  'test/engines/kafka/edge*.test.ts',
  'test/engines/kafka/settlement.test.ts',
  'test/engines/mongo/settlement.test.ts',
  'test/engines/random-kills.test.ts',
  'test/engines/copy.test.ts',
  'test/engines/faults/edge-disk.test.ts',
  'test/engines/faults/failpoints.test.ts',
  'test/engines/faults/lost-answers.test.ts',
  'test/engines/faults/nodes.test.ts',
];

/** Tests on the real engines. Two files at a time: each has engines of its own, and mostly waits for them. */
export default defineConfig({
  test: {
    pool: 'forks',
    reporters: ['default', new FiguresReporter('engines')],
    maxWorkers: 2,
    setupFiles: ['test/support/attempts.ts'],
    testTimeout: 300_000,
    hookTimeout: 180_000,
    projects: [
      { extends: true, test: { name: 'counted', include: COUNTED, retry: 0 } },
      // Servers of others, killed and stopped on purpose: one that comes back late gets a second look, and the report says `retry x1`.
      { extends: true, test: { name: 'engines', include: ['test/engines/**/*.test.ts'], exclude: COUNTED, retry: 1 } },
    ],
  },
});
