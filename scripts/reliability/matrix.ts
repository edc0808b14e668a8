/** The tables of docs/reliability.md with the figures of the last runs in a column of their own. */
import { figuresIn } from '../../test/support/figures.ts';
import type { FileFigures, TestFigures } from './test-figures.ts';

const COLUMN = 'last run';
const NAMED = /`([^`]+\.(?:test|contract)\.ts)`|"([^"]+)"/g;

/** Tests that a cell names: all of the file where it quotes none of them. */
interface Named {
  readonly file: string;
  readonly names: string[];
}

/** @returns The text with the column filled, and the rows of which a test did not run. */
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
    const ran = namedIn(test).map((named) => matching(named, figures));
    if (ran.some((tests) => tests.length === 0)) missing.push(fault);
    return rowOf([fault, test, ran.some((tests) => tests.length > 0) ? figureOf(ran.flat()) : 'not run', last]);
  });
  return { text: lines.join('\n'), missing };
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

function namedIn(cell: string): Named[] {
  const named: Named[] = [];
  for (const [, file, name] of cell.matchAll(NAMED)) {
    if (file !== undefined) named.push({ file, names: [] });
    else named.at(-1)?.names.push(name as string);
  }
  return named;
}

/** A contract's tests run in the file of each of its backends. */
function matching({ file, names }: Named, figures: readonly FileFigures[]): TestFigures[] {
  const inFile = figures.filter((one) => one.file === file || file.endsWith('.contract.ts')).flatMap(({ tests }) => tests);
  if (names.length === 0) return inFile;
  const patterns = names.map((name) => new RegExp(name.split('…').map(escaped).join('.*')));
  return inFile.filter(({ name }) => patterns.some((pattern) => pattern.test(name)));
}

function escaped(part: string): string {
  return RegExp.escape(part.trim());
}

function figureOf(tests: readonly TestFigures[]): string {
  const states = (['passed', 'failed', 'skipped'] as const)
    .map((state) => ({ state, n: tests.filter((test) => test.state === state).length }))
    .filter(({ n }) => n > 0)
    .map(({ state, n }) => `${n} ${state}`);
  return [states.join(', '), ...figuresIn(tests.flatMap(({ said }) => said))].join('; ');
}
