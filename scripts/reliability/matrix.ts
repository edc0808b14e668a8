/** The tables of docs/reliability.md with the figures of the last runs in a column of their own. */
import { figuresIn } from '../../test/support/figures.ts';
import { namedTests, titlePattern } from '../../test/support/named-tests.ts';
import type { FileFigures, TestFigures } from './test-figures.ts';

const COLUMN = 'last run';

/** A test as it ran, and whether in a short run. */
type Ran = TestFigures & Pick<FileFigures, 'scale'>;

/** @returns The text with the column filled, and the rows of which a named test did not pass. */
export function withFigures(text: string, figures: readonly FileFigures[]): { readonly text: string; readonly missing: string[] } {
  const missing: string[] = [];
  let inside = false;
  const lines = text.split('\n').map((line) => {
    const cells = cellsOf(line);
    if (cells.length === 0) {
      inside = false;
      return line;
    }
    if (cells[0] === 'fault' && cells[1] === 'test') {
      inside = true;
      return rowOf([...cells.slice(0, 2), COLUMN, cells.at(-1) as string]);
    }
    if (!inside) return line;
    const [fault = '', test = ''] = cells;
    const last = cells.at(-1) as string;
    if (/^-+$/.test(fault)) return rowOf(['---', '---', '---', '---']);
    const ran = namedTests(test).flatMap(({ file, titles }) => matching(file, titles, figures));
    if (ran.length === 0 || ran.some((tests) => !tests.some(({ state }) => state === 'passed'))) missing.push(fault);
    return rowOf([fault, test, figureOf([...new Set(ran.flat())]), last]);
  });
  return { text: lines.join('\n'), missing };
}

/** When the runs were, of which commits, and whether in full: a line for above the tables. */
export function describeRuns(figures: readonly FileFigures[]): string {
  const dates = figures.map(({ date }) => date.slice(0, 10)).toSorted();
  const days = dates[0] === dates.at(-1) ? dates[0] : `${dates[0]} to ${dates.at(-1)}`;
  const commits = figures.map(({ commit, dirty }) => `${commit ?? 'no checkout'}${dirty ? ' with changes' : ''}`);
  const short = figures.filter(({ scale }) => scale === 'smoke').length;
  return `The column "last run" was written by \`npm run reliability\`: runs of ${days}, commit ${[...new Set(commits)].join(', ')}${
    short > 0 ? `; ${short} of ${figures.length} files in a short run` : ''
  }.`;
}

function cellsOf(line: string): string[] {
  if (!line.startsWith('|')) return [];
  return line
    .slice(1, line.lastIndexOf('|'))
    .split('|')
    .map((cell) => cell.trim());
}

function rowOf(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/**
 * What ran for each of the titles, or for the whole file where none is quoted. A contract's tests run in the file of each of its
 * backends. A short run counts only where no full one is known.
 */
function matching(file: string, titles: readonly string[], figures: readonly FileFigures[]): Ran[][] {
  const inFile = figures
    .filter((one) => one.file === file || file.endsWith('.contract.ts'))
    .filter((one) => one.scale === 'full' || !figures.some((other) => other.file === one.file && other.scale === 'full'))
    .flatMap(({ scale, tests }) => tests.map((test): Ran => ({ ...test, scale })));
  if (titles.length === 0) return [inFile];
  return titles.map((title) => inFile.filter(({ name }) => titlePattern(title).test(name)));
}

function figureOf(tests: readonly Ran[]): string {
  if (tests.length === 0) return 'not run';
  const counted = {
    passed: tests.filter(({ state }) => state === 'passed').length,
    failed: tests.filter(({ state }) => state === 'failed').length,
    skipped: tests.filter(({ state }) => state === 'skipped').length,
    'tried again': tests.filter(({ retries }) => retries > 0).length,
    'in a short run': tests.filter(({ scale }) => scale === 'smoke').length,
  };
  const counts = Object.entries(counted).filter(([, n]) => n > 0);
  return [counts.map(([what, n]) => `${n} ${what}`).join(', '), ...figuresIn(tests.flatMap(({ said }) => said))].join('; ');
}
