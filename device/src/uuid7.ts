/**
 * UUIDv7 (RFC 9562): 48 bits of milliseconds, a 12-bit counter, 62 random bits. One source never makes a smaller id after a
 * greater one, even when its clock is set back; ids in order keep the service's indexes fast.
 */
import { randomFillSync } from 'node:crypto';

const COUNTER_LIMIT = 0x1000;

/**
 * @param now milliseconds since 1970.
 * @param fill fills the given bytes with random ones; must be cryptographic on a real device.
 * @returns a function that makes the next id, in lower case.
 */
export function createUuid7(now: () => number, fill: (bytes: Uint8Array) => void = (bytes) => void randomFillSync(bytes)): () => string {
  const random = new Uint8Array(10);
  let last = 0;
  let counter = 0;
  return () => {
    fill(random);
    const time = Math.max(0, Math.floor(now()));
    if (time > last) {
      last = time;
      // Half of the counter's room is left for the ids of this millisecond.
      counter = (((random[8] as number) << 8) | (random[9] as number)) & 0x7ff;
    } else {
      counter += 1;
      if (counter === COUNTER_LIMIT) {
        last += 1;
        counter = 0;
      }
    }
    const head = last.toString(16).padStart(12, '0');
    random[0] = ((random[0] as number) & 0x3f) | 0x80;
    let tail = '';
    for (let i = 0; i < 8; i += 1) tail += (random[i] as number).toString(16).padStart(2, '0');
    return `${head.slice(0, 8)}-${head.slice(8)}-7${counter.toString(16).padStart(3, '0')}-${tail.slice(0, 4)}-${tail.slice(4)}`;
  };
}
