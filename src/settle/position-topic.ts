/**
 * The compacted topic `playback-logs.positions`, keyed by journal_id. For a journal on Kafka it holds a mark: this journal began here, so
 * beginning at its first record is right as long as nothing of it was settled. For a journal on SQLite it holds the read position.
 */
import type { CommittedReader } from '../kafka/committed-reader.ts';
import type { TransactionMessage } from '../kafka/transactions.ts';
import { PositionLost } from './settlement.ts';

const PARTITION = 0;

/** Where settling of a SQLite journal goes on. */
export interface EdgePosition {
  /** The next `seq` to settle; the first is 1. */
  readonly next: number;
  /** Hex of SHA-256 over the record at `next - 1`: tells a journal that was restored and written on from the one that was read. */
  readonly lastRecord: string | null;
}

/** The last committed record of this journal, or null. */
async function lastRecord(reader: CommittedReader, topic: string, journalId: string): Promise<Buffer | null> {
  const { low, end } = await reader.range(topic, PARTITION);
  let found: Buffer | null = null;
  for await (const { key, value } of reader.scan(topic, PARTITION, low, end)) {
    if (key?.toString() === journalId) found = value;
  }
  return found;
}

/** The feed that this journal began with, or null where it is not marked. A feed that was made anew does not tell what was settled. */
export async function feedAtBeginning(reader: CommittedReader, topic: string, journalId: string): Promise<string | null> {
  const value = await lastRecord(reader, topic, journalId);
  return value === null ? null : value.toString('utf8');
}

export function beginMessage(topic: string, journalId: string, feedId: string): TransactionMessage {
  return { topic, key: journalId, value: Buffer.from(feedId), headers: [] };
}

/** @throws PositionLost when what is there cannot be read. */
export async function edgePosition(reader: CommittedReader, topic: string, journalId: string): Promise<EdgePosition | null> {
  const value = await lastRecord(reader, topic, journalId);
  if (value === null) return null;
  try {
    const { next, last_record: last } = JSON.parse(value.toString('utf8')) as { next: unknown; last_record: unknown };
    if (Number.isSafeInteger(next) && (next as number) >= 1 && (last === null || typeof last === 'string')) {
      return { next: next as number, lastRecord: last };
    }
  } catch {
    // Said below, as for every other value that is no position.
  }
  throw new PositionLost(
    `the read position of journal ${journalId} in the topic "${topic}" cannot be read: ${value.toString('utf8').slice(0, 200)}`,
  );
}

export function edgePositionMessage(topic: string, journalId: string, { next, lastRecord: last }: EdgePosition): TransactionMessage {
  return { topic, key: journalId, value: Buffer.from(JSON.stringify({ next, last_record: last })), headers: [] };
}
