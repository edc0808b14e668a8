/** The journal as far as it retains what it took: what waits is whole, and what was settled has to be somewhere. */
import { hash } from 'node:crypto';
import { CorruptRecord, RECORD_PLAY, readPlayRecord, readRefusalRecord, recordKind } from '../../journal/record.ts';
import type { Findings } from '../findings.ts';
import type { Progress } from '../progress.ts';
import { writeEntry } from './entries.ts';
import type { Collected } from './groups.ts';
import type { EngineArchive, EngineJournal, PartitionRange, QuarantineKey } from './ports.ts';

export interface JournalCheckOptions {
  readonly journal: EngineJournal;
  readonly ranges: readonly PartitionRange[];
  /** The offset to settle next of each partition, where it is known. */
  readonly settled: (partition: number) => number | null;
  /** Gets the settled plays: the archive has to have their log_ids. */
  readonly collected: Collected;
  readonly archive: EngineArchive;
  readonly findings: Findings;
  readonly progress: Progress;
}

export interface JournalCounts {
  /** Acknowledged, and not settled when the audit began. */
  waiting: number;
  /** Settled, and still in the journal. */
  retained: number;
}

export interface JournalReading extends JournalCounts {
  /** As far as they were seen to begin meanwhile: before `low` nothing may be that was not settled (settled.ts). */
  readonly ranges: readonly PartitionRange[];
}

interface Sought {
  readonly key: QuarantineKey;
  readonly position: string;
  readonly what: string;
}

const LOOK_UP = 500;

export async function checkJournal(options: JournalCheckOptions): Promise<JournalReading> {
  const { journal, ranges, settled, findings, progress } = options;
  const counts: JournalCounts = { waiting: 0, retained: 0 };
  const read: PartitionRange[] = [];
  const sought: Sought[] = [];
  const total = ranges.reduce((sum, { low, end }) => sum + end - low, 0);
  for (const range of ranges) {
    const next = settled(range.partition) ?? range.low;
    let expected = range.low;
    let low = range.low;
    for await (const { offset, bytes } of journal.records(range)) {
      const position = `${journal.journalId}/${range.partition}/${offset}`;
      if (offset > expected) low = await gap(expected, offset, range.partition, options);
      expected = offset + 1;
      if (offset < next) {
        counts.retained += 1;
        settledRecord(bytes, { partition: range.partition, offset, position }, options, sought);
      } else {
        counts.waiting += 1;
        waitingRecord(bytes, position, findings);
      }
      if (sought.length >= LOOK_UP) await lookUp(sought, options);
      progress.at('journal record', counts.waiting + counts.retained, total);
    }
    if (range.end > expected) low = await gap(expected, range.end, range.partition, options);
    read.push({ ...range, low });
  }
  await lookUp(sought, options);
  return { ...counts, ranges: read };
}

/**
 * The journal has no gaps: every offset up to its end was acknowledged, or refused and journalled. Only its beginning goes, when it was
 * settled, and that may overtake the reading.
 *
 * @returns where the journal begins now.
 */
async function gap(expected: number, found: number, partition: number, { journal, findings }: JournalCheckOptions): Promise<number> {
  const low = await journal.low(partition);
  const from = Math.max(expected, low);
  if (from < found)
    findings.add(
      'journal_gap',
      { position: `${journal.journalId}/${partition}/${from}` },
      `nothing stands at the offsets ${from} to ${found - 1}`,
    );
  return low;
}

interface Place {
  readonly partition: number;
  readonly offset: number;
  readonly position: string;
}

function settledRecord(
  bytes: Uint8Array,
  { partition, offset, position }: Place,
  { collected }: JournalCheckOptions,
  sought: Sought[],
): void {
  try {
    if (recordKind(bytes) === RECORD_PLAY) {
      const { logId, contentHash, status, billable, receivedAt } = readPlayRecord(bytes);
      const entry = { source: 'journal', logId, partition, offset, status, billable, receivedAt, contentHash } as const;
      collected.add((target, at) => writeEntry(target, at, { ...entry, fingerprint: null, origin: null }));
      return;
    }
    const { logId, contentHash, code, proven } = readRefusalRecord(bytes);
    // Of unproven refusals a bounded number is kept for each device.
    if (proven) sought.push({ key: { logId, contentHash, code }, position, what: `its refusal (${code})` });
  } catch (error) {
    if (!(error instanceof CorruptRecord)) throw error;
    // settle/poison.ts
    const key = { logId: null, contentHash: hash('sha256', bytes, 'hex'), code: 'malformed' };
    sought.push({ key, position, what: 'its damaged record' });
  }
}

function waitingRecord(bytes: Uint8Array, position: string, findings: Findings): void {
  try {
    if (recordKind(bytes) === RECORD_PLAY) readPlayRecord(bytes);
    else readRefusalRecord(bytes);
  } catch (error) {
    if (!(error instanceof CorruptRecord)) throw error;
    findings.add('record_damaged', { position }, `${error.message}; settling will set it aside`);
  }
}

async function lookUp(sought: Sought[], { archive, findings }: JournalCheckOptions): Promise<void> {
  const asked = sought.splice(0);
  if (asked.length === 0) return;
  const kept = await archive.quarantined(asked.map(({ key }) => key));
  for (const [i, { key, position, what }] of asked.entries())
    if (!kept[i]) findings.add('settled_lost', { logId: key.logId, position }, `${what} was settled and is not in quarantine`);
}
