/**
 * `moved.json` in a data directory: what it holds is on its way to other engines, or there. It is written before the first thing goes
 * there, and whoever would take logs into the directory looks for it first: what is accepted here afterwards would be missing there.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';

export const MOVED_FILE = 'moved.json';

export interface MovedMark {
  /** copying: begun and not finished. copied: everything is there. open: taken back, the directory may be used again. */
  readonly state: 'copying' | 'copied' | 'open';
  /** The feed that it goes to: the id of that very topic. */
  readonly feedId: string;
  /** Every feed that ever got a position of this journal. One of these without a position has lost it. */
  readonly begun: readonly string[];
  /** When this state was reached, RFC 3339. */
  readonly since: string;
}

/** The directory must not be used, or cannot be copied, as its mark says. */
export class Moved extends Error {
  override readonly name = 'Moved';
}

const STATES: readonly unknown[] = ['copying', 'copied', 'open'];

/** @throws Moved when there is one that cannot be read. */
export function readMovedMark(dataDir: string): MovedMark | null {
  const file = path.join(dataDir, MOVED_FILE);
  if (!existsSync(file)) return null;
  try {
    const mark = JSON.parse(readFileSync(file, 'utf8')) as MovedMark;
    if (STATES.includes(mark.state) && typeof mark.feedId === 'string' && Array.isArray(mark.begun) && typeof mark.since === 'string') {
      return mark;
    }
  } catch (cause) {
    throw new Moved(unreadable(file), { cause });
  }
  throw new Moved(unreadable(file));
}

/** Durable when it returns; after a crash the old mark or the new one is there, whole. */
export function writeMovedMark(dataDir: string, mark: MovedMark): void {
  const file = path.join(dataDir, MOVED_FILE);
  const fd = openSync(`${file}.new`, 'w', 0o640);
  try {
    writeSync(fd, `${JSON.stringify(mark, null, 2)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${file}.new`, file);
  const directory = openSync(dataDir, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** For whoever writes into the directory. @throws Moved with what to do. */
export function assertNotMoved(dataDir: string): void {
  const mark = readMovedMark(dataDir);
  if (mark === null || mark.state === 'open') return;
  const back = `to go on here all the same: \`playproof copy --from ${dataDir} --undo\``;
  if (mark.state === 'copying') {
    throw new Moved(
      `what ${dataDir} holds is being copied to other engines since ${mark.since}; finish that with \`playproof copy --from ${dataDir}\`; ${back}`,
    );
  }
  throw new Moved(
    `what ${dataDir} holds was moved to other engines on ${mark.since}; start there, with another PLAYPROOF_DATA_DIR on the profile edge; ${back}`,
  );
}

function unreadable(file: string): string {
  return `${file} cannot be read, so it is not known whether this installation was moved; see docs/operations.md, "Moving up from embedded"`;
}
