import { describe, expect, it } from 'vitest';
import { describeRuns, withFigures } from '../../scripts/reliability/matrix.ts';
import { type FileFigures, type TestFigures, withRun } from '../../scripts/reliability/test-figures.ts';
import { AGAIN, lastAttempt } from '../support/figures.ts';

const passed = (name: string, ...said: string[]): TestFigures => ({ name, state: 'passed', ms: 1, retries: 0, said });
const file = (name: string, ...tests: TestFigures[]): FileFigures => ({
  file: name,
  date: '2026-01-02T03:04:05.000Z',
  commit: 'abc',
  dirty: false,
  scale: 'full',
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
    expect(missing).toEqual(['a kill']);
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

  it('misses a title beside one that ran, and tests that were all skipped or failed', () => {
    const rows = ['| stale | `a.test.ts`: "here", "gone" | . |', '| skipped | `b.test.ts` | . |', '| failed | `c.test.ts`: "x" | . |'];
    const { text, missing } = withFigures(table(...rows, '| fine | `a.test.ts`: "he…" | . |'), [
      file('a.test.ts', passed('here'), { ...passed('there'), state: 'skipped' }),
      file('b.test.ts', { ...passed('x'), state: 'skipped' }),
      file('c.test.ts', { ...passed('x'), state: 'failed' }),
    ]);
    expect(missing).toEqual(['stale', 'skipped', 'failed']);
    expect(text).toContain('| `b.test.ts` | 1 skipped | . |');
  });

  it('says what was tried again, and counts its last attempt alone', () => {
    const said = lastAttempt(['figure: 9 acknowledged, 1 differences', AGAIN, 'figure: 5 acknowledged, 0 differences']);
    const { text } = withFigures(table('| a | `a.test.ts` | . |'), [file('a.test.ts', { ...passed('x', ...said), retries: 1 })]);
    expect(text).toContain('| 1 passed, 1 tried again; 5 acknowledged, 0 differences | . |');
  });

  it('marks a short run, and takes a full one before it', () => {
    const full = file('a.test.ts', passed('x'));
    const short = { ...full, scale: 'smoke' as const, tests: [passed('x', 'figure: short')] };
    const row = table('| a | `a.test.ts` | . |');
    expect(withFigures(row, [short]).text).toContain('| 1 passed, 1 in a short run; short | . |');
    expect(withFigures(row, [short, full]).text).toContain('| 1 passed | . |');
    expect(withRun([full], [short])).toEqual([full, short]);
    expect(withRun([full, short], [short])).toEqual([full, short]);
    expect(withRun([full, short], [full])).toEqual([full]);
  });

  it('says of which days and commits the runs were', () => {
    const changed = { ...file('b.test.ts'), date: '2026-01-04T00:00:00.000Z', dirty: true, scale: 'smoke' as const };
    expect(describeRuns([file('a.test.ts')])).toMatch(/: runs of 2026-01-02, commit abc\.$/);
    expect(describeRuns([file('a.test.ts'), changed])).toMatch(
      /: runs of 2026-01-02 to 2026-01-04, commit abc, abc with changes; 1 of 2 files in a short run\.$/,
    );
  });

  it('leaves other tables alone', () => {
    const other = '| command | needs |\n|---|---|\n| `a.test.ts` | nothing |';
    expect(withFigures(other, []).text).toBe(other);
  });
});
