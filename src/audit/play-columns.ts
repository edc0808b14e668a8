/** What the audit reads of a play in analytics, the same on one machine and on a server. */
import { ROW_FINGERPRINT_SQL } from './fingerprint.ts';
import type { AnalyticsRow } from './ports.ts';

/** Of the table under the alias `p`. Other names than those of the columns, which they would hide in the conditions. */
export const PLAY_COLUMNS =
  'p.feed_partition AS r_partition, p.feed_offset AS r_offset, toString(p.log_id) AS r_log_id, lower(hex(p.content_hash)) AS r_content_hash, ' +
  'toString(p.status) AS r_status, p.billable AS r_billable, toUnixTimestamp64Milli(p.ended_at) AS r_ended_at, ' +
  `${ROW_FINGERPRINT_SQL} AS r_fingerprint`;

export interface PlayColumns {
  readonly r_partition: number;
  readonly r_offset: number;
  readonly r_log_id: string;
  readonly r_content_hash: string;
  readonly r_status: string;
  readonly r_billable: boolean;
  readonly r_ended_at: number;
  readonly r_fingerprint: string;
}

export function analyticsRow(row: PlayColumns): AnalyticsRow {
  return {
    partition: row.r_partition,
    offset: row.r_offset,
    logId: row.r_log_id,
    contentHash: row.r_content_hash,
    status: row.r_status,
    billable: row.r_billable,
    endedAt: row.r_ended_at,
    fingerprint: row.r_fingerprint,
  };
}
