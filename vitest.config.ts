import { defineConfig } from 'vitest/config';
import { FiguresReporter } from './scripts/reliability/figures-reporter.ts';

export default defineConfig({
  test: {
    include: ['test/{unit,contract,integration,crash}/**/*.test.ts', 'device/test/**/*.test.ts'],
    pool: 'forks',
    reporters: ['default', new FiguresReporter('tests')],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
