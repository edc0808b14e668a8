/** `playproof audit` beside a distributed installation, and hands that plant faults in its engines. */
import { createClient } from '@clickhouse/client';
import { type Db, MongoClient } from 'mongodb';
import type { EngineAuditResult } from '../../../src/audit/engines/audit.ts';
import { loadKafkaClient, settled } from '../../../src/kafka/client.ts';
import type { DeliveryReport, KafkaError, MessageHeaders } from '../../../src/kafka/client-types.ts';
import { connectionConfig } from '../../../src/kafka/settings.ts';
import { playproof } from '../../unit/cli/run-cli.ts';
import { javaConsume } from './engines.ts';
import type { Installation } from './installation.ts';
import { plainSettings } from './kafka-settings.ts';

const FEED = 'playback-logs';

export interface Audited extends EngineAuditResult {
  readonly mode: string;
  readonly seconds: number;
}

/** Runs the command as an operator does. @throws Error with what it said where it could not audit. */
export async function auditBeside(env: Record<string, string>, ...args: string[]): Promise<Audited> {
  const { code, stdout, stderr } = await playproof(['audit', '--json', ...args], { env });
  if (stdout === '') throw new Error(`the audit could not be made (${code}): ${stderr}`);
  const audited = JSON.parse(stdout) as Audited;
  if (code !== (audited.clean ? 0 : 1)) throw new Error(`exit code ${code} with clean = ${audited.clean}`);
  return audited;
}

/** A line for each finding: kind, log_id, position. */
export function foundBy({ findings }: EngineAuditResult): string[] {
  return findings.map(({ kind, log_id, position }) => [kind, log_id ?? '-', position ?? '-'].join(' ')).sort();
}

export interface FeedPlace {
  readonly logId: string;
  /** `playback-logs/<partition>/<offset>` */
  readonly place: string;
  /** `<journal_id>/<partition>/<offset>` */
  readonly journal: string;
  readonly value: string;
  readonly key: string;
  readonly partition: number;
  readonly offset: number;
}

/** The feed as Java's consumer has it, in the order of partitions and offsets. */
export async function feedPlaces({ kafka }: Installation): Promise<FeedPlace[]> {
  const records = await javaConsume(FEED, { bootstrap: kafka.bootstrap, readCommitted: true });
  return records
    .map(({ partition, offset, value, key, headers }) => ({
      logId: (JSON.parse(value ?? 'null') as { log_id: string }).log_id,
      place: `${FEED}/${partition}/${offset}`,
      journal: headers.get('journal_position') ?? '',
      value: value ?? '',
      key: key ?? '',
      partition,
      offset,
    }))
    .sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

export async function inMongo<T>({ mongo }: Installation, work: (db: Db) => Promise<T>): Promise<T> {
  const client = new MongoClient(mongo.url);
  try {
    return await work(client.db('playproof'));
  } finally {
    await client.close();
  }
}

export async function inClickHouse({ clickHouse }: Installation, ...statements: readonly string[]): Promise<void> {
  const client = createClient({ url: clickHouse.url });
  try {
    for (const query of statements) await client.command({ query });
  } finally {
    await client.close();
  }
}

export interface HandMade {
  readonly key: string;
  readonly value: string;
  /** `<journal_id>/<partition>/<offset>` */
  readonly journal: string;
  readonly partition: number;
}

/** Publishes as somebody would who may write to the topic. @returns where each came to stand */
export async function publishByHand({ kafka }: Installation, records: readonly HandMade[]): Promise<string[]> {
  const client = await loadKafkaClient();
  const producer = new client.Producer({ ...connectionConfig(plainSettings(kafka.bootstrap)), dr_cb: true }, { acks: -1 });
  await settled((done) => producer.connect({ timeout: 10_000 }, done));
  producer.setPollInterval(5);
  const places: string[] = [];
  let left = records.length;
  await new Promise<void>((resolve, reject) => {
    producer.on('delivery-report', (error: KafkaError | null, { opaque, partition, offset }: DeliveryReport) => {
      left -= 1;
      places[opaque as number] = `${FEED}/${partition}/${offset}`;
      if (error) reject(error);
      else if (left === 0) resolve();
    });
    for (const [i, { key, value, journal, partition }] of records.entries()) {
      const headers: MessageHeaders = [{ journal_position: journal }];
      producer.produce(FEED, partition, Buffer.from(value), key, null, i, headers);
    }
  });
  await settled((done) => producer.disconnect(done));
  return places;
}
