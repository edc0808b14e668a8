/**
 * Kafka's primitive types, big-endian: https://kafka.apache.org/protocol#protocol_types. The "compact" ones and tags belong to the
 * flexible versions of requests.
 */
import { WireError } from './errors.ts';

export class WireWriter {
  readonly #parts: Buffer[] = [];

  int8(value: number): this {
    return this.#add(1, (part) => part.writeInt8(value));
  }

  int16(value: number): this {
    return this.#add(2, (part) => part.writeInt16BE(value));
  }

  int32(value: number): this {
    return this.#add(4, (part) => part.writeInt32BE(value));
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  /** Null is allowed where the protocol says so. */
  string(value: string | null): this {
    if (value === null) return this.int16(-1);
    const bytes = Buffer.from(value, 'utf8');
    this.int16(bytes.length).#parts.push(bytes);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.int32(value.length).#parts.push(Buffer.from(value));
    return this;
  }

  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.int32(items.length);
    for (const item of items) write(item);
    return this;
  }

  /** Seven bits to a byte, the lowest first. */
  varint(value: number): this {
    let left = value;
    for (; left > 0x7f; left >>>= 7) this.#add(1, (part) => part.writeUInt8((left & 0x7f) | 0x80));
    return this.#add(1, (part) => part.writeUInt8(left));
  }

  compactString(value: string): this {
    const bytes = Buffer.from(value, 'utf8');
    this.varint(bytes.length + 1).#parts.push(bytes);
    return this;
  }

  compactArray<T>(items: readonly T[], write: (item: T) => void): this {
    this.varint(items.length + 1);
    for (const item of items) write(item);
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#parts.push(Buffer.from(bytes));
    return this;
  }

  /** The end of every structure of a flexible version: we send no tags. */
  noTags(): this {
    return this.varint(0);
  }

  done(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #add(length: number, write: (part: Buffer) => void): this {
    const part = Buffer.alloc(length);
    write(part);
    this.#parts.push(part);
    return this;
  }
}

/** Reads in order. @throws WireError where the bytes end too early. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int8(): number {
    return this.#take(1).readInt8();
  }

  int16(): number {
    return this.#take(2).readInt16BE();
  }

  int32(): number {
    return this.#take(4).readInt32BE();
  }

  boolean(): boolean {
    return this.int8() !== 0;
  }

  nullableString(): string | null {
    const length = this.int16();
    return length < 0 ? null : this.#take(length).toString('utf8');
  }

  string(): string {
    const text = this.nullableString();
    if (text === null) throw new WireError('a string is missing in the answer of the broker');
    return text;
  }

  bytes(): Buffer {
    return this.#take(Math.max(0, this.int32()));
  }

  array<T>(read: () => T): T[] {
    const items: T[] = [];
    // Each item takes at least a byte, so a lie about their number ends at the end of the bytes.
    for (let left = this.int32(); left > 0; left -= 1) items.push(read());
    return items;
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#take(1).readUInt8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new WireError('a number in the answer of the broker does not end');
  }

  compactNullableString(): string | null {
    const length = this.varint();
    return length === 0 ? null : this.#take(length - 1).toString('utf8');
  }

  compactArray<T>(read: () => T): T[] {
    const items: T[] = [];
    for (let left = this.varint() - 1; left > 0; left -= 1) items.push(read());
    return items;
  }

  raw(length: number): Buffer {
    return this.#take(length);
  }

  /** Tags are additions of newer brokers: nothing of ours. */
  skipTags(): void {
    for (let left = this.varint(); left > 0; left -= 1) {
      this.varint();
      this.#take(this.varint());
    }
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new WireError('the answer of the broker is shorter than it says');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}
