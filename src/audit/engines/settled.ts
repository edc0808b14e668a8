/** How far each journal was settled: by the positions that the feed's transactions wrote, before and after the feed was read. */
import type { Findings } from '../findings.ts';
import type { Cut } from './judge-log.ts';
import type { PartitionRange, ReadPositions } from './ports.ts';
import { splitPosition } from './read-copies.ts';

/**
 * What lay before the positions as they were before the feed's end was asked was published before that end. A journal that has
 * neither a position nor a mark is known by the feed alone: behind the highest position there, nothing was published.
 *
 * @param published By `<journal_id>/<partition>` the offset behind the highest in the feed.
 */
export function settledBy(before: ReadPositions, after: ReadPositions, published: ReadonlyMap<string, number>): Cut['settled'] {
  return (position) => {
    const split = splitPosition(position);
    if (!split) return 'unknown';
    const { partition, offset } = split;
    const next = nextOf(before, partition);
    if (next !== null) return offset < next ? 'settled' : 'open';
    // It began while the audit ran.
    if (nextOf(after, partition) !== null) return 'open';
    const highest = published.get(partition);
    if (highest === undefined) return 'unknown';
    return offset < highest ? 'settled' : 'open';
  };
}

/** @param partition `<journal_id>/<partition>`. @returns the offset to settle next; null where nothing tells. */
export function nextOf({ next, begun }: ReadPositions, partition: string): number | null {
  const journalId = partition.slice(0, partition.lastIndexOf('/'));
  return next.get(partition) ?? (begun.has(journalId) ? 0 : null);
}

export interface SettledFacts {
  readonly journalId: string;
  /** Asked between `before` and the feed; `low` perhaps once more while the journal was read. */
  readonly ranges: readonly PartitionRange[];
  readonly before: ReadPositions;
  /** Asked after the feed was read. */
  readonly after: ReadPositions;
  readonly published: ReadonlyMap<string, number>;
}

/** Positions against each other, against the journal and against what was published. */
export function checkSettled({ journalId, ranges, before, after, published }: SettledFacts, findings: Findings): void {
  const wrong = (position: string, detail: string): void => findings.add('position_wrong', { position }, detail);
  for (const sentence of new Set([...before.unreadable, ...after.unreadable])) findings.add('position_wrong', {}, sentence);
  for (const [partition, next] of before.next) {
    const now = after.next.get(partition);
    if (now === undefined) wrong(`${partition}/${next}`, 'the read position was there when the audit began, and is gone');
    else if (now < next) wrong(`${partition}/${now}`, `the read position was ${next} when the audit began: it was moved back`);
  }
  for (const [partition, highest] of published) {
    const next = after.next.get(partition);
    if (next !== undefined && highest > next)
      wrong(
        `${partition}/${next}`,
        `the feed has what was journalled at ${highest - 1}, and the read position is ${next}: it would be published again`,
      );
  }
  for (const { partition, low, end } of ranges) {
    const name = `${journalId}/${partition}`;
    const [was, is] = [nextOf(before, name), nextOf(after, name)];
    if (was !== null && was > end) wrong(`${name}/${was}`, `the read position is ${was}, and the journal ends before ${end}`);
    if (is !== null && low > is)
      findings.add('journal_gap', { position: `${name}/${is}` }, `the journal begins at ${low}, and was settled only up to ${is}`);
  }
}
