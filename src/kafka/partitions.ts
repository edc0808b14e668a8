import { settled } from './client.ts';
import type { ClusterMetadata, KafkaConsumer } from './client-types.ts';

/**
 * The partitions of a topic as the cluster has them now, in the order of their numbers.
 *
 * @throws Error when the topic is not there, or the cluster does not say within `timeoutMs`.
 */
export async function partitionsOf(consumer: Pick<KafkaConsumer, 'getMetadata'>, topic: string, timeoutMs: number): Promise<number[]> {
  const { topics } = await settled<ClusterMetadata>((done) => consumer.getMetadata({ topic, timeout: timeoutMs }, done));
  const partitions = topics.find(({ name }) => name === topic)?.partitions ?? [];
  if (partitions.length === 0) throw new Error(`the topic "${topic}" is not there`);
  return partitions.map(({ id }) => id).sort((a, b) => a - b);
}
