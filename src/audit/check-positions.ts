/** The positions against each other, against the mark, and against what analytics says that it has. */
import type { MarkState } from '../journal/mark.ts';
import type { Findings } from './findings.ts';
import type { JournalPositions, LoadedFeed } from './ports.ts';

export interface Positions {
  readonly journalId: string;
  readonly end: number;
  readonly settle: number;
  /** Up to here analytics has to have everything; 0 where nothing was loaded. */
  readonly loaded: number;
}

/**
 * @param mark Read before `journal`: it never is ahead of it.
 * @param feeds Asked before `journal`: analytics never is ahead of the feed.
 * @returns null where there are no positions to audit by.
 */
export function checkPositions(
  journal: JournalPositions,
  mark: MarkState | null,
  feeds: readonly LoadedFeed[],
  findings: Findings,
): Positions | null {
  const wrong = (detail: string, position: number | null = null): void => findings.add('position_wrong', { position }, detail);
  const { end, settle } = journal;
  if (!end || !settle) {
    wrong(`the position "${end ? 'settle' : 'end'}" is missing: playproof.db is not whole`);
    return null;
  }
  if (end.journalId !== settle.journalId) wrong(`the journal is ${end.journalId}, its read position is of ${settle.journalId}`, settle.seq);
  if (settle.seq < 0 || settle.seq > end.seq)
    wrong(`the read position ${settle.seq} lies outside the journal, which ends at ${end.seq}`, settle.seq);
  if (mark && mark.journalId !== end.journalId) wrong(`the mark belongs to journal ${mark.journalId}, the journal is ${end.journalId}`);
  if (mark && mark.journalId === end.journalId && mark.end > end.seq)
    wrong(`the journal was durable up to position ${mark.end} and ends at ${end.seq}: acknowledged logs are lost`, end.seq);
  let loaded = 0;
  for (const { feedId, position } of feeds) {
    if (feedId !== end.journalId) wrong(`analytics was loaded from another feed, ${feedId}, up to ${position}`, position);
    else if (position > settle.seq) wrong(`analytics says that it was loaded up to ${position}, the feed ends at ${settle.seq}`, position);
    if (feedId === end.journalId) loaded = position;
  }
  return { journalId: end.journalId, end: end.seq, settle: settle.seq, loaded };
}
