/** The texts that a device reads: one result for each log, and the frame around the results of a batch. */
import { CODES, type Code } from '../domain/codes.ts';
import { type PlaybackStatus, STATUSES } from '../domain/play.ts';
import { formatInstant } from '../domain/timestamp.ts';
import { Problem } from '../server/problem.ts';

export interface FirstVerdict {
  readonly status: PlaybackStatus;
  readonly billable: boolean;
  readonly receivedAt: number;
}

/** @param index Place in the batch, or null for a single log. `receivedAt` is the text of the instant. */
export function successAnswer(
  index: number | null,
  logId: string,
  outcome: 'accepted' | 'duplicate',
  verdict: FirstVerdict,
  receivedAt: string,
): string {
  const place = index === null ? '' : `"index":${index},`;
  return `{${place}"log_id":"${logId}","outcome":"${outcome}","status":"${verdict.status}","billable":${verdict.billable},"received_at":"${receivedAt}"}`;
}

export function duplicateAnswer(index: number | null, logId: string, verdict: FirstVerdict): string {
  return successAnswer(index, logId, 'duplicate', verdict, formatInstant(verdict.receivedAt));
}

/** In a batch: a result. Alone: a problem document. */
export function refusalAnswer(
  index: number | null,
  logId: string | null,
  code: Code,
  detail: string,
  fields: readonly string[] | null,
): string {
  if (index === null) {
    const document = new Problem(code, detail, fields ? { fields } : {}).toDocument();
    return JSON.stringify(logId === null ? document : { ...document, log_id: logId });
  }
  return JSON.stringify({
    index,
    log_id: logId,
    outcome: 'rejected',
    code,
    detail,
    retryable: CODES[code].retryable,
    ...(fields && { fields }),
  });
}

export function batchHead(accepted: number, duplicates: number, rejected: number): string {
  return `{"accepted":${accepted},"duplicates":${duplicates},"rejected":${rejected},"results":[`;
}

export const BATCH_TAIL = ']}';

export function statusOfFlags(flags: number): PlaybackStatus {
  return STATUSES[flags & 3] as PlaybackStatus;
}
