/**
 * The compacted topic `playback-logs.positions`. A journal on SQLite has its read position there, under its journal_id. A journal on
 * Kafka has its read position in its group, which forgets; so there is a copy here, under `<journal_id>/<partition>`, written in the same
 * transaction, and under its journal_id a mark from before its first record: while that is here, so is every copy that was written.
 */
import { isUuid } from '../domain/uuid.ts';
import type { CommittedReader } from '../kafka/committed-reader.ts';
import type { TransactionMessage } from '../kafka/transactions.ts';
import { PositionLost } from './settlement.ts';

const PARTITION = 0;
/** What stands under the id of a journal on Kafka. */
const MARK = 'begun';

/** Where settling of a SQLite journal goes on. */
export interface EdgePosition {
  /** The next `seq` to settle; the first is 1. */
  readonly next: number;
  /** Hex of SHA-256 over the record at `next - 1`: tells a journal that was restored and written on from the one that was read. */
  readonly lastRecord: string | null;
}

/** The last committed record of each key that belongs to this journal (null: to any). */
async function recordsOf(reader: CommittedReader, topic: string, journalId: string | null): Promise<Map<string, Buffer>> {
  const { low, end } = await reader.range(topic, PARTITION);
  const found = new Map<string, Buffer>();
  for await (const { key, value } of reader.scan(topic, PARTITION, low, end)) {
    const name = key?.toString() ?? '';
    if (journalId !== null && name !== journalId && !name.startsWith(`${journalId}/`)) continue;
    if (value === null) found.delete(name);
    else found.set(name, value);
  }
  return found;
}

/** What is known of a journal on Kafka. */
export interface KafkaPositions {
  /** It is marked: partitions without a copy were never settled from. */
  readonly marked: boolean;
  /** The next offset to settle of each partition, as far as there are copies. */
  readonly next: ReadonlyMap<number, number>;
}

/** @throws PositionLost when what is there cannot be read. */
export async function kafkaPositions(reader: CommittedReader, topic: string, journalId: string): Promise<KafkaPositions> {
  let marked = false;
  const next = new Map<number, number>();
  for (const [key, value] of await recordsOf(reader, topic, journalId)) {
    const text = value.toString('utf8');
    if (key === journalId) marked = true;
    else if (/^\d{1,10}$/.test(key.slice(journalId.length + 1)) && /^\d{1,16}$/.test(text))
      next.set(Number(key.slice(journalId.length + 1)), Number(text));
    else throw unreadable(key, topic, text);
  }
  return { marked, next };
}

export function markMessage(topic: string, journalId: string): TransactionMessage {
  return { topic, key: journalId, value: Buffer.from(MARK), headers: [] };
}

export function kafkaPositionMessage(topic: string, journalId: string, partition: number, next: number): TransactionMessage {
  return { topic, key: `${journalId}/${partition}`, value: Buffer.from(String(next)), headers: [] };
}

function unreadable(key: string, topic: string, text: string): PositionLost {
  return new PositionLost(`the read position "${key}" in the topic "${topic}" cannot be read: ${text.slice(0, 200)}`);
}

/** @throws PositionLost when what is there cannot be read. */
export async function edgePosition(reader: CommittedReader, topic: string, journalId: string): Promise<EdgePosition | null> {
  const value = (await recordsOf(reader, topic, journalId)).get(journalId);
  if (value === undefined) return null;
  const position = edgePositionOf(value.toString('utf8'));
  if (!position) throw unreadable(journalId, topic, value.toString('utf8'));
  return position;
}

/** Null: it is none. */
function edgePositionOf(text: string): EdgePosition | null {
  try {
    const { next, last_record: last } = JSON.parse(text) as { next: unknown; last_record: unknown };
    const isPosition = Number.isSafeInteger(next) && (next as number) >= 1 && (last === null || typeof last === 'string');
    return isPosition ? { next: next as number, lastRecord: last } : null;
  } catch {
    return null;
  }
}

/** What is known of all journals that publish to the feed, whatever they are kept in. */
export interface AllPositions {
  /** By `<journal_id>/<partition>` the offset to settle next. */
  readonly next: ReadonlyMap<string, number>;
  /** Journals on Kafka that are marked. */
  readonly begun: ReadonlySet<string>;
  /** A sentence for each record that is neither. */
  readonly unreadable: readonly string[];
}

export async function allPositions(reader: CommittedReader, topic: string): Promise<AllPositions> {
  const next = new Map<string, number>();
  const begun = new Set<string>();
  const strange: string[] = [];
  for (const [key, value] of await recordsOf(reader, topic, null)) {
    const [journalId = '', partition] = key.split('/');
    // What else is written here, such as the journal's probes, is under the id of no journal.
    if (!isUuid(journalId)) continue;
    const text = value.toString('utf8');
    const edge = partition === undefined ? edgePositionOf(text) : null;
    if (edge) next.set(`${key}/${PARTITION}`, edge.next);
    else if (partition === undefined && text === MARK) begun.add(key);
    else if (partition !== undefined && /^\d{1,10}$/.test(partition) && /^\d{1,16}$/.test(text)) next.set(key, Number(text));
    else strange.push(unreadable(key, topic, text).message);
  }
  return { next, begun, unreadable: strange };
}

export function edgePositionMessage(topic: string, journalId: string, { next, lastRecord: last }: EdgePosition): TransactionMessage {
  return { topic, key: journalId, value: Buffer.from(JSON.stringify({ next, last_record: last })), headers: [] };
}
