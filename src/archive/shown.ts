/** Plays and refusals as the archive shows them, whatever it is kept in. */
import { CODES } from '../domain/codes.ts';
import type { Play } from '../domain/play.ts';
import type { Refusal } from '../domain/refusal.ts';
import { formatInstant } from '../domain/timestamp.ts';
import type { QuarantineItem } from '../query/archive-port.ts';
import type { Scope } from '../server/access.ts';

export function within(play: Play, { supplierId, advertiserId }: Scope): boolean {
  return (supplierId === null || play.supplierId === supplierId) && (advertiserId === null || play.advertiserId === advertiserId);
}

export interface QuarantineRow {
  /** The place in the list: greater is newer. */
  readonly id: number;
  readonly count: number;
  /** Milliseconds since 1970 UTC. */
  readonly lastReceived: number;
  readonly refusal: Refusal;
}

export function quarantineItem({ id, count, lastReceived, refusal }: QuarantineRow): QuarantineItem {
  return {
    quarantine_id: id,
    log_id: refusal.logId,
    device_id: refusal.deviceId,
    store_id: refusal.storeId,
    supplier_id: refusal.supplierId,
    advertiser_id: refusal.advertiserId,
    code: refusal.code,
    detail: refusal.detail,
    retryable: CODES[refusal.code].retryable,
    fields: refusal.fields,
    signature_proven: refusal.proven,
    received_at: formatInstant(refusal.receivedAt),
    last_received_at: formatInstant(lastReceived),
    count,
    content_hash: refusal.contentHash,
    body: Buffer.from(refusal.body).toString('base64'),
    signature: refusal.signature.length > 0 ? Buffer.from(refusal.signature).toString('base64') : null,
  };
}
