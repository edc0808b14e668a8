/**
 * Finds the read position of a journal partition where the group's offset is not to be taken as it is. It may be gone: Kafka drops the
 * offsets of a group that was idle for a week, and somebody may delete them. It may have gone back: brokers lost the end of their own
 * topic of offsets, or somebody set it by hand.
 *
 * First the copy in the positions topic. It is exact, since it was committed with the feed's records, so the group is never believed
 * where it is behind its copy. Where both are gone, the feed: each of its records carries the journal
 * position that it came from. Owners of one journal partition are published in its order, so behind the highest position in the
 * feed nothing was published, and up to it everything was settled. Refusals and duplicates behind it may be settled a second time,
 * which changes nothing: quarantine counts a position once, and a duplicate stays one.
 */
import { positionOf } from '../feed/kafka-message.ts';
import type { CommittedReader } from '../kafka/committed-reader.ts';
import type { KafkaTopics } from './kafka-begin.ts';
import { kafkaPositions } from './position-topic.ts';
import { PositionLost } from './settlement.ts';

export const ADVICE = 'settling stops rather than bill twice or leave logs out; see docs/operations.md, "The read position is lost"';

export interface RecoveryDeps {
  readonly reader: CommittedReader;
  readonly topics: KafkaTopics;
}

/**
 * @param partitions Of the journal.
 * @param committed The group's offsets, of those partitions that have one.
 * @returns for each partition the offset to settle next.
 * @throws PositionLost when it cannot be known.
 */
export async function findPositions(
  partitions: readonly number[],
  committed: ReadonlyMap<number, number>,
  deps: RecoveryDeps,
): Promise<Map<number, number>> {
  const { reader, topics } = deps;
  const { marked, next: copies } = await kafkaPositions(reader, topics.positions, topics.journalId);
  const lost = partitions.filter((partition) => !copies.has(partition) && !committed.has(partition));
  const published = lost.length === 0 || marked ? new Map<number, number>() : await highestPublished(deps);
  const found = new Map<number, number>();
  for (const partition of partitions) {
    const highest = published.get(partition);
    if (!lost.includes(partition)) found.set(partition, Math.max(copies.get(partition) ?? 0, committed.get(partition) ?? 0));
    else found.set(partition, highest === undefined ? await beginning(deps, partition, marked) : highest + 1);
  }
  return found;
}

/** The first record, where it is certain that none was settled. */
async function beginning({ reader, topics }: RecoveryDeps, partition: number, marked: boolean): Promise<number> {
  const name = `partition ${partition} of the journal "${topics.journal}" (${topics.journalId})`;
  if (!marked) {
    throw new PositionLost(
      `${name} has no read position, nothing in the feed tells it, and it is not known that none of it was settled; ${ADVICE}`,
    );
  }
  const { low } = await reader.range(topics.journal, partition);
  if (low > 0) throw new PositionLost(`${name} has no read position, and its first ${low} records are gone; ${ADVICE}`);
  return 0;
}

/** The highest published position of each journal partition, from all of the feed. */
async function highestPublished({ reader, topics }: RecoveryDeps): Promise<Map<number, number>> {
  const highest = new Map<number, number>();
  for (const feedPartition of await reader.partitionsOf(topics.feed)) {
    const { low, end } = await reader.range(topics.feed, feedPartition);
    if (low > 0) {
      throw new PositionLost(
        `a read position of the journal "${topics.journal}" is lost, and the feed "${topics.feed}" no longer holds its beginning, so it cannot tell it; ${ADVICE}`,
      );
    }
    for await (const { headers } of reader.scan(topics.feed, feedPartition, low, end)) {
      const position = positionOf(headers);
      if (position?.journalId !== topics.journalId) continue;
      highest.set(position.partition, Math.max(highest.get(position.partition) ?? -1, position.offset));
    }
  }
  return highest;
}
