import { defineConfig } from 'vitest/config';

/** Tests on the real engines: one file at a time, since brokers and tests share the machine. */
export default defineConfig({
  test: {
    include: ['test/engines/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
});
