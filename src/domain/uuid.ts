/**
 * UUIDs (RFC 9562) between their text, their sixteen bytes in the order of the text, and the order in which ClickHouse keeps
 * them (two 64-bit halves, each little-endian).
 */
const HEX = new Int8Array(128).fill(-1);
for (let i = 0; i < 10; i += 1) HEX[48 + i] = i;
for (let i = 0; i < 6; i += 1) HEX[97 + i] = HEX[65 + i] = 10 + i;

/** Where each of the sixteen bytes stands in the text. */
const AT = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const;
const BYTE_HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Whether `text` is a UUID of any version in the 8-4-4-4-12 form, in either case, and not the nil UUID. */
export function isUuid(text: string): boolean {
  if (text.length !== 36) return false;
  let any = 0;
  for (let i = 0; i < 36; i += 1) {
    const char = text.charCodeAt(i);
    if (i === 8 || i === 13 || i === 18 || i === 23) {
      if (char !== 45) return false;
    } else {
      const digit = char < 128 ? (HEX[char] as number) : -1;
      if (digit < 0) return false;
      any |= digit;
    }
  }
  return any !== 0;
}

function byteAt(uuid: string, index: number): number {
  const at = AT[index] as number;
  return ((HEX[uuid.charCodeAt(at)] as number) << 4) | (HEX[uuid.charCodeAt(at + 1)] as number);
}

/** Writes the UUID's bytes in the order of its text: comparing them compares the texts. */
export function writeUuid(target: Uint8Array, offset: number, uuid: string): void {
  for (let i = 0; i < 16; i += 1) target[offset + i] = byteAt(uuid, i);
}

export function readUuid(source: Uint8Array, offset: number): string {
  let text = '';
  for (let i = 0; i < 16; i += 1) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += '-';
    text += BYTE_HEX[source[offset + i] as number];
  }
  return text;
}

/** Writes the UUID as ClickHouse's RowBinary has it. */
export function writeUuidHalves(target: Uint8Array, offset: number, uuid: string): void {
  for (let i = 0; i < 16; i += 1) target[offset + (i < 8 ? 7 - i : 23 - i)] = byteAt(uuid, i);
}

export function readUuidHalves(source: Uint8Array, offset: number): string {
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 16; i += 1) bytes[i] = source[offset + (i < 8 ? 7 - i : 23 - i)] as number;
  return readUuid(bytes, 0);
}
