/**
 * Keys for the benchmark alone, which sign in microseconds. The modulus is the product of many primes below 4096: worthless as a
 * secret, and for whoever verifies it an RSA-2048 key like any other, at the same cost.
 *
 * Signing goes by the Chinese remainder theorem. Modulo such a prime the private operation is one look into a table. Primes are taken
 * in pairs, so that every number of a step fits into 24 bits and every product and sum into the 53 bits of a double.
 */
import { createPublicKey } from 'node:crypto';

const E = 65_537;
const BITS = 2048;
const BYTES = BITS / 8;
const LIMB = 0x100_0000;
/** 24-bit limbs of a signature, rounded up to whole blocks. */
const BLOCK = 8;
const BLOCKS = 11;
const LIMBS = BLOCK * BLOCKS;
const DIGEST_LIMBS = 11;
/** DigestInfo of SHA-256 (RFC 8017, section 9.2, note 1). */
const DIGEST_INFO = '3031300d060960864801650304020105000420';

/** So many of these primes have a product of about 2048 bits; for each the table that takes x to x^(1/e). */
const PRIME_COUNT = 178;
const PRIMES = primesBetween(1880, 4096);
const ROOTS = new Map(PRIMES.map((p) => [p, rootTable(p)]));

export interface FastKey {
  /** SPKI PEM; an ordinary RSA-2048 public key with e = 65537. */
  readonly publicKey: string;
  /** RSASSA-PKCS1-v1_5 with SHA-256. @param digest 32 bytes. @returns 256 bytes, overwritten by the next call. */
  readonly sign: (digest: Uint8Array) => Buffer;
}

/** @param random A number in [0, 1) on each call. */
export function makeFastKey(random: () => number = Math.random): FastKey {
  const primes = choosePrimes(random);
  const modulus = primes.reduce((product, p) => product * BigInt(p), 1n);
  const hex = modulus.toString(16);
  const key = createPublicKey({
    key: { kty: 'RSA', n: Buffer.from(hex, 'hex').toString('base64url'), e: 'AQAB' },
    format: 'jwk',
  });
  const signer = new Signer(primes, modulus);
  return { publicKey: key.export({ type: 'spki', format: 'pem' }), sign: (digest) => signer.sign(digest) };
}

class Signer {
  readonly #pairs: number;
  readonly #first: Int32Array;
  readonly #second: Int32Array;
  readonly #firstRoot: readonly Uint16Array[];
  readonly #secondRoot: readonly Uint16Array[];
  readonly #modulus: Float64Array;
  readonly #inverse: Float64Array;
  /** The padding, and the weights of the digest's limbs, modulo each pair. */
  readonly #padding: Float64Array;
  readonly #weights: Float64Array;
  /** What the two roots of a pair are multiplied with. */
  readonly #firstFactor: Float64Array;
  readonly #secondFactor: Float64Array;
  /** N / pair in limbs from -2^23 to 2^23, by blocks of limbs; the last row is N itself. */
  readonly #matrix: Float64Array;
  readonly #terms: Float64Array;
  readonly #digest = new Float64Array(DIGEST_LIMBS);
  readonly #sums = new Float64Array(LIMBS);
  readonly #signature = Buffer.alloc(BYTES);

  constructor(primes: readonly number[], modulus: bigint) {
    const pairs = primes.length / 2;
    this.#pairs = pairs;
    this.#first = Int32Array.from(primes.slice(0, pairs));
    this.#second = Int32Array.from(primes.slice(pairs));
    this.#firstRoot = Array.from(this.#first, (p) => ROOTS.get(p) as Uint16Array);
    this.#secondRoot = Array.from(this.#second, (p) => ROOTS.get(p) as Uint16Array);
    this.#modulus = Float64Array.from(this.#first, (p, i) => p * (this.#second[i] as number));
    this.#inverse = this.#modulus.map((pair) => 1 / pair);
    const padded = BigInt(`0x0001${'ff'.repeat(BYTES - 3 - 51)}00${DIGEST_INFO}${'00'.repeat(32)}`);
    this.#padding = this.#modulus.map((pair) => Number(padded % BigInt(pair)));
    this.#weights = new Float64Array(pairs * DIGEST_LIMBS);
    this.#firstFactor = new Float64Array(pairs);
    this.#secondFactor = new Float64Array(pairs);
    this.#matrix = new Float64Array(LIMBS * (pairs + 1));
    this.#terms = new Float64Array(pairs + 1);
    for (let i = 0; i < pairs; i += 1) this.#prepare(i, modulus);
    this.#row(pairs, modulus);
  }

  #prepare(i: number, modulus: bigint): void {
    const p = BigInt(this.#first[i] as number);
    const q = BigInt(this.#second[i] as number);
    const pair = p * q;
    for (let limb = 0; limb < DIGEST_LIMBS; limb += 1) {
      this.#weights[i * DIGEST_LIMBS + limb] = Number((1n << BigInt(24 * limb)) % pair);
    }
    const rest = modulus / pair;
    const scale = inverse(rest % pair, pair);
    this.#firstFactor[i] = Number((q * inverse(q % p, p) * scale) % pair);
    this.#secondFactor[i] = Number((p * inverse(p % q, q) * scale) % pair);
    this.#row(i, rest);
  }

  #row(row: number, value: bigint): void {
    let rest = value;
    for (let limb = 0; limb < LIMBS; limb += 1) {
      let digit = Number(rest & 0xff_ffffn);
      rest >>= 24n;
      if (digit >= LIMB / 2) {
        digit -= LIMB;
        rest += 1n;
      }
      const block = Math.floor(limb / BLOCK);
      this.#matrix[(block * (this.#pairs + 1) + row) * BLOCK + (limb % BLOCK)] = digit;
    }
  }

