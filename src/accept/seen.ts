/**
 * Rule 4's memory: the logs that this process acknowledged in the last ten minutes, sixteen bytes each, so that millions fit.
 *
 * An entry holds a 64-bit tag of the log_id, a 32-bit tag of the content and the verdict. Tags are salted at random, so nobody
 * can look for two logs with equal tags; by chance two ids share a tag once in 2^64. Settlement, which compares everything, is
 * the authority; this only answers early.
 */
import { randomFillSync } from 'node:crypto';

export interface SeenEntry {
  /** Bits as in messages.ts FLAGS: status and BILLABLE. */
  readonly flags: number;
  readonly receivedAt: number;
  readonly sameContent: boolean;
}

interface Segment {
  readonly words: Uint32Array;
  readonly mask: number;
  /** Instants of receipt are kept relative to this, in 29 bits of milliseconds: six days. */
  readonly base: number;
  readonly opened: number;
  count: number;
  newest: number;
}

const WORDS = 4;
const FLAG_BITS = 3;
const INSTANTS = 2 ** (32 - FLAG_BITS);
const MIN_SLOTS = 1 << 14;
const MAX_SLOTS = 1 << 23;
const FILL = 0.7;
/** The window is spread over about this many segments; each look-up visits all of them. */
const SEGMENTS = 4;

export class SeenWindow {
  readonly #windowMs: number;
  readonly #salt = randomFillSync(new Uint32Array(4));
  /** Newest first. */
  #segments: Segment[] = [];
  // The tags of the id and content last looked at.
  #low = 0;
  #high = 0;
  #content = 0;

  constructor(windowMs = 600_000) {
    this.#windowMs = windowMs;
  }

  /** How many logs are remembered. */
  get size(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.count, 0);
  }

  /** @param logId At `logIdAt` of `bytes`, 16 bytes. @param hashAt Where the content hash begins. */
  find(bytes: Uint8Array, logIdAt: number, hashAt: number): SeenEntry | null {
    this.#tag(bytes, logIdAt, hashAt);
    for (const segment of this.#segments) {
      const at = this.#slot(segment);
      const { words } = segment;
      if (words[at] === 0 && words[at + 1] === 0) continue;
      const meta = words[at + 3] as number;
      return {
        flags: meta & ((1 << FLAG_BITS) - 1),
        receivedAt: segment.base + (meta >>> FLAG_BITS),
        sameContent: words[at + 2] === this.#content,
      };
    }
    return null;
  }

  /**
   * @param receivedAt By the wall clock, which may jump.
   * @param now By a clock that only goes forward: the entry is not forgotten before `windowMs` later.
   */
  add(bytes: Uint8Array, logIdAt: number, hashAt: number, flags: number, receivedAt: number, now: number): void {
    this.#tag(bytes, logIdAt, hashAt);
    let segment = this.#segments[0];
    if (!segment || !holds(segment, receivedAt) || now - segment.opened > this.#windowMs) segment = this.#open(receivedAt, now);
    const at = this.#slot(segment);
    const { words } = segment;
    if (words[at] === 0 && words[at + 1] === 0) segment.count += 1;
    words[at] = this.#low;
    words[at + 1] = this.#high;
    words[at + 2] = this.#content;
    words[at + 3] = ((receivedAt - segment.base) << FLAG_BITS) | (flags & ((1 << FLAG_BITS) - 1));
    segment.newest = now;
  }

  /** Starts a segment sized after what the window held lately, and drops those that are past the window. */
  #open(receivedAt: number, now: number): Segment {
    this.#segments = this.#segments.filter(({ newest }) => now - newest <= this.#windowMs);
    let slots = MIN_SLOTS;
    while (slots * FILL * SEGMENTS < this.size * 1.5 && slots < MAX_SLOTS) slots *= 2;
    const base = receivedAt - INSTANTS / 2;
    const segment: Segment = { words: new Uint32Array(slots * WORDS), mask: slots - 1, base, opened: now, count: 0, newest: now };
    this.#segments.unshift(segment);
    return segment;
  }

  /** Index of the first word of the entry with the current id tag, or of the empty slot where it belongs. */
  #slot({ words, mask }: Segment): number {
    let slot = (this.#low ^ (this.#high >>> 7)) & mask;
    for (;;) {
      const at = slot * WORDS;
      const low = words[at];
      const high = words[at + 1];
      if ((low === this.#low && high === this.#high) || (low === 0 && high === 0)) return at;
      slot = (slot + 1) & mask;
    }
  }

  #tag(bytes: Uint8Array, logIdAt: number, hashAt: number): void {
    const [a, b, c, d] = this.#salt as unknown as [number, number, number, number];
    const id0 = word(bytes, logIdAt);
    const id1 = word(bytes, logIdAt + 4);
    const id2 = word(bytes, logIdAt + 8);
    const id3 = word(bytes, logIdAt + 12);
    this.#low = mix(mix(mix(mix(a, id0), id1), id2), id3) >>> 0;
    this.#high = mix(mix(mix(mix(b, id3), id2), id1), id0) >>> 0;
    // Both zero means an empty slot.
    if (this.#low === 0 && this.#high === 0) this.#low = 1;
    this.#content = mix(mix(mix(c ^ d, word(bytes, hashAt)), word(bytes, hashAt + 4)), word(bytes, hashAt + 8)) >>> 0;
  }
}

/** Whether there is room for one more, received then. */
function holds({ base, count, mask }: Segment, receivedAt: number): boolean {
  return count < (mask + 1) * FILL && receivedAt >= base && receivedAt < base + INSTANTS;
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
}

/** One round of MurmurHash3's 32-bit mixing with its finaliser (Austin Appleby, public domain). */
function mix(state: number, value: number): number {
  let k = Math.imul(value, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  k = Math.imul(k, 0x1b873593);
  let h = state ^ k;
  h = (h << 13) | (h >>> 19);
  h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  return h ^ (h >>> 13);
}
