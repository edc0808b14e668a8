import { defineConfig } from 'vitest/config';
import { FiguresReporter } from '../../../scripts/reliability/figures-reporter.ts';

/** Run by test/unit/figures-reporter.test.ts, with the place of its figures in FIGURES_PLACE. */
export default defineConfig({
  test: {
    include: ['test/support/figures-fixture/cases.ts'],
    reporters: [new FiguresReporter('cases', process.env['FIGURES_PLACE'])],
    retry: 1,
    setupFiles: ['test/support/attempts.ts'],
  },
});
