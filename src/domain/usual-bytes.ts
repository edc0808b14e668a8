/**
 * A place in the bytes of a request, and the values of the usual spelling that can stand there (`usual-log.ts`). Each reader takes
 * exactly what its rule and RFC 8785 allow, and steps over it and the quote behind it; at anything else it gives nothing.
 */
import type { GeoPoint } from './facts.ts';
import { MAX_DURATION_MS } from './limits.ts';
import { type PlaybackStatus, STATUSES } from './play.ts';
import { parseTimestamp } from './timestamp.ts';

export const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1');

const LNG = bytesOf(',"lng":');
const LOCATION_END = bytesOf('}');
const STATUS_BYTES = {
  COMPLETED: bytesOf('COMPLETED"'),
  PARTIAL: bytesOf('PARTIAL"'),
  SKIPPED: bytesOf('SKIPPED"'),
  ERROR: bytesOf('ERROR"'),
} as const;

const QUOTE = 34;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;
const BACKSLASH = 92;
const OBJECT_END = 125;
const UUID_LENGTH = 36;
const HASH_LENGTH = 64;
export const MAX_INSTANT = 29;
/** Of seconds and of degrees. */
const MAX_WHOLE_DIGITS = 5;
/** With at most 15 significant digits a decimal is the shortest text of its double, so it is canonical as it stands. */
const MAX_COORDINATE_DECIMALS = 12;
/** Below this ECMAScript writes an exponent. */
const MIN_COORDINATE = 1e-6;
/** The value of each digit by its character; 16 for every other. */
const LOWER_HEX = new Uint8Array(256).fill(16);
for (let i = 0; i < 16; i += 1) LOWER_HEX[i.toString(16).charCodeAt(0)] = i;
const POWERS_OF_TEN = Array.from({ length: MAX_COORDINATE_DECIMALS + 1 }, (_, exponent) => 10 ** exponent);

/** A text that was read and its place. */
interface Repeated {
  text: string | null;
  at: number;
}

export class UsualBytes {
  readonly #bytes: Buffer;
  /** The same, a character a byte. A part of it keeps all of it in memory, so what may be held on to is made from the bytes. */
  readonly text: string;
  /** What was signed and the signatures, without what stands between them: never more than the body. */
  readonly memory: Buffer;
  #used = 0;
  at = 0;
  readonly device: Repeated = { text: null, at: 0 };
  readonly key: Repeated = { text: null, at: 0 };

  constructor(body: Uint8Array) {
    this.#bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    this.text = this.#bytes.toString('latin1');
    this.memory = Buffer.allocUnsafe(body.byteLength);
  }

  get ended(): boolean {
    return this.at === this.#bytes.length;
  }

  /** Steps over `expected` where it stands here. */
  skip(expected: Uint8Array): boolean {
    const bytes = this.#bytes;
    const at = this.at;
    for (let i = 0; i < expected.length; i += 1) if (bytes[at + i] !== expected[i]) return false;
    this.at = at + expected.length;
    return true;
  }

  /** The text up to the next quote, and steps over that; null where it holds more than plain ASCII or has another length. */
  plainText(min: number, max: number): string | null {
    const bytes = this.#bytes;
    const start = this.at;
    let at = start;
    for (; at - start <= max; at += 1) {
      const byte = bytes[at] as number;
      if (byte === QUOTE) break;
      if (!(byte >= 32 && byte < 127) || byte === BACKSLASH) return null;
    }
    if (at - start < min || at - start > max) return null;
    this.at = at + 1;
    return bytes.toString('latin1', start, at);
  }

  uuid(): string | null {
    const bytes = this.#bytes;
    const start = this.at;
    let any = 0;
    for (let i = 0; i < UUID_LENGTH; i += 1) {
      const byte = bytes[start + i] as number;
      if (i === 8 || i === 13 || i === 18 || i === 23) {
        if (byte !== MINUS) return null;
      } else {
        const digit = LOWER_HEX[byte] as number;
        if (!(digit < 16)) return null;
        any |= digit;
      }
    }
    if (any === 0 || bytes[start + UUID_LENGTH] !== QUOTE) return null;
    this.at = start + UUID_LENGTH + 1;
    return bytes.toString('latin1', start, start + UUID_LENGTH);
  }

  /** The text that stood in this place of the log before, where the same stands here: a batch mostly is of one screen and key. */
  again({ text, at: before }: Repeated): string | null {
    if (text === null) return null;
    const bytes = this.#bytes;
    const at = this.at;
    for (let i = 0; i <= text.length; i += 1) if (bytes[at + i] !== bytes[before + i]) return null;
    this.at = at + text.length + 1;
    return text;
  }

