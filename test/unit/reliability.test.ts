import { describe, expect, it } from 'vitest';
import { withFigures } from '../../scripts/reliability/matrix.ts';
import type { FileFigures, TestFigures } from '../../scripts/reliability/test-figures.ts';

const passed = (name: string, ...said: string[]): TestFigures => ({ name, state: 'passed', ms: 1, said });
const file = (name: string, ...tests: TestFigures[]): FileFigures => ({
  file: name,
  date: '2026-01-02T03:04:05.000Z',
  commit: 'abc',
  tests,
});
const table = (...rows: string[]) => ['| fault | test | what an operator sees |', '|---|---|---|', ...rows].join('\n');

describe('the column "last run" of docs/reliability.md', () => {
  it('sums what the named tests counted, and tells each other figure once', () => {
    const row = '| a kill | `a.test.ts`: "killed at … in time"; `b.test.ts` | nothing |';
    const figures = [
      file(
        'a.test.ts',
        passed('faults > killed at noon in time', 'figure: 7 acknowledged, 0 differences', 'seed 1', 'figure: quick'),
        passed('another', 'figure: 100 acknowledged, 9 differences'),
      ),
      file('b.test.ts', { ...passed('x', 'figure: quick', 'figure: 5 acknowledged, 1 differences'), state: 'failed' }),
    ];
    const { text, missing } = withFigures(table(row), figures);
    expect(text.split('\n').at(-1)).toBe(
      '| a kill | `a.test.ts`: "killed at … in time"; `b.test.ts` | 1 passed, 1 failed; 12 acknowledged, 1 differences; quick | nothing |',
    );
    expect(missing).toEqual([]);
    expect(withFigures(text, figures).text).toBe(text);
  });

  it('finds a contract in the files of its backends', () => {
    const { text } = withFigures(table('| poison | `x.contract.ts`: "sets it aside" | a line |'), [
      file('x.sqlite.test.ts', passed('SQLite > sets it aside')),
    ]);
    expect(text).toContain('| 1 passed | a line |');
  });

  it('says which rows have a test that did not run', () => {
    const { text, missing } = withFigures(table('| a | `a.test.ts`: "gone" | . |'), [file('a.test.ts', passed('here'))]);
    expect(text).toContain('| not run | . |');
    expect(missing).toEqual(['a']);
  });

  it('leaves other tables alone', () => {
    const other = '| command | needs |\n|---|---|\n| `a.test.ts` | nothing |';
    expect(withFigures(other, []).text).toBe(other);
  });
});
