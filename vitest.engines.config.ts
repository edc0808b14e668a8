import { defineConfig } from 'vitest/config';

/** Tests on the real engines: one file at a time, since brokers and tests share the machine. */
export default defineConfig({
  test: {
    include: ['test/engines/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    // Servers of others, killed and stopped on purpose: one that comes back late gets a second look, and the report says `retry x1`.
    retry: 1,
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
});
