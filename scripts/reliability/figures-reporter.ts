import { execFileSync } from 'node:child_process';
import path from 'node:path';
import type { Reporter, TestModule, TestRunEndReason, TestSpecification, Vitest } from 'vitest/node';
import { lastAttempt } from '../../test/support/figures.ts';
import { type FileFigures, keepFigures, RESULTS, type TestFigures } from './test-figures.ts';

/**
 * A reporter of the test runner beside its own: keeps each test's outcome, time and printed lines for `npm run reliability`.
 * Nothing is kept of a run that was interrupted, or that chose among the tests of a file: the others would look skipped.
 */
export class FiguresReporter implements Reporter {
  readonly #suite: string;
  readonly #place: string;
  readonly #said = new Map<string, string[]>();
  #vitest: Vitest | undefined;
  #lines = false;

  /** @param place The folder that keeps them. */
  constructor(suite: string, place: string = RESULTS) {
    this.#suite = suite;
    this.#place = place;
  }

  onUserConsoleLog({ taskId, content }: { readonly taskId?: string; readonly content: string }): void {
    if (taskId === undefined) return;
    this.#said.set(taskId, [...(this.#said.get(taskId) ?? []), ...content.trim().split('\n')]);
  }

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunStart(specifications: readonly TestSpecification[]): void {
    this.#said.clear();
    this.#lines = specifications.some(({ testLines }) => (testLines ?? []).length > 0);
  }

  onTestRunEnd(modules: readonly TestModule[], _errors: unknown, reason: TestRunEndReason): void {
    if (reason === 'interrupted' || this.#lines || this.#vitest?.getGlobalTestNamePattern() !== undefined) {
      console.log('npm run reliability keeps nothing of this run: not all tests of its files ran');
      return;
    }
    const checkout = checkoutNow();
    keepFigures(
      path.join(this.#place, `${this.#suite}.json`),
      modules.map((module) => this.#figuresOf(module, checkout)),
    );
  }

  #figuresOf(module: TestModule, checkout: Checkout): FileFigures {
    const tests = [...module.children.allTests()].map((test): TestFigures => {
      const { state } = test.result();
      return {
        name: test.fullName,
        state: state === 'pending' ? 'skipped' : state,
        ms: Math.round(test.diagnostic()?.duration ?? 0),
        retries: test.diagnostic()?.retryCount ?? 0,
        said: lastAttempt(this.#said.get(test.id) ?? []),
      };
    });
    return {
      file: path.relative(process.cwd(), module.moduleId),
      date: new Date().toISOString(),
      ...checkout,
      scale: process.env['FAULT_SCALE'] === 'smoke' ? 'smoke' : 'full',
      tests,
    };
  }
}

type Checkout = Pick<FileFigures, 'commit' | 'dirty'>;

function checkoutNow(): Checkout {
  try {
    const changed = git('status', '--porcelain', '--', '.', ':!docs/reliability.md');
    return { commit: git('rev-parse', '--short', 'HEAD'), dirty: changed !== '' };
  } catch {
    return { commit: null, dirty: false };
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}
