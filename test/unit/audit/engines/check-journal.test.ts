/** Settlers remove settled records while the audit reads them: what is gone that way is no gap, and everything else is. */
import { describe, expect, test } from 'vitest';
import { checkJournal } from '../../../../src/audit/engines/check-journal.ts';
import { Collected } from '../../../../src/audit/engines/groups.ts';
import type {
  EngineArchive,
  EngineJournal,
  JournalRecordRead,
  PartitionRange,
  ReadPositions,
} from '../../../../src/audit/engines/ports.ts';
import { checkSettled } from '../../../../src/audit/engines/settled.ts';
import { Findings } from '../../../../src/audit/findings.ts';
import { Progress } from '../../../../src/audit/progress.ts';
import { refusalOf, refusalRecord } from '../../../support/plays.ts';

const JOURNAL = 'j';

/** One partition from 0 on, all of it there when the audit begins. */
interface Story {
  readonly end: number;
  /** The offset to settle next, before and after the journal was read. */
  readonly settled: readonly [before: number, after: number];
  /** The journal is removed up to `low` as soon as the record at this offset was read (-1: before the first). */
  readonly trim?: { readonly afterOffset: number; readonly low: number };
  /** Records that are gone and were never removed by settling. */
  readonly lost?: readonly number[];
}

/** As the copy on Kafka reads: where its place was removed, it goes on where the journal begins now. */
class TrimmedJournal implements EngineJournal {
  readonly journalId = JOURNAL;
  readonly #story: Story;
  #low = 0;

  constructor(story: Story) {
    this.#story = story;
  }

  durableEnd(): null {
    return null;
  }

  ranges(): Promise<readonly PartitionRange[]> {
    return Promise.resolve([{ partition: 0, low: this.#low, end: this.#story.end }]);
  }

  low(): Promise<number> {
    return Promise.resolve(this.#low);
  }

  async *records({ low, end }: PartitionRange): AsyncIterable<JournalRecordRead> {
    this.#trimAfter(-1);
    for (let offset = Math.max(low, this.#low); offset < end; offset = Math.max(offset + 1, this.#low)) {
      // Unproven: nothing has to be in quarantine.
      if (!this.#story.lost?.includes(offset)) yield { offset, bytes: refusalRecord(refusalOf(offset, { proven: false })) };
      this.#trimAfter(offset);
    }
  }

  #trimAfter(offset: number): void {
    if (this.#story.trim?.afterOffset === offset) this.#low = this.#story.trim.low;
  }
}

const archive = { quarantined: (wanted: readonly unknown[]) => Promise.resolve(wanted.map(() => true)) } as unknown as EngineArchive;

async function auditOf(story: Story): Promise<{ readonly found: string[]; readonly read: number }> {
  const findings = new Findings();
  const collected = new Collected(16);
  const journal = new TrimmedJournal(story);
  const positionsAt = (next: number): ReadPositions => ({ next: new Map([[`${JOURNAL}/0`, next]]), begun: new Set(), unreadable: [] });
  const [before, after] = story.settled;
  try {
    const { waiting, retained, ranges } = await checkJournal({
      journal,
      ranges: await journal.ranges(),
      settled: () => before,
      collected,
      archive,
      findings,
      progress: new Progress({ write: () => {} }),
    });
    const facts = { journalId: JOURNAL, ranges, before: positionsAt(before), after: positionsAt(after), published: new Map() };
    checkSettled(facts, findings);
    return { found: findings.listed.map(({ kind, position, detail }) => `${kind} ${position}: ${detail}`), read: waiting + retained };
  } finally {
    collected.close();
  }
}

describe('I1: records that settling removes while the journal is read are no gap', () => {
  test.each<[what: string, story: Story, read: number]>([
    ['none', { end: 10, settled: [6, 6] }, 10],
    ['overtaking the scan after its first record', { end: 10, settled: [6, 6], trim: { afterOffset: 0, low: 5 } }, 6],
    ['before the first record', { end: 10, settled: [6, 6], trim: { afterOffset: -1, low: 4 } }, 6],
    ['all that is left of the range', { end: 10, settled: [6, 12], trim: { afterOffset: 3, low: 12 } }, 4],
    ['all of the range', { end: 10, settled: [6, 10], trim: { afterOffset: -1, low: 10 } }, 0],
    ['what was settled while the audit ran', { end: 10, settled: [2, 9], trim: { afterOffset: 1, low: 9 } }, 3],
    ['behind the scan', { end: 10, settled: [6, 6], trim: { afterOffset: 7, low: 3 } }, 10],
  ])('%s', async (_what, story, read) => {
    expect(await auditOf(story)).toEqual({ found: [], read });
  });
});

describe('I1: what is gone otherwise is found', () => {
  test.each<[what: string, story: Story, found: string[]]>([
    ['a record among others', { end: 10, settled: [6, 6], lost: [7] }, ['journal_gap j/0/7: nothing stands at the offsets 7 to 7']],
    ['the first and the last', { end: 10, settled: [6, 6], lost: [0, 9] }, ['0 to 0', '9 to 9'].map(gapAt)],
    ['everything', { end: 3, settled: [0, 0], lost: [0, 1, 2] }, ['0 to 2'].map(gapAt)],
    [
      'records behind those that settling removed',
      { end: 10, settled: [6, 6], trim: { afterOffset: 0, low: 4 }, lost: [4, 5] },
      ['4 to 5'].map(gapAt),
    ],
    [
      'records that were removed before they were settled',
      { end: 10, settled: [6, 7], trim: { afterOffset: 2, low: 9 } },
      ['journal_gap j/0/7: the journal begins at 9, and was settled only up to 7'],
    ],
    [
      'all of the range, unsettled',
      { end: 10, settled: [6, 7], trim: { afterOffset: -1, low: 10 } },
      ['journal_gap j/0/7: the journal begins at 10, and was settled only up to 7'],
    ],
  ])('%s', async (_what, story, found) => {
    expect((await auditOf(story)).found).toEqual(found);
  });
});

function gapAt(offsets: string): string {
  return `journal_gap j/0/${offsets.split(' ')[0]}: nothing stands at the offsets ${offsets}`;
}
