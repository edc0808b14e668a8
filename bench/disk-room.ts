/** Whether the disk has room for a load, asked before it is begun: a full disk would fail it in the middle. */
import { statfsSync } from 'node:fs';

/** Of journal, archive, feed and analytics with their write-ahead logs and merges, rounded up. */
const BYTES_PER_LOG = 1_900;
/** Left to everybody else. */
const SPARE_BYTES = 4e9;

/** @returns a sentence when there is too little. */
export function diskFault(directory: string, logs: number): string | null {
  const { bavail, bsize } = statfsSync(directory);
  const free = bavail * bsize;
  const needed = logs * BYTES_PER_LOG + SPARE_BYTES;
  if (free >= needed) return null;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(0)} GB`;
  return `${directory} has ${gigabytes(free)} free and ${gigabytes(needed)} are needed; make room, or choose another disk with --dir`;
}
