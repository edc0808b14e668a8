/**
 * The journal record: one binary form of a judged log that is written once, by the worker that judged it, and carried
 * unchanged through journal, archive and feed. Integers are little-endian.
 *
 *    0  u32  CRC-32 of everything behind it
 *    4  u8   version, 1
 *    5  u8   kind: 1 a play, 2 a refusal
 *    8  u32  bytes of the row          (a play: one RowBinary row, domain/play-row.ts; a refusal: none)
 *   12  u32  bytes of the body         (what was signed; of an unproven refusal: what was sent)
 *   16  u32  bytes of the signature
 *   20  u32  bytes of the evidence     (a play: key and store as they stood; a refusal: JSON)
 *   24  16 B log_id, in the order of its text, so that UUIDv7 ids grow
 *   40  32 B content_hash
 *   72  f64  received_at, milliseconds since 1970 UTC
 *   80       row, evidence, body, signature
 */
import { crc32 } from 'node:zlib';
import { CODE_NAMES } from '../domain/codes.ts';
import type { SignatureAlgorithm } from '../domain/facts.ts';
import type { Play } from '../domain/play.ts';
import { MAX_PLAY_ROW_BYTES, playRowLength, ROW_HASH_AT, readPlayRow, rowDeviceId, writePlayRow } from '../domain/play-row.ts';
import type { Refusal } from '../domain/refusal.ts';
import { readUuid, writeUuid } from '../domain/uuid.ts';

export const RECORD_PLAY = 1;
export const RECORD_REFUSAL = 2;
export type RecordKind = typeof RECORD_PLAY | typeof RECORD_REFUSAL;

const VERSION = 1;
const HEADER_BYTES = 80;
export const LOG_ID_AT = 24;
export const LOG_ID_BYTES = 16;
export const HASH_AT = 40;
export const HASH_BYTES = 32;
const RECEIVED_AT = 72;
const KEY_ID_AT = 1 + 4 * 8;
const MAX_KEY_ID_BYTES = 4 * 64;

/** The bytes are not those that were written. */
export class CorruptRecord extends Error {
  override readonly name = 'CorruptRecord';
}

/** An upper bound of the bytes that writing this play takes. */
export function playRecordBound(play: Play): number {
  return HEADER_BYTES + MAX_PLAY_ROW_BYTES + KEY_ID_AT + MAX_KEY_ID_BYTES + play.canonical.length + play.signature.length;
}

/** Writes the record at `offset` and returns its length; `target` has room for `playRecordBound`. */
export function writePlayRecord(target: Buffer, offset: number, play: Play): number {
  const rowAt = offset + HEADER_BYTES;
  const rowBytes = writePlayRow(target, rowAt, play);
  const evidenceAt = rowAt + rowBytes;
  target[evidenceAt] = play.keyAlgorithm === 'RS256' ? 0 : 1;
  target.writeDoubleLE(play.keyValidFrom ?? Number.NaN, evidenceAt + 1);
  target.writeDoubleLE(play.keyValidUntil ?? Number.NaN, evidenceAt + 9);
  target.writeDoubleLE(play.storeLocation.lat, evidenceAt + 17);
  target.writeDoubleLE(play.storeLocation.lng, evidenceAt + 25);
  const evidenceBytes = KEY_ID_AT + target.write(play.keyId, evidenceAt + KEY_ID_AT, MAX_KEY_ID_BYTES, 'utf8');
  const bodyAt = evidenceAt + evidenceBytes;
  target.set(play.canonical, bodyAt);
  target.set(play.signature, bodyAt + play.canonical.length);
  writeUuid(target, offset + LOG_ID_AT, play.logId);
  // Reading hex costs several times what copying bytes does, and the row has it already.
  target.copyWithin(offset + HASH_AT, rowAt + ROW_HASH_AT, rowAt + ROW_HASH_AT + HASH_BYTES);
  return seal(target, offset, RECORD_PLAY, play.receivedAt, [rowBytes, evidenceBytes, play.canonical.length, play.signature.length]);
}

export function refusalRecord(refusal: Refusal): Buffer {
  const { body, signature, contentHash: _hash, receivedAt: _at, ...rest } = refusal;
  const evidence = Buffer.from(JSON.stringify(rest));
  const record = Buffer.alloc(HEADER_BYTES + evidence.length + body.length + signature.length);
  record.set(evidence, HEADER_BYTES);
  record.set(body, HEADER_BYTES + evidence.length);
  record.set(signature, HEADER_BYTES + evidence.length + body.length);
  if (refusal.logId !== null) writeUuid(record, LOG_ID_AT, refusal.logId);
  record.write(refusal.contentHash, HASH_AT, HASH_BYTES, 'hex');
  seal(record, 0, RECORD_REFUSAL, refusal.receivedAt, [0, evidence.length, body.length, signature.length]);
  return record;
}

/** Writes the rest of the header around what is there already, ids and hash among it; returns the length of the whole. */
function seal(
  target: Buffer,
  offset: number,
  kind: RecordKind,
  receivedAt: number,
  [row, evidence, body, signature]: readonly [number, number, number, number],
): number {
  target[offset + 4] = VERSION;
  target[offset + 5] = kind;
  target.writeUInt16LE(0, offset + 6);
  target.writeUInt32LE(row, offset + 8);
  target.writeUInt32LE(body, offset + 12);
  target.writeUInt32LE(signature, offset + 16);
  target.writeUInt32LE(evidence, offset + 20);
  target.writeDoubleLE(receivedAt, offset + RECEIVED_AT);
  const length = HEADER_BYTES + row + evidence + body + signature;
  target.writeUInt32LE(crc32(target.subarray(offset + 4, offset + length)), offset);
  return length;
}

