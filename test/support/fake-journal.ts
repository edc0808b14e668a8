/** A journal in memory whose appends end when and how a test says. */
import { type Journal, JournalBroken, type JournalEntry, JournalFull } from '../../src/journal/journal.ts';
import { recordHash, recordLogId } from '../../src/journal/record.ts';

/** ok: kept and said so. lost: failed, and nothing was kept. unknown: failed, and yet everything was kept. hang: neither, for ever. */
export type Fate = 'ok' | 'lost' | 'unknown' | 'hang';

export interface Append {
  readonly entries: readonly JournalEntry[];
  end(fate: Fate): void;
}

export class FakeJournal implements Journal {
  readonly journalId = 'fake';
  /** `kind log_id hash` of everything kept, in order. */
  readonly kept: string[] = [];
  /** Appends that have not ended. */
  readonly open: Append[] = [];
  end = 0;
  readonly #auto: Fate | null;

  /** @param auto What becomes of every append; null: the test ends each by hand. */
  constructor(auto: Fate | null = null) {
    this.#auto = auto;
  }

  append(entries: readonly JournalEntry[]): Promise<void> {
    if (entries.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const append: Append = {
        entries,
        end: (fate) => {
          if (fate === 'hang') return;
          const place = this.open.indexOf(append);
          if (place >= 0) this.open.splice(place, 1);
          if (fate !== 'lost') {
            for (const { kind, record } of entries) this.kept.push(`${kind} ${recordLogId(record)} ${recordHash(record)}`);
            this.end += entries.length;
          }
          if (fate === 'ok') resolve();
          else reject(fate === 'lost' ? new JournalFull('the disk is full') : new JournalBroken('nobody knows'));
        },
      };
      this.open.push(append);
      if (this.#auto) append.end(this.#auto);
    });
  }

  close(): void {}
}
