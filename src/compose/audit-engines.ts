/** The engines of a distributed installation, opened for an audit. It runs in the process of the command: nobody else there needs Kafka. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { connectTo } from '../analytics/http-engine.ts';
import { queryLines } from '../analytics/query.ts';
import type { EngineAuditInput } from '../audit/engines/audit.ts';
import { type AskRows, ClickHouseRows } from '../audit/engines/clickhouse-rows.ts';
import { EdgeJournalCopy } from '../audit/engines/edge-journal.ts';
import { KafkaFeed, KafkaJournalCopy, openKafkaReader } from '../audit/engines/kafka-copies.ts';
import { MongoCopies, MongoKeys } from '../audit/engines/mongo-copies.ts';
import type { EngineJournal } from '../audit/engines/ports.ts';
import { AuditImpossible } from '../audit/http-analytics.ts';
import type { Config, EngineSettings } from '../config.ts';
import { DATABASE_FILE, MARK_FILE } from '../journal/sqlite-journal.ts';
import { loadKafkaClient } from '../kafka/client.ts';
import type { CommittedReader } from '../kafka/committed-reader.ts';
import { connectionConfig } from '../kafka/settings.ts';
import { TOPIC_NAMES, type TopicRole } from '../kafka/topic-rules.ts';
import { type FoundTopic, lookAtTopics } from '../kafka/topics.ts';

export interface AuditedEngines extends Pick<EngineAuditInput, 'journal' | 'feed' | 'archive' | 'analytics' | 'keys'> {
  close(): Promise<void>;
}

/** @throws AuditImpossible, or another error with a sentence. */
export async function openEnginesForAudit(config: Config, engines: EngineSettings): Promise<AuditedEngines> {
  const closers: (() => void | Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.toReversed()) await closer();
  };
  try {
    const topics = await lookAtTopics(engines.kafka, ['journal', 'feed', 'positions']);
    const reader = await openReader(engines);
    closers.push(() => reader.close());
    const journal = openJournal(config, reader, topics, closers);
    const archive = new MongoCopies(engines.mongodbUrl);
    closers.push(() => archive.close());
    const keys = new MongoKeys(engines.mongodbUrl);
    closers.push(() => keys.close());
    const feed = new KafkaFeed(reader, needed(topics, 'feed'), topics.get('positions') ?? null);
    return { journal, feed, archive, analytics: new ClickHouseRows(asking(engines.clickhouseUrl)), keys, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openReader({ kafka }: EngineSettings): Promise<CommittedReader> {
  const client = await loadKafkaClient();
  try {
    return await openKafkaReader(client, connectionConfig(kafka));
  } catch (error) {
    throw new AuditImpossible(`Kafka at ${kafka.brokers} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

function openJournal(
  { profile, dataDir }: Config,
  reader: CommittedReader,
  topics: ReadonlyMap<TopicRole, FoundTopic>,
  closers: (() => void | Promise<void>)[],
): EngineJournal {
  if (profile !== 'edge') return new KafkaJournalCopy(reader, needed(topics, 'journal'));
  const file = path.join(dataDir, DATABASE_FILE);
  if (!existsSync(file)) {
    throw new AuditImpossible(
      `there is no ${file}: audit an edge box where its journal is, with PLAYPROOF_DATA_DIR set to the data directory of its service`,
    );
  }
  const journal = new EdgeJournalCopy(file, path.join(dataDir, MARK_FILE));
  closers.push(() => journal.close());
  return journal;
}

function needed(topics: ReadonlyMap<TopicRole, FoundTopic>, role: TopicRole): FoundTopic {
  const topic = topics.get(role);
  if (!topic) throw new AuditImpossible(`the topic "${TOPIC_NAMES[role]}" is not there: is PLAYPROOF_KAFKA_BROKERS the right cluster?`);
  return topic;
}

function asking(url: string): AskRows {
  return async <Row>(sql: string, params: Parameters<AskRows>[1]): Promise<Row[]> => {
    const lines = await queryLines(() => connectTo(url), sql, params);
    return lines
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Row);
  };
}
