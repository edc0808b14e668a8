/**
 * One log as one of the copies has it, in a fixed number of bytes: what is kept of twenty million of them while they are sorted.
 * Integers are big-endian, so entries in the order of their bytes are in the order of log_ids, copies and places.
 *
 *    0  16 B  log_id, in the order of its text
 *   16  u8    which copy: SOURCES
 *   17  u32   partition
 *   21  u48   offset
 *   27  u8    place of the status in STATUSES, +128 where it is billable; STRANGE for a status that is none
 *   28  f64   received_at, milliseconds since 1970 UTC
 *   36  32 B  content_hash
 *   68  16 B  fingerprint of everything that has to agree
 *   84   8 B  fingerprint of the journal position that it was published from
 */
import { STATUSES } from '../../domain/play.ts';
import { readUuid, writeUuid } from '../../domain/uuid.ts';
import { FINGERPRINT_BYTES } from '../fingerprint.ts';

export const SOURCES = ['feed', 'analytics', 'journal'] as const;
export type Source = (typeof SOURCES)[number];

export const ENTRY_BYTES = 92;
const SOURCE_AT = 16;
const PARTITION_AT = 17;
const OFFSET_AT = 21;
const FLAGS_AT = 27;
const RECEIVED_AT = 28;
const HASH_AT = 36;
const FINGERPRINT_AT = 68;
const ORIGIN_AT = 84;
export const ORIGIN_BYTES = 8;
const BILLABLE = 128;
const STRANGE = 127;

export interface Entry {
  readonly source: Source;
  /** Lower-case UUID. */
  readonly logId: string;
  readonly partition: number;
  readonly offset: number;
  /** One of STATUSES; what else a copy may say is `strange`. */
  readonly status: string;
  readonly billable: boolean;
  /** Milliseconds since 1970 UTC. */
  readonly receivedAt: number;
  /** Lower-case hex. */
  readonly contentHash: string;
  /** Sixteen bytes; null where a copy is compared by its hash alone. */
  readonly fingerprint: Uint8Array | null;
  /** Eight bytes; null where the copy does not tell. */
  readonly origin: Uint8Array | null;
}

/** @param entry `logId` and `contentHash` have their lengths. */
export function writeEntry(target: Buffer, at: number, entry: Entry): void {
  writeUuid(target, at, entry.logId);
  target[at + SOURCE_AT] = SOURCES.indexOf(entry.source);
  target.writeUInt32BE(entry.partition, at + PARTITION_AT);
  target.writeUIntBE(entry.offset, at + OFFSET_AT, 6);
  const status = (STATUSES as readonly string[]).indexOf(entry.status);
  target[at + FLAGS_AT] = (status < 0 ? STRANGE : status) | (entry.billable ? BILLABLE : 0);
  target.writeDoubleBE(entry.receivedAt, at + RECEIVED_AT);
  target.write(entry.contentHash, at + HASH_AT, FINGERPRINT_AT - HASH_AT, 'hex');
  target.fill(0, at + FINGERPRINT_AT, at + ENTRY_BYTES);
  if (entry.fingerprint) target.set(entry.fingerprint, at + FINGERPRINT_AT);
  if (entry.origin) target.set(entry.origin, at + ORIGIN_AT);
}

export function readEntry(bytes: Buffer, at = 0): Entry {
  const flags = bytes[at + FLAGS_AT] as number;
  return {
    source: SOURCES[bytes[at + SOURCE_AT] as number] as Source,
    logId: readUuid(bytes, at),
    partition: bytes.readUInt32BE(at + PARTITION_AT),
    offset: bytes.readUIntBE(at + OFFSET_AT, 6),
    status: STATUSES[flags & STRANGE] ?? 'strange',
    billable: (flags & BILLABLE) !== 0,
    receivedAt: bytes.readDoubleBE(at + RECEIVED_AT),
    contentHash: bytes.toString('hex', at + HASH_AT, at + FINGERPRINT_AT),
    fingerprint: partOf(bytes, at + FINGERPRINT_AT, FINGERPRINT_BYTES),
    origin: partOf(bytes, at + ORIGIN_AT, ORIGIN_BYTES),
  };
}

/** A copy: the bytes are used again. Zeros stand for none. */
function partOf(bytes: Buffer, at: number, length: number): Uint8Array | null {
  const part = Uint8Array.from(bytes.subarray(at, at + length));
  return part.some((byte) => byte !== 0) ? part : null;
}
