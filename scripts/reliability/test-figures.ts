/** What the tests of the last runs came to: a file for each configuration of the runner, in `test-results/`. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface TestFigures {
  /** With the names of the groups around it, by ` > `. */
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  readonly ms: number;
  /** The lines that it printed. */
  readonly said: readonly string[];
}

/** One test file as it was last run. */
export interface FileFigures {
  /** From the project's root. */
  readonly file: string;
  /** Of the end of its run, ISO 8601. */
  readonly date: string;
  /** Abbreviated; null outside a checkout. */
  readonly commit: string | null;
  readonly tests: readonly TestFigures[];
}

const ROOT = path.resolve(import.meta.dirname, '../..');
export const RESULTS = path.join(ROOT, 'test-results');

/** Files that ran again take the place of what is known of them; the others stay. */
export function keepFigures(suite: string, ran: readonly FileFigures[]): void {
  const place = path.join(RESULTS, `${suite}.json`);
  const again = new Set(ran.map(({ file }) => file));
  const before = existsSync(place) ? readFigures(place).filter(({ file }) => !again.has(file)) : [];
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(place, `${JSON.stringify([...before, ...ran], null, 1)}\n`);
}

/** All that is known, of every suite. */
export function allFigures(): FileFigures[] {
  if (!existsSync(RESULTS)) return [];
  return readdirSync(RESULTS)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => readFigures(path.join(RESULTS, name)));
}

function readFigures(place: string): FileFigures[] {
  return JSON.parse(readFileSync(place, 'utf8')) as FileFigures[];
}
