/** The archive as accept asks it, where settling is a process apart. */
import type { SettledLogs, StoredVerdict } from './archive.ts';

/** Knows of acknowledged logs that wait in the journal. */
export interface Backlog {
  /**
   * Whether every log is settled that could be the one whose play ended at `endedAt` and that is not remembered elsewhere. True at
   * once where that is known already. Rejects where it cannot be asked.
   */
  isSettled(endedAt: number): boolean | Promise<boolean>;
}

/** Does not say of a log that is too old that there is none, while older logs wait to be settled: it may be among them. */
export class SettledOrWaiting implements SettledLogs {
  readonly #archive: SettledLogs;
  readonly #backlog: Backlog;

  constructor(archive: SettledLogs, backlog: Backlog) {
    this.#archive = archive;
    this.#backlog = backlog;
  }

  async find(logId: Uint8Array, tooOldEndedAt: (() => number) | null): Promise<StoredVerdict | null> {
    // Asked before the archive is: what is settled from then on is no worry, what was settled before is in the archive.
    const known = tooOldEndedAt === null ? true : this.#backlog.isSettled(tooOldEndedAt());
    // Heard below, unless the archive fails first.
    if (known instanceof Promise) known.catch(() => {});
    const found = await this.#archive.find(logId, tooOldEndedAt);
    if (found || known === true) return found;
    if (await known) return this.#archive.find(logId, tooOldEndedAt);
    throw new Error('older logs still wait to be settled, so it cannot be said whether this one is among them');
  }
}
