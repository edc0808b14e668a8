/** CRC-32 (ISO-HDLC, as in zip and zlib). It finds torn and flipped bytes on disk; it proves nothing about who wrote them. */
import * as zlib from 'node:zlib';

const TABLE = new Uint32Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  TABLE[byte] = value >>> 0;
}

/** The same by hand: what a port without zlib would carry. */
export function portableCrc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i += 1) crc = (TABLE[(crc ^ (bytes[i] as number)) & 0xff] as number) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** @returns an unsigned 32-bit number. Node has it natively from 20.15 on. */
export const crc32: (bytes: Uint8Array) => number = typeof zlib.crc32 === 'function' ? (bytes) => zlib.crc32(bytes) : portableCrc32;
