/**
 * Finds the read position of a journal partition again where the group has none: Kafka drops the offsets of a group that was idle
 * for a week, and somebody may delete them.
 *
 * Each feed record carries the journal position that it came from. Owners of one journal partition are published in its order, so
 * behind the highest position in the feed nothing was published, and up to it everything was settled. Refusals and duplicates
 * behind it may be settled a second time, which changes nothing: quarantine counts a position once, and a duplicate stays one.
 */
import { positionOf } from '../feed/kafka-message.ts';
import type { CommittedReader } from '../kafka/committed-reader.ts';
import type { KafkaTopics } from './kafka-begin.ts';
import { feedAtBeginning } from './position-topic.ts';
import { PositionLost } from './settlement.ts';

/** Offsets looked through at once, from the end of a partition backwards. */
const CHUNK = 20_000;

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
  const journalPartitions = await reader.partitionsOf(topics.journal);
  const feedPartitions = await reader.partitionsOf(topics.feed);
  const begun = (await feedAtBeginning(reader, topics.positions, topics.journalId)) === topics.feedId;
  const found = new Map<number, number>();
  // With as many partitions there as here, a device's logs lie in the same partition of both since the last of them was added, so
  // that what is found there is the highest. Otherwise all of the feed is looked through.
  if (journalPartitions.length === feedPartitions.length) {
    for (const partition of missing) await searchBackwards(deps, partition, new Set([partition]), found);
  }
  const left = missing.filter((partition) => !found.has(partition));
  if (left.length > 0) for (const partition of feedPartitions) await searchBackwards(deps, partition, new Set(left), found);
  return new Map(
    await Promise.all(missing.map(async (partition) => [partition, await next(deps, partition, found.get(partition), begun)] as const)),
  );
}

async function next({ reader, topics }: RecoveryDeps, partition: number, highest: number | undefined, begun: boolean): Promise<number> {
  if (highest !== undefined) return highest + 1;
  const name = `partition ${partition} of the journal "${topics.journal}" (${topics.journalId})`;
  const { low } = await reader.range(topics.journal, partition);
  if (!begun)
    throw new PositionLost(
      `${name} has no read position, nothing in the feed tells it, and it is not known that the journal began with this feed; ${ADVICE}`,
    );
  if (low > 0) throw new PositionLost(`${name} has no read position, and its first ${low} records are gone; ${ADVICE}`);
  return 0;
}

export const ADVICE = 'settling stops rather than bill twice or leave logs out; see docs/operations.md, "The read position is lost"';

/** Puts into `found` the highest position of each wanted journal partition that lies in this partition of the feed. */
async function searchBackwards(
  { reader, topics }: RecoveryDeps,
  feedPartition: number,
  wanted: ReadonlySet<number>,
  found: Map<number, number>,
): Promise<void> {
  const { low, end } = await reader.range(topics.feed, feedPartition);
  if (low > 0) {
    throw new PositionLost(
      `a read position of the journal "${topics.journal}" is lost, and the feed "${topics.feed}" no longer holds its beginning, so it cannot tell it; ${ADVICE}`,
    );
  }
  const here = new Set<number>();
  for (let to = end; to > low && here.size < wanted.size; to = Math.max(low, to - CHUNK)) {
    for await (const { headers } of reader.scan(topics.feed, feedPartition, Math.max(low, to - CHUNK), to)) {
      const position = positionOf(headers);
      if (position?.journalId !== topics.journalId || !wanted.has(position.partition)) continue;
      here.add(position.partition);
      found.set(position.partition, Math.max(found.get(position.partition) ?? -1, position.offset));
    }
  }
}
