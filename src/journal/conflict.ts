import type { Refusal } from '../domain/refusal.ts';
import { readPlayRecord } from './record.ts';

const FIRST_STANDS = 'Another log was acknowledged first under this log_id; that one stands.';

/** A play under a log_id that stands for another log: it is kept, and never billed. @throws CorruptRecord */
export function conflictOf(record: Uint8Array, detail = FIRST_STANDS): Refusal {
  const { logId, deviceId, storeId, supplierId, advertiserId, receivedAt, contentHash, canonical, signature } = readPlayRecord(record);
  return {
    code: 'log_id_conflict',
    detail,
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
