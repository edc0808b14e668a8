import { defineConfig } from 'vitest/config';
import { FiguresReporter } from './scripts/reliability/figures-reporter.ts';

/** What goes wrong in the real world, on real processes: minutes, not seconds. One file at a time: each wants the machine for itself. */
export default defineConfig({
  test: {
    include: ['test/fault/**/*.test.ts'],
    pool: 'forks',
    reporters: ['default', new FiguresReporter('faults')],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 60_000,
  },
});
