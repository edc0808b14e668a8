/** What an edge box and a copy of its data directory do alike on Kafka: one fences the other, and neither publishes without its position. */
import { hash } from 'node:crypto';
import { feedMessage } from '../feed/kafka-message.ts';
import type { TransactionMessage, Transactions } from '../kafka/transactions.ts';
import type { JournalRecord, Publication } from './ports.ts';
import { type EdgePosition, edgePositionMessage } from './position-topic.ts';

/** Of the records of a journal on SQLite. */
export const EDGE_PARTITION = 0;

export interface EdgeTransaction {
  readonly feedTopic: string;
  readonly positionsTopic: string;
  readonly journalId: string;
}

/** Whoever opens it last fences all others that publish this journal. */
export function edgeTransactionalId(journalId: string): string {
  return `playproof-journal-${journalId}`;
}

/**
 * Publishes the plays and moves the position behind `last`, in one transaction. When it rejects, what came of it is not known before the
 * position was read again.
 *
 * @throws as `Transactions.run` does
 */
export async function publishBehind(
  transactions: Transactions,
  { feedTopic, positionsTopic, journalId }: EdgeTransaction,
  last: JournalRecord,
  publications: readonly Publication[],
): Promise<EdgePosition> {
  const position = { next: last.offset + 1, lastRecord: hash('sha256', last.bytes, 'hex') };
  function* messages(): Generator<TransactionMessage> {
    for (const { record } of publications) {
      yield feedMessage(feedTopic, record.bytes, { journalId, partition: EDGE_PARTITION, offset: record.offset });
    }
    yield edgePositionMessage(positionsTopic, journalId, position);
  }
  await transactions.run(messages(), null);
  return position;
}
