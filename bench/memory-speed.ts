/**
 * How fast this machine's memory is at the moment. Signatures fit into a processor's own caches; nearly everything else that a log costs does
 * not. On a virtual machine with neighbours the first can be as fast as ever while the rest takes twice as long, and nothing but
 * this tells.
 */
export interface MemorySpeed {
  /** One read at random from a table much larger than the caches, nanoseconds. */
  readonly randomReadNs: number;
  /** The first write to a page of 4 KiB, microseconds: a host that takes back what its guests do not use has to bring it again. */
  readonly firstTouchUs: number;
}

const TABLE_BITS = 25;
const READS = 4_000_000;
const PAGE_BYTES = 4_096;
const TOUCHED_BYTES = 256 * 1024 * 1024;

export function measureMemorySpeed(): MemorySpeed {
  return { randomReadNs: randomRead(), firstTouchUs: firstTouch() };
}

function randomRead(): number {
  const table = new Uint32Array(2 ** TABLE_BITS).fill(1);
  let place = 1;
  const start = performance.now();
  for (let i = 0; i < READS; i += 1) {
    // Each place hangs on the value that was read before, so that reads cannot overlap. Multiplier and step: Numerical Recipes.
    place = (Math.imul(place, 1_664_525) + 1_013_904_222 + (table[place >>> (32 - TABLE_BITS)] as number)) >>> 0;
  }
  return ((performance.now() - start) * 1e6) / READS;
}

function firstTouch(): number {
  const memory = new Uint8Array(TOUCHED_BYTES);
  const start = performance.now();
  for (let at = 0; at < TOUCHED_BYTES; at += PAGE_BYTES) memory[at] = 1;
  return ((performance.now() - start) * 1e3) / (TOUCHED_BYTES / PAGE_BYTES);
}
