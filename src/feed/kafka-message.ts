/** The feed's record on Kafka: JSON as its value, CloudEvents 1.0 in binary mode and the journal position as its headers. */
import { formatInstant } from '../domain/timestamp.ts';
import { readPlayRecord } from '../journal/record.ts';
import type { TransactionMessage } from '../kafka/transactions.ts';
import type { MessageHeaders } from '../kafka/client-types.ts';
import { CE_SOURCE, CE_TYPE, POSITION_HEADER } from './envelope.ts';
import { feedRecord } from './feed-record.ts';

/** A position as headers and evidence have it: `<journal_id>/<partition>/<offset>`. */
export interface JournalPosition {
  readonly journalId: string;
  readonly partition: number;
  readonly offset: number;
}

/** @param bytes The journal record of a play. */
export function feedMessage(topic: string, bytes: Uint8Array, { journalId, partition, offset }: JournalPosition): TransactionMessage {
  const play = readPlayRecord(bytes);
  return {
    topic,
    key: play.deviceId,
    value: Buffer.from(JSON.stringify(feedRecord(play))),
    headers: [
      { ce_specversion: '1.0' },
      { ce_id: play.logId },
      { ce_source: CE_SOURCE },
      { ce_type: CE_TYPE },
      { ce_time: formatInstant(play.receivedAt) },
      { 'content-type': 'application/json' },
      { [POSITION_HEADER]: `${journalId}/${partition}/${offset}` },
    ],
  };
}

/** The journal position that a feed record carries; null where it has none that can be read. */
export function positionOf(headers: MessageHeaders | undefined): JournalPosition | null {
  const value = headers?.find((header) => POSITION_HEADER in header)?.[POSITION_HEADER];
  if (value === undefined) return null;
  const match = /^(.+)\/(\d{1,10})\/(\d{1,16})$/.exec(value.toString());
  if (!match) return null;
  return { journalId: match[1] as string, partition: Number(match[2]), offset: Number(match[3]) };
}
