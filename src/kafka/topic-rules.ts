/** What each topic has to be, so that nothing that was acknowledged is lost and nothing comes twice. */
import type { TopicConfig } from './describe.ts';

export type TopicRole = 'journal' | 'feed' | 'positions';

export const TOPIC_NAMES: Readonly<Record<TopicRole, string>> = {
  journal: 'playback-logs.journal',
  feed: 'playback-logs',
  positions: 'playback-logs.positions',
};

/** Brokers do not fsync: a record is as durable as the number of those that have it. */
export const MIN_REPLICATION = 3;
const MIN_INSYNC = 2;
/** Kafka's own default; librdkafka sends batches of up to 1 000 000 bytes. */
const MIN_MESSAGE_BYTES = 1_048_588;
const CREATED_MESSAGE_BYTES = 2 * 1_048_576;
/** Of the positions: the segment that is written to is not compacted, and whoever looks for a position reads all of it. */
const CREATED_SEGMENT_BYTES = 8 * 1_048_576;
const MAX_SEGMENT_BYTES = 64 * 1_048_576;

/** Settings of a topic that is created here. */
export function createdConfig(role: TopicRole, replication: number): Record<string, string> {
  return {
    'min.insync.replicas': String(replication >= MIN_REPLICATION ? MIN_INSYNC : 1),
    'unclean.leader.election.enable': 'false',
    'message.timestamp.type': 'LogAppendTime',
    'max.message.bytes': String(CREATED_MESSAGE_BYTES),
    ...(role === 'positions'
      ? { 'cleanup.policy': 'compact', 'segment.bytes': String(CREATED_SEGMENT_BYTES) }
      : { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1' }),
  };
}

export interface TopicState {
  readonly role: TopicRole;
  readonly partitions: number;
  /** Of the partition that has the fewest. */
  readonly replication: number;
  readonly config: TopicConfig;
}

/** What keeps us from using the topic, a phrase each. `weak`: acknowledged records may be lost with a broker, which only a toy may. */
export interface TopicFaults {
  readonly weak: readonly string[];
  readonly wrong: readonly string[];
}

/** Of a topic that may lose records with a broker: why, a phrase each. */
export function weaknesses(replication: number, config: TopicConfig): string[] {
  const weak: string[] = [];
  const of = (name: string): string => config.get(name) ?? 'unknown';
  if (replication < MIN_REPLICATION) weak.push(`it has ${replication} replica${replication === 1 ? '' : 's'}, it needs ${MIN_REPLICATION}`);
  if (!(Number(of('min.insync.replicas')) >= MIN_INSYNC)) {
    weak.push(`min.insync.replicas is ${of('min.insync.replicas')}, it must be at least ${MIN_INSYNC}`);
  }
  if (of('unclean.leader.election.enable') !== 'false') {
    weak.push(`unclean.leader.election.enable is ${of('unclean.leader.election.enable')}, it must be false`);
  }
  return weak;
}

export function topicFaults({ role, partitions, replication, config }: TopicState): TopicFaults {
  const wrong: string[] = [];
  const of = (name: string): string => config.get(name) ?? 'unknown';
  const must = (name: string, value: string, why: string): void => {
    if (of(name) !== value) wrong.push(`${name} is ${of(name)}, it must be ${value} (${why})`);
  };
  if (role === 'positions') {
    must('cleanup.policy', 'compact', 'a position must not expire');
    if (!(Number(of('segment.bytes')) <= MAX_SEGMENT_BYTES)) {
      wrong.push(
        `segment.bytes is ${of('segment.bytes')}, it must be at most ${MAX_SEGMENT_BYTES} (a segment is compacted once it is full)`,
      );
    }
    if (partitions !== 1) wrong.push(`it has ${partitions} partitions, it must have 1`);
  } else {
    const why = role === 'journal' ? 'a record goes only after it was settled' : 'the feed keeps everything; billing may read late';
    must('cleanup.policy', 'delete', 'compaction would keep one record per device');
    must('retention.ms', '-1', why);
    must('retention.bytes', '-1', why);
  }
  must('message.timestamp.type', 'LogAppendTime', 'late plays carry old times');
  if (!(Number(of('max.message.bytes')) >= MIN_MESSAGE_BYTES)) {
    wrong.push(`max.message.bytes is ${of('max.message.bytes')}, it must be at least ${MIN_MESSAGE_BYTES}`);
  }
  return { weak: weaknesses(replication, config), wrong };
}
