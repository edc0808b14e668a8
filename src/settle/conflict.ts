import type { Refusal } from '../domain/refusal.ts';
import { readPlayRecord } from '../journal/record.ts';

/** Two logs under one log_id were acknowledged; the first stands, this one is kept and never billed. */
export function conflictOf(record: Uint8Array): Refusal {
  const { logId, deviceId, storeId, supplierId, advertiserId, receivedAt, contentHash, canonical, signature } = readPlayRecord(record);
  return {
    code: 'log_id_conflict',
    detail: 'Another log was acknowledged first under this log_id; that one stands.',
    fields: null,
    proven: true,
    logId,
    deviceId,
    storeId,
    supplierId,
    advertiserId,
    receivedAt,
    contentHash,
    body: canonical,
    signature,
  };
}