  sign(digest: Uint8Array): Buffer {
    this.#readDigest(digest);
    this.#makeTerms();
    this.#sum();
    this.#write();
    return this.#signature;
  }

  #readDigest(digest: Uint8Array): void {
    for (let limb = 0; limb < DIGEST_LIMBS; limb += 1) {
      const at = 29 - 3 * limb;
      const high = at >= 0 ? (digest[at] as number) : 0;
      this.#digest[limb] = (high << 16) | ((digest[at + 1] ?? 0) << 8) | (digest[at + 2] as number);
    }
  }

  /** The signature modulo each pair, times the pair's coefficient; and how often N has to be taken off the sum. */
  #makeTerms(): void {
    const weights = this.#weights;
    const digest = this.#digest;
    const terms = this.#terms;
    let fractions = 0;
    for (let i = 0; i < this.#pairs; i += 1) {
      const pair = this.#modulus[i] as number;
      const inv = this.#inverse[i] as number;
      let x = this.#padding[i] as number;
      const at = i * DIGEST_LIMBS;
      for (let limb = 0; limb < DIGEST_LIMBS; limb += 1) x += (digest[limb] as number) * (weights[at + limb] as number);
      // The quotient may be off by one.
      let message = x - Math.floor(x * inv) * pair;
      if (message < 0) message += pair;
      else if (message >= pair) message -= pair;
      // As 32-bit integers: the remainder of doubles is a call into a library.
      const whole = message | 0;
      const first = (this.#firstRoot[i] as Uint16Array)[whole % ((this.#first[i] as number) | 0)] as number;
      const second = (this.#secondRoot[i] as Uint16Array)[whole % ((this.#second[i] as number) | 0)] as number;
      const y = first * (this.#firstFactor[i] as number) + second * (this.#secondFactor[i] as number);
      // Rounding to the nearest multiple leaves a term around zero, which halves what the sums have to hold.
      const term = y - Math.floor(y * inv + 0.5) * pair;
      terms[i] = term;
      fractions += term * inv;
    }
    terms[this.#pairs] = -Math.floor(fractions);
  }

  #sum(): void {
    const rows = this.#pairs + 1;
    const matrix = this.#matrix;
    const terms = this.#terms;
    const sums = this.#sums;
    let at = 0;
    for (let limb = 0; limb < LIMBS; limb += BLOCK) {
      let a = 0;
      let b = 0;
      let c = 0;
      let d = 0;
      let e = 0;
      let f = 0;
      let g = 0;
      let h = 0;
      for (let row = 0; row < rows; row += 1, at += BLOCK) {
        const term = terms[row] as number;
        a += term * (matrix[at] as number);
        b += term * (matrix[at + 1] as number);
        c += term * (matrix[at + 2] as number);
        d += term * (matrix[at + 3] as number);
        e += term * (matrix[at + 4] as number);
        f += term * (matrix[at + 5] as number);
        g += term * (matrix[at + 6] as number);
        h += term * (matrix[at + 7] as number);
      }
      sums[limb] = a;
      sums[limb + 1] = b;
      sums[limb + 2] = c;
      sums[limb + 3] = d;
      sums[limb + 4] = e;
      sums[limb + 5] = f;
      sums[limb + 6] = g;
      sums[limb + 7] = h;
    }
  }

  #write(): void {
    const signature = this.#signature;
    let carry = 0;
    for (let limb = 0, at = BYTES - 1; at >= 0; limb += 1, at -= 3) {
      const sum = (this.#sums[limb] as number) + carry;
      carry = Math.floor(sum / LIMB);
      const digit = sum - carry * LIMB;
      signature[at] = digit & 0xff;
      if (at > 0) signature[at - 1] = (digit >> 8) & 0xff;
      if (at > 1) signature[at - 2] = digit >> 16;
    }
  }
}

/** Different primes whose product has exactly 2048 bits. */
function choosePrimes(random: () => number): number[] {
  for (;;) {
    const pool = [...PRIMES];
    const chosen = Array.from({ length: PRIME_COUNT }, () => pool.splice(Math.floor(random() * pool.length), 1)[0] as number);
    const bits = chosen.reduce((sum, p) => sum + Math.log2(p), 0);
    if (bits > BITS - 1 && bits < BITS) return chosen;
  }
}

function primesBetween(from: number, to: number): number[] {
  const composite = new Uint8Array(to);
  for (let p = 2; p * p < to; p += 1) for (let n = p * p; n < to; n += p) composite[n] = 1;
  return Array.from({ length: to - from }, (_, i) => from + i).filter((n) => composite[n] === 0);
}

/** Position x^e holds x: the inverse of encrypting, since that is a permutation modulo each of these primes. */
function rootTable(p: number): Uint16Array {
  const table = new Uint16Array(p);
  for (let x = 0; x < p; x += 1) {
    // e = 2^16 + 1: square sixteen times, multiply once.
    let power = x;
    for (let i = 0; i < 16; i += 1) power = (power * power) % p;
    table[(power * x) % p] = x;
  }
  if (E !== 0x1_0001) throw new Error('the tables are for e = 65537');
  return table;
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b] = [value, modulus];
  let [x, y] = [1n, 0n];
  while (b > 0n) {
    const quotient = a / b;
    [a, b] = [b, a - quotient * b];
    [x, y] = [y, x - quotient * y];
  }
  return ((x % modulus) + modulus) % modulus;
}
