import { defineConfig } from 'vitest/config';

/** Tests in a real browser; they need Debian's chromium or chromium-headless-shell. One file after the other: each has a service. */
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 90_000,
    hookTimeout: 180_000,
  },
});
