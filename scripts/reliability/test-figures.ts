/** What the tests of the last runs came to: a file for each configuration of the runner, in `test-results/`. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface TestFigures {
  /** With the names of the groups around it, by ` > `. */
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  readonly ms: number;
  /** How often it was tried again after a failure. */
  readonly retries: number;
  /** The lines that it printed, in its last attempt. */
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
  /** Whether anything was changed beside the commit; the document of these figures apart. */
  readonly dirty: boolean;
  /** `smoke`: each fault in some of its kinds and places (FAULT_SCALE). */
  readonly scale: 'full' | 'smoke';
  readonly tests: readonly TestFigures[];
}

const ROOT = path.resolve(import.meta.dirname, '../..');
export const RESULTS = path.join(ROOT, 'test-results');

export function keepFigures(place: string, ran: readonly FileFigures[]): void {
  const before = existsSync(place) ? readFigures(place) : [];
  mkdirSync(path.dirname(place), { recursive: true });
  writeFileSync(place, `${JSON.stringify(withRun(before, ran), null, 1)}\n`);
}

/** Files that ran again take the place of what is known of them, but for a short run, which leaves a full one beside it. */
export function withRun(before: readonly FileFigures[], ran: readonly FileFigures[]): FileFigures[] {
  const replaced = (old: FileFigures) => ran.some(({ file, scale }) => file === old.file && (scale === 'full' || old.scale === 'smoke'));
  return [...before.filter((old) => !replaced(old)), ...ran];
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
