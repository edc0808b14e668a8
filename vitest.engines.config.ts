import { defineConfig } from 'vitest/config';
import { FiguresReporter } from './scripts/reliability/figures-reporter.ts';

/** Tests on the real engines. Two files at a time: each has engines of its own, and mostly waits for them. */
export default defineConfig({
  test: {
    include: ['test/engines/**/*.test.ts'],
    pool: 'forks',
    reporters: ['default', new FiguresReporter('engines')],
    maxWorkers: 2,
    // Servers of others, killed and stopped on purpose: one that comes back late gets a second look, and the report says `retry x1`.
    retry: 1,
    setupFiles: ['test/support/attempts.ts'],
    testTimeout: 300_000,
    hookTimeout: 180_000,
  },
});
