/**
 * One file of the queue, `NNNNNNNNNNNN-RRRRRRRR.seg` (number of its first entry, random id), and beside it the `.ack` file that
 * tells which of its entries have a final verdict.
 *
 * Segment: frames of [u32 magic][u32 length][u32 CRC-32 of the payload][payload], little-endian.
 * Ack: records of [u32 place in the segment][u32 check over the random id and the place].
 */
import { open, readFile, truncate } from 'node:fs/promises';
import { crc32 } from './crc32.ts';

const MAGIC = 0x314c5050;
export const FRAME_HEADER_BYTES = 12;
/** Far above any playback log (16 KiB); a greater length in a frame is damage. */
export const MAX_ENTRY_BYTES = 64 * 1024;
const ACK_BYTES = 8;

export interface Segment {
  /** Path without its ending. */
  readonly path: string;
  readonly id: string;
  /** The number of its first entry; entry i has number first + i. */
  readonly first: number;
  /** Of each entry: where its payload is, how long, and whether it is done (1). */
  readonly offsets: number[];
  readonly lengths: number[];
  readonly done: number[];
  live: number;
  /** Bytes of whole frames. */
  length: number;
  /** Holds bytes that are no frame although frames follow: it is set aside at the end, never deleted. */
  damaged: boolean;
}

export function segmentName(first: number, id: string): string {
  return `${String(first).padStart(12, '0')}-${id}`;
}

export function parseSegmentName(file: string): { first: number; id: string; kind: 'seg' | 'ack' } | null {
  const match = /^(\d{12})-([0-9a-f]{8})\.(seg|ack)$/.exec(file);
  return match ? { first: Number(match[1]), id: match[2] as string, kind: match[3] as 'seg' | 'ack' } : null;
}

export function emptySegment(path: string, first: number, id: string): Segment {
  return { path, id, first, offsets: [], lengths: [], done: [], live: 0, length: 0, damaged: false };
}

export function frameOf(payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  frame.writeUInt32LE(MAGIC, 0);
  frame.writeUInt32LE(payload.length, 4);
  frame.writeUInt32LE(crc32(payload), 8);
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

export function addEntry(segment: Segment, offset: number, length: number): void {
  segment.offsets.push(offset);
  segment.lengths.push(length);
  segment.done.push(0);
  segment.live += 1;
}

/** Length of the payload of a whole frame at `at`, or -1. */
function frameAt(bytes: Buffer, at: number): number {
  if (at + FRAME_HEADER_BYTES > bytes.length || bytes.readUInt32LE(at) !== MAGIC) return -1;
  const length = bytes.readUInt32LE(at + 4);
  const start = at + FRAME_HEADER_BYTES;
  if (length > MAX_ENTRY_BYTES || start + length > bytes.length) return -1;
  return crc32(bytes.subarray(start, start + length)) === bytes.readUInt32LE(at + 8) ? length : -1;
}

/**
 * Reads a segment and its acks from disk. Bytes behind the last whole frame are a torn write, which nobody was told is kept:
 * where `mayBeTorn` (only the newest segment can be), they are cut off. Bytes between frames are damage: what is whole is
 * still found by looking for the next frame.
 */
export async function loadSegment(path: string, first: number, id: string, mayBeTorn: boolean): Promise<Segment> {
  const segment = emptySegment(path, first, id);
  const bytes = await readFile(`${path}.seg`);
  let at = 0;
  while (at < bytes.length) {
    const length = frameAt(bytes, at);
    if (length >= 0) {
      if (at > segment.length) segment.damaged = true;
      addEntry(segment, at + FRAME_HEADER_BYTES, length);
      at += FRAME_HEADER_BYTES + length;
      segment.length = at;
    } else {
      at += 1;
    }
  }
  if (segment.length < bytes.length) {
    if (mayBeTorn) await cut(`${path}.seg`, segment.length);
    else segment.damaged = true;
  }
  await loadAcks(segment);
  return segment;
}

async function cut(file: string, length: number): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.truncate(length);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

async function loadAcks(segment: Segment): Promise<void> {
  const file = `${segment.path}.ack`;
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  let at = 0;
  for (; at + ACK_BYTES <= bytes.length; at += ACK_BYTES) {
    const place = bytes.readUInt32LE(at);
    if (bytes.readUInt32LE(at + 4) !== ackCheck(segment.id, place)) break;
    markDone(segment, place);
  }
  // An ack that is lost costs a repeat, which the service absorbs; one that is misread would cost a log.
  if (at < bytes.length) await truncate(file, at);
}

/** @returns whether the entry was still to be done. */
export function markDone(segment: Segment, place: number): boolean {
  if (segment.done[place] !== 0) return false;
  segment.done[place] = 1;
  segment.live -= 1;
  return true;
}

export function ackRecords(segment: Segment, places: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(places.length * ACK_BYTES);
  places.forEach((place, i) => {
    bytes.writeUInt32LE(place, i * ACK_BYTES);
    bytes.writeUInt32LE(ackCheck(segment.id, place), i * ACK_BYTES + 4);
  });
  return bytes;
}

function ackCheck(id: string, place: number): number {
  return crc32(Buffer.from(`${id}:${place}`, 'latin1'));
}

/** Reads the payloads at `places` (in rising order) with one read; null where the bytes on disk are no longer what was written. */
export async function readEntries(segment: Segment, places: readonly number[]): Promise<(string | null)[]> {
  const firstPlace = places[0];
  const lastPlace = places[places.length - 1];
  if (firstPlace === undefined || lastPlace === undefined) return [];
  const from = (segment.offsets[firstPlace] as number) - FRAME_HEADER_BYTES;
  const to = (segment.offsets[lastPlace] as number) + (segment.lengths[lastPlace] as number);
  const bytes = Buffer.alloc(to - from);
  const handle = await open(`${segment.path}.seg`, 'r');
  try {
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, from + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
  } finally {
    await handle.close();
  }
  return places.map((place) => {
    const at = (segment.offsets[place] as number) - from;
    const length = segment.lengths[place] as number;
    return frameAt(bytes, at - FRAME_HEADER_BYTES) === length ? bytes.toString('utf8', at, at + length) : null;
  });
}
