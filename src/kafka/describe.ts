/** What the native client does not tell about a cluster. */
import { KafkaRefused, WireError } from './errors.ts';
import type { BrokerConnection } from './wire.ts';

const METADATA = 3;
const DESCRIBE_CONFIGS = 32;
const TOPIC_RESOURCE = 2;

export interface Cluster {
  readonly id: string;
  readonly brokers: number;
}

/** @throws KafkaUnreachable */
export async function describeCluster(connection: BrokerConnection): Promise<Cluster> {
  const answer = await connection.ask(METADATA, 5, (request) => request.array([], () => undefined).boolean(false));
  answer.int32();
  const brokers = answer.array(() => {
    answer.int32();
    answer.string();
    answer.int32();
    answer.nullableString();
  });
  const id = answer.nullableString();
  if (id === null) throw new WireError('the cluster does not tell its id');
  return { id, brokers: brokers.length };
}

export type TopicConfig = ReadonlyMap<string, string>;

/**
 * The settings in force for each topic: its own, or the broker's default.
 *
 * @throws KafkaRefused where we may not read them; KafkaUnreachable.
 */
export async function describeTopicConfigs(connection: BrokerConnection, topics: readonly string[]): Promise<Map<string, TopicConfig>> {
  const answer = await connection.ask(DESCRIBE_CONFIGS, 1, (request) => {
    // Null for the names: all of them.
    request.array(topics, (topic) => request.int8(TOPIC_RESOURCE).string(topic).int32(-1)).boolean(false);
  });
  answer.int32();
  const described = answer.array(() => {
    const code = answer.int16();
    const message = answer.nullableString();
    answer.int8();
    const topic = answer.string();
    const config = new Map(
      answer.array(() => {
        const name = answer.string();
        const value = answer.nullableString();
        answer.boolean();
        answer.int8();
        answer.boolean();
        answer.array(() => [answer.string(), answer.nullableString(), answer.int8()]);
        return [name, value ?? ''] as const;
      }),
    );
    if (code !== 0) {
      throw new KafkaRefused(
        `the settings of the topic "${topic}" cannot be read (${message ?? `code ${code}`}); the user needs DESCRIBE_CONFIGS on it`,
      );
    }
    return [topic, config] as const;
  });
  return new Map(described);
}