interface Parts {
  readonly kind: number;
  readonly row: Buffer;
  readonly evidence: Buffer;
  readonly body: Buffer;
  readonly signature: Buffer;
}

/** Where the parts end. @throws CorruptRecord when the checksum, the version or the lengths do not fit. */
function prove(record: Buffer): { readonly rowEnd: number; readonly evidenceEnd: number; readonly bodyEnd: number } {
  if (record.length < HEADER_BYTES) throw new CorruptRecord(`a record of ${record.length} bytes`);
  if (crc32(record.subarray(4)) !== record.readUInt32LE(0)) throw new CorruptRecord('the checksum of a record does not fit its bytes');
  if (record[4] !== VERSION) throw new CorruptRecord(`a record of version ${record[4]}; this program reads version ${VERSION}`);
  const rowEnd = HEADER_BYTES + record.readUInt32LE(8);
  const evidenceEnd = rowEnd + record.readUInt32LE(20);
  const bodyEnd = evidenceEnd + record.readUInt32LE(12);
  const end = bodyEnd + record.readUInt32LE(16);
  if (end !== record.length) throw new CorruptRecord(`a record of ${record.length} bytes that should have ${end}`);
  return { rowEnd, evidenceEnd, bodyEnd };
}

/** @throws CorruptRecord */
function open(bytes: Uint8Array): Parts & { readonly record: Buffer } {
  const record = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { rowEnd, evidenceEnd, bodyEnd } = prove(record);
  return {
    record,
    kind: record[5] as number,
    row: record.subarray(HEADER_BYTES, rowEnd),
    evidence: record.subarray(rowEnd, evidenceEnd),
    body: record.subarray(evidenceEnd, bodyEnd),
    signature: record.subarray(bodyEnd),
  };
}

/** @throws CorruptRecord */
export function readPlayRecord(bytes: Uint8Array): Play {
  const { kind, row, evidence, body, signature } = open(bytes);
  if (kind !== RECORD_PLAY) throw new CorruptRecord(`a record of kind ${kind} where a play was expected`);
  return meaning(() => {
    if (playRowLength(row, 0) !== row.length) throw new RangeError(`a row of ${row.length} bytes`);
    return {
      ...readPlayRow(row, 0),
      keyAlgorithm: (evidence[0] === 0 ? 'RS256' : 'PS256') satisfies SignatureAlgorithm,
      keyValidFrom: instantOrNull(evidence.readDoubleLE(1)),
      keyValidUntil: instantOrNull(evidence.readDoubleLE(9)),
      storeLocation: { lat: evidence.readDoubleLE(17), lng: evidence.readDoubleLE(25) },
      keyId: evidence.toString('utf8', KEY_ID_AT),
      canonical: body,
      signature,
    };
  });
}

/** A record whose checksum fits can still hold nonsense, where something else than this file wrote it. */
function meaning<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new CorruptRecord(`the parts of a record cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function instantOrNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

/** @throws CorruptRecord */
export function readRefusalRecord(bytes: Uint8Array): Refusal {
  const { kind, evidence, body, signature, record } = open(bytes);
  if (kind !== RECORD_REFUSAL) throw new CorruptRecord(`a record of kind ${kind} where a refusal was expected`);
  const rest = meaning(() => JSON.parse(evidence.toString('utf8')) as Omit<Refusal, 'body' | 'signature' | 'contentHash' | 'receivedAt'>);
  if (!CODE_NAMES.includes(rest?.code)) throw new CorruptRecord('a refusal without a code that is known');
  return { ...rest, contentHash: recordHash(record), receivedAt: record.readDoubleLE(RECEIVED_AT), body, signature };
}

/** The RowBinary row of a play. @throws CorruptRecord */
export function recordRow(bytes: Uint8Array): Buffer {
  const record = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { rowEnd } = prove(record);
  if (record[5] !== RECORD_PLAY) throw new CorruptRecord(`a record of kind ${record[5]} where a play was expected`);
  return record.subarray(HEADER_BYTES, rowEnd);
}

// Looking at the header alone, without proving the checksum.

export function recordKind(record: Uint8Array): number | undefined {
  return record[5];
}

/** The device, in lower case; null where a refusal has none that could be read. @throws CorruptRecord for a damaged refusal. */
export function recordDeviceId(record: Uint8Array): string | null {
  return recordKind(record) === RECORD_PLAY ? rowDeviceId(record, HEADER_BYTES) : readRefusalRecord(record).deviceId;
}

export function recordLogId(record: Uint8Array): string {
  return readUuid(record, LOG_ID_AT);
}

export function recordHash(record: Uint8Array): string {
  return Buffer.from(record.buffer, record.byteOffset + HASH_AT, HASH_BYTES).toString('hex');
}

export function recordReceivedAt(record: Uint8Array): number {
  return new DataView(record.buffer, record.byteOffset).getFloat64(RECEIVED_AT, true);
}
