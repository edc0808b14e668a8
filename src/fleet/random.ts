/**
 * Seeded randomness (xoshiro128**), so that a run of the fleet can be repeated. Never for keys or anything secret.
 */
export interface Random {
  /** From 0 (included) to 1 (excluded). */
  next(): number;
  /** A whole number from `low` to `high`, both included. */
  integer(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  fill(bytes: Uint8Array): void;
  /** A version 4 UUID in lower case. */
  uuid(): string;
  /** Another stream that depends on the seed and the label alone, not on what was drawn before. */
  fork(label: string): Random;
}

export function createRandom(seed: string): Random {
  const state = seedState(seed);
  const word = (): number => {
    const [a, b, c, d] = state as unknown as [number, number, number, number];
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const third = c ^ a;
    const fourth = d ^ b;
    state[1] = b ^ third;
    state[0] = a ^ fourth;
    state[2] = third ^ (b << 9);
    state[3] = rotate(fourth, 11);
    return result;
  };
  const random: Random = {
    next: () => word() / 0x1_0000_0000,
    integer: (low, high) => low + Math.floor(random.next() * (high - low + 1)),
    chance: (probability) => random.next() < probability,
    pick<T>(items: readonly T[]): T {
      const index = random.integer(0, items.length - 1);
      if (items.length === 0) throw new RangeError('nothing to pick from');
      return items[index] as T;
    },
    fill(bytes) {
      for (let i = 0; i < bytes.length; i += 1) bytes[i] = word() >>> 24;
    },
    uuid() {
      const bytes = Buffer.alloc(16);
      random.fill(bytes);
      bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
      bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
      return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
    },
    fork: (label) => createRandom(`${seed.length}:${seed}/${label}`),
  };
  return random;
}

/** Four words from the text by FNV-1a with an avalanche at the end; never all zero. */
function seedState(seed: string): Uint32Array {
  const state = new Uint32Array(4);
  for (let i = 0; i < 4; i += 1) {
    let hash = 0x811c9dc5 ^ Math.imul(i + 1, 0x9e3779b9);
    for (let at = 0; at < seed.length; at += 1) hash = Math.imul(hash ^ seed.charCodeAt(at), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    state[i] = hash ^ (hash >>> 16);
  }
  if (state.every((value) => value === 0)) state[0] = 1;
  return state;
}

function rotate(value: number, bits: number): number {
  return ((value << bits) | (value >>> (32 - bits))) >>> 0;
}
