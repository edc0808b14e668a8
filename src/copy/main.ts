/** `playproof copy`, as the command line calls it. */
import { copyToEngines, lookAtCopy, takeBack } from '../compose/copy.ts';
import type { Config } from '../config.ts';
import { CopyImpossible, SourceDamaged } from './ports.ts';
import { Progress } from './progress.ts';
import { conflictsOf, copiedText, lookedText } from './report.ts';

export interface RunCopyOptions {
  readonly from: string;
  readonly json: boolean;
  readonly dryRun: boolean;
  /** Aborted when it is to stop at the next step. */
  readonly signal: AbortSignal;
}

/** Everything is copied, and the target holds something else under some names. */
export const EXIT_CONFLICTS = 3;
const EXIT_TO_DO = 1;

const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/**
 * Prints what was done and answers the exit code: 0 everything is there; 3 it is, and something stands otherwise in the target;
 * 1, for a dry run, something has to be done first.
 *
 * @throws an error with a sentence where it could not be finished.
 */
export async function runCopy(config: Config, { from, json, dryRun, signal }: RunCopyOptions): Promise<number> {
  const { engines, quarantinePerDevice } = config;
  if (!engines)
    throw new CopyImpossible('set PLAYPROOF_PROFILE to cluster or edge, and where its engines are: that is where the copy goes');
  const started = performance.now();
  const progress = new Progress();
  try {
    const options = { from, engines, quarantinePerDevice, progress, signal };
    if (dryRun) {
      const looked = await lookAtCopy(options);
      progress.end();
      console.log(json ? JSON.stringify(looked, null, 2) : lookedText(looked));
      if (looked.running || looked.topics.faults.length > 0) return EXIT_TO_DO;
      return conflictsOf(looked.registry).length > 0 ? EXIT_CONFLICTS : 0;
    }
    const copied = await copyToEngines(options);
    progress.end();
    const seconds = Math.round(performance.now() - started) / 1_000;
    console.log(json ? JSON.stringify({ ...copied, seconds }, null, 2) : `${copiedText(copied)}\n${seconds} s`);
    return copied.plays.conflicts + conflictsOf(copied.registry).length > 0 ? EXIT_CONFLICTS : 0;
  } catch (error) {
    throw damaged(error) ?? error;
  } finally {
    progress.end();
  }
}

/** @returns a sentence that says what became of it. */
export function undoCopy(from: string): string {
  const mark = takeBack(from);
  if (mark === null || mark.state === 'open') return `${from} was not moved; nothing was changed`;
  return (
    `${from} can be started again. What was copied stays in the feed, the archive and the registry there, and may be billed from there: ` +
    'see docs/operations.md, "Moving up from embedded"'
  );
}

/** What SQLite cannot read is not copied. */
function damaged(error: unknown): SourceDamaged | null {
  const code = ((error as { errcode?: number }).errcode ?? 0) & 0xff;
  if (code !== SQLITE_CORRUPT && code !== SQLITE_NOTADB) return null;
  return new SourceDamaged(
    `SQLite itself cannot read the data directory (${(error as Error).message}): pages of a file are damaged; restore it from a backup, and look at the disk`,
    { cause: error },
  );
}
