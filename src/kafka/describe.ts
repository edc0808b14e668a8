/**
 * What we ask brokers ourselves: the native client cannot ask for a cluster's id or a topic's settings, and it goes on asking a broker
 * that is dead until its time is over. Needs Kafka 2.8 or newer, where topics have ids.
 */
import { KafkaRefused, WireError } from './errors.ts';
import type { BrokerConnection } from './wire.ts';

const METADATA = 3;
const FIND_COORDINATOR = 10;
const CREATE_TOPICS = 19;
const DESCRIBE_CONFIGS = 32;

const TOPIC_RESOURCE = 2;
const UNKNOWN_TOPIC = 3;
const LEADER_NOT_AVAILABLE = 5;
const COORDINATOR_NOT_AVAILABLE = 15;
const ALREADY_EXISTS = 36;
const NO_UUID = Buffer.alloc(16);

export interface Topic {
  readonly name: string;
  /** Sixteen bytes in hex. */
  readonly id: string;
  /** leader: -1 where there is none. */
  readonly partitions: readonly { readonly leader: number; readonly replicas: number }[];
}

export interface Cluster {
  readonly id: string;
  readonly brokers: number;
  /** Those of the topics asked for that exist, as far as this broker knows. */
  readonly topics: ReadonlyMap<string, Topic>;
}

/** @throws KafkaRefused where we may not look at a topic; KafkaUnreachable. */
export async function describeCluster(connection: BrokerConnection, topics: readonly string[]): Promise<Cluster> {
  const flexible = true;
  const answer = await connection.ask(
    METADATA,
    10,
    (request) => {
      request.compactArray(topics, (topic) => request.raw(NO_UUID).compactString(topic).noTags());
      // No topic made by asking; no lists of what we may do.
      request.boolean(false).boolean(false).boolean(false).noTags();
    },
    flexible,
  );
  answer.int32();
  const brokers = answer.compactArray(() => {
    answer.int32();
    answer.compactNullableString();
    answer.int32();
    answer.compactNullableString();
    answer.skipTags();
  });
  const id = answer.compactNullableString();
  if (id === null) throw new WireError('the cluster does not tell its id');
  answer.int32();
  const found = answer.compactArray(() => {
    const code = answer.int16();
    const name = answer.compactNullableString() ?? '';
    const topicId = answer.raw(16).toString('hex');
    answer.boolean();
    const partitions = answer.compactArray(() => {
      answer.int16();
      answer.int32();
      const leader = answer.int32();
      answer.int32();
      const replicas = answer.compactArray(() => answer.int32()).length;
      answer.compactArray(() => answer.int32());
      answer.compactArray(() => answer.int32());
      answer.skipTags();
      return { leader, replicas };
    });
    answer.int32();
    answer.skipTags();
    if (code !== 0 && code !== UNKNOWN_TOPIC && code !== LEADER_NOT_AVAILABLE) {
      throw new KafkaRefused(`the topic "${name}" cannot be looked at (code ${code}); the user needs DESCRIBE on it`);
    }
    return code === UNKNOWN_TOPIC ? [] : [[name, { name, id: topicId, partitions }] as const];
  });
  return { id, brokers: brokers.length, topics: new Map(found.flat()) };
}

export type TopicConfig = ReadonlyMap<string, string>;

/**
 * The settings in force for each topic: its own, or the broker's default. A topic that this broker does not know yet is missing.
 *
 * @throws KafkaRefused where we may not read them; KafkaUnreachable.
 */
export async function describeTopicConfigs(connection: BrokerConnection, topics: readonly string[]): Promise<Map<string, TopicConfig>> {
  const answer = await connection.ask(DESCRIBE_CONFIGS, 1, (request) => {
    // -1: all of them.
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
    if (code !== 0 && code !== UNKNOWN_TOPIC) {
      throw new KafkaRefused(
        `the settings of the topic "${topic}" cannot be read (${message || `code ${code}`}); the user needs DESCRIBE_CONFIGS on it`,
      );
    }
    return code === UNKNOWN_TOPIC ? [] : [[topic, config] as const];
  });
  return new Map(described.flat());
}

/** Of a consumer group, or of a producer of transactions. */
export type Coordinated = 'group' | 'transaction';

/**
 * Asks who coordinates it. A cluster in which nobody ever asked makes its own topic for that now; it may say that it is not there yet.
 *
 * @throws KafkaRefused where we may not ask; KafkaUnreachable.
 */
export async function findCoordinator(connection: BrokerConnection, kind: Coordinated, key: string): Promise<void> {
  const answer = await connection.ask(FIND_COORDINATOR, 1, (request) => {
    request.string(key).int8(kind === 'group' ? 0 : 1);
  });
  answer.int32();
  const code = answer.int16();
  if (code !== 0 && code !== COORDINATOR_NOT_AVAILABLE)
    throw new KafkaRefused(`the coordinator of the ${kind} "${key}" cannot be asked for (code ${code}); the user needs DESCRIBE on it`);
}

export interface NewTopic {
  readonly name: string;
  readonly partitions: number;
  readonly replication: number;
  readonly config: Readonly<Record<string, string>>;
}

/**
 * Makes the topic; does nothing when it is there. Any broker may be asked, as they pass it on to the controller (KRaft).
 *
 * @throws KafkaRefused with the broker's reason; KafkaUnreachable.
 */
export async function createTopic(connection: BrokerConnection, topic: NewTopic, timeoutMs: number): Promise<void> {
  const answer = await connection.ask(CREATE_TOPICS, 4, (request) => {
    request.array([topic], ({ name, partitions, replication, config }) => {
      request.string(name).int32(partitions).int16(replication);
      // Where each replica goes is the cluster's choice.
      request.array([], () => undefined);
      request.array(Object.entries(config), ([key, value]) => request.string(key).string(value));
    });
    request.int32(timeoutMs).boolean(false);
  });
  answer.int32();
  answer.array(() => {
    const name = answer.string();
    const code = answer.int16();
    const message = answer.nullableString();
    if (code !== 0 && code !== ALREADY_EXISTS)
      throw new KafkaRefused(`the topic "${name}" could not be made: ${message || `code ${code}`}`);
  });
}