  /** Remembers what was just read. */
  first(repeated: Repeated, text: string | null): string | null {
    repeated.text = text;
    if (text !== null) repeated.at = this.at - text.length - 1;
    return text;
  }

  instant(): number | undefined {
    const start = this.at;
    const end = this.text.indexOf('"', start);
    if (end < 0 || end - start > MAX_INSTANT) return undefined;
    this.at = end + 1;
    return parseTimestamp(this.text.substring(start, end));
  }

  /** Seconds with at most three decimals as milliseconds, or -1. */
  duration(): number {
    const decimal = this.#decimal(3);
    if (decimal === null) return -1;
    const milliseconds = decimal.digits * (POWERS_OF_TEN[3 - decimal.decimals] as number);
    return milliseconds <= MAX_DURATION_MS ? milliseconds : -1;
  }

  location(): GeoPoint | null {
    const lat = this.#coordinate(90);
    const lng = lat !== null && this.skip(LNG) ? this.#coordinate(180) : null;
    return lat !== null && lng !== null && this.skip(LOCATION_END) ? { lat, lng } : null;
  }

  #coordinate(most: number): number | null {
    const negative = this.#bytes[this.at] === MINUS;
    if (negative) this.at += 1;
    const decimal = this.#decimal(MAX_COORDINATE_DECIMALS);
    if (decimal === null) return null;
    // Both are exact, so the quotient is the double that is nearest to the text.
    const size = decimal.digits / (POWERS_OF_TEN[decimal.decimals] as number);
    if (size > most || (size < MIN_COORDINATE && (negative || size !== 0))) return null;
    return negative ? -size : size;
  }

  /** A decimal number without a sign as RFC 8785 writes it: no leading zeros, none at the end of the decimals. */
  #decimal(maxDecimals: number): { readonly digits: number; readonly decimals: number } | null {
    const bytes = this.#bytes;
    const start = this.at;
    let at = start;
    let digits = 0;
    let digit = (bytes[at] as number) - ZERO;
    while (digit >= 0 && digit <= 9 && at - start <= MAX_WHOLE_DIGITS) {
      digits = digits * 10 + digit;
      at += 1;
      digit = (bytes[at] as number) - ZERO;
    }
    const whole = at - start;
    if (whole === 0 || (whole > 1 && bytes[start] === ZERO)) return null;
    let decimals = 0;
    if (bytes[at] === POINT) {
      at += 1;
      for (digit = (bytes[at] as number) - ZERO; digit >= 0 && digit <= 9; digit = (bytes[at] as number) - ZERO) {
        if (decimals === maxDecimals) return null;
        digits = digits * 10 + digit;
        decimals += 1;
        at += 1;
      }
      if (decimals === 0 || bytes[at - 1] === ZERO) return null;
    }
    this.at = at;
    return { digits, decimals };
  }

  screenshot(): string | null {
    const bytes = this.#bytes;
    const start = this.at;
    for (let i = 0; i < HASH_LENGTH; i += 1) if (!((LOWER_HEX[bytes[start + i] as number] as number) < 16)) return null;
    if (bytes[start + HASH_LENGTH] !== QUOTE) return null;
    this.at = start + HASH_LENGTH + 1;
    return this.text.substring(start, start + HASH_LENGTH);
  }

  status(): PlaybackStatus | null {
    for (const status of STATUSES) if (this.skip(STATUS_BYTES[status])) return status;
    return null;
  }

  /** Canonical base64 as `base64.ts` has it, decoded into the shared memory. */
  signature(): Buffer | null {
    const start = this.at;
    const end = this.text.indexOf('"', start);
    if (end <= start || (end - start) % 4 !== 0) return null;
    const text = this.text.substring(start, end);
    const from = this.#used;
    const to = from + this.memory.write(text, from, 'base64');
    if (this.memory.toString('base64', from, to) !== text) return null;
    this.at = end + 1;
    this.#used = to;
    return this.memory.subarray(from, to);
  }

  /** The bytes from `start` to `end` without those from `cutAt` to `cutEnd`, closed as an object. */
  signed(start: number, cutAt: number, cutEnd: number, end: number): Buffer {
    const { memory } = this;
    const from = this.#used;
    let at = from + this.#bytes.copy(memory, from, start, cutAt);
    if (cutEnd < end) at += this.#bytes.copy(memory, at, cutEnd, end);
    memory[at] = OBJECT_END;
    this.#used = at + 1;
    return memory.subarray(from, this.#used);
  }
}
