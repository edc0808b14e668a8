import { execFileSync } from 'node:child_process';
import path from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';
import { type FileFigures, keepFigures, type TestFigures } from './test-figures.ts';

/** A reporter of the test runner beside its own: keeps each test's outcome, time and printed lines for `npm run reliability`. */
export class FiguresReporter implements Reporter {
  readonly #suite: string;
  readonly #said = new Map<string, string[]>();

  constructor(suite: string) {
    this.#suite = suite;
  }

  onUserConsoleLog({ taskId, content }: { readonly taskId?: string; readonly content: string }): void {
    if (taskId === undefined) return;
    this.#said.set(taskId, [...(this.#said.get(taskId) ?? []), ...content.trim().split('\n')]);
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    keepFigures(
      this.#suite,
      modules.map((module) => this.#figuresOf(module)),
    );
  }

  #figuresOf(module: TestModule): FileFigures {
    const tests = [...module.children.allTests()].map((test): TestFigures => {
      const { state } = test.result();
      return {
        name: test.fullName,
        state: state === 'pending' ? 'skipped' : state,
        ms: Math.round(test.diagnostic()?.duration ?? 0),
        said: this.#said.get(test.id) ?? [],
      };
    });
    return { file: path.relative(process.cwd(), module.moduleId), date: new Date().toISOString(), commit: commit(), tests };
  }
}

function commit(): string | null {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return null;
  }
}
