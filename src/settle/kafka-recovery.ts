/**
 * Finds the read position of a journal partition again where the group has none: Kafka drops the offsets of a group that was idle
 * for a week, and somebody may delete them.
 *
 * First the copy in the positions topic, which is exact. Where that is gone too, the feed: each of its records carries the journal
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
 * @param missing Journal partitions without a position.
 * @returns for each of them the offset to settle next.
 * @throws PositionLost when it cannot be known.
 */
export async function findPositions(missing: readonly number[], deps: RecoveryDeps): Promise<Map<number, number>> {
  const { reader, topics } = deps;
  const { marked, next: copies } = await kafkaPositions(reader, topics.positions, topics.journalId);
  const uncopied = missing.filter((partition) => !copies.has(partition));
  const published = uncopied.length === 0 || marked ? new Map<number, number>() : await highestPublished(deps);
  const found = new Map<number, number>();
  for (const partition of missing) {
    const highest = published.get(partition);
    found.set(partition, copies.get(partition) ?? (highest === undefined ? await beginning(deps, partition, marked) : highest + 1));
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
