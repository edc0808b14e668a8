import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_PLAY_ROW_BYTES, PLAY_ROW_COLUMNS, playRowLength, readPlayRow, writePlayRow } from '../../../src/domain/play-row.ts';
import { isUuid, readUuid, readUuidHalves, writeUuid, writeUuidHalves } from '../../../src/domain/uuid.ts';
import {
  CorruptRecord,
  playRecordBound,
  readPlayRecord,
  readRefusalRecord,
  recordHash,
  recordKind,
  recordLogId,
  recordReceivedAt,
  recordRow,
  refusalRecord,
  writePlayRecord,
} from '../../../src/journal/record.ts';
import { playOf } from '../../support/feed-file.ts';
import { anyPlay, anyRefusal, playBytes, refusalOf } from '../../support/plays.ts';

/** Writes a checksum that fits, as someone else's program would. */
function sealed(record: Buffer): Buffer {
  record.writeUInt32LE(crc32(record.subarray(4)), 0);
  return record;
}

describe('the journal record', () => {
  it('gives back every play, wherever in a buffer it was written', () => {
    fc.assert(
      fc.property(anyPlay, fc.nat(50), (play, offset) => {
        const target = Buffer.alloc(offset + playRecordBound(play), 0xee);
        const length = writePlayRecord(target, offset, play);
        expect(length).toBeLessThanOrEqual(playRecordBound(play));
        const record = target.subarray(offset, offset + length);
        expect(readPlayRecord(record)).toEqual(play);
        expect([recordLogId(record), recordHash(record), recordReceivedAt(record), recordKind(record)]).toEqual([
          play.logId,
          play.contentHash,
          play.receivedAt,
          1,
        ]);
        expect(readPlayRow(recordRow(record), 0)).toEqual(readPlayRow(record, 80));
      }),
    );
  });

  it('gives back every refusal', () => {
    fc.assert(
      fc.property(anyRefusal, (refusal) => {
        const record = refusalRecord(refusal);
        expect(readRefusalRecord(record)).toEqual(refusal);
        expect(recordHash(record)).toBe(refusal.contentHash);
      }),
    );
  });

  it('notices any one changed bit, in every byte', () => {
    for (const [whole, read] of [
      [playBytes(playOf(1, { canonical: Buffer.from('{"a":1}'), signature: Buffer.alloc(16, 7) })), readPlayRecord],
      [refusalRecord(refusalOf(2)), readRefusalRecord],
    ] as const) {
      for (let at = 0; at < whole.length; at += 1) {
        const damaged = Buffer.from(whole);
        damaged[at] = (damaged[at] as number) ^ (1 << (at % 8));
        expect(() => read(damaged), `byte ${at}`).toThrow(CorruptRecord);
      }
    }
  });

  it('notices every cut, what is added, and the other kind', () => {
    const whole = playBytes(playOf(1));
    for (let length = 0; length < whole.length; length += 1) {
      expect(() => readPlayRecord(whole.subarray(0, length))).toThrow(CorruptRecord);
    }
    expect(() => readPlayRecord(Buffer.concat([whole, Buffer.of(0)]))).toThrow(CorruptRecord);
    expect(() => readRefusalRecord(whole)).toThrow(CorruptRecord);
    expect(() => readPlayRecord(refusalRecord(refusalOf(1)))).toThrow(CorruptRecord);
    expect(() => recordRow(refusalRecord(refusalOf(1)))).toThrow(CorruptRecord);
  });

  it('calls nonsense damaged even where its checksum fits', () => {
    const version = playBytes(playOf(1));
    version[4] = 2;
    const status = playBytes(playOf(1));
    // The row begins at 80; its status lies behind 7 ids, the hash, 4 numbers of 8 bytes, 2 of 4 and 1 of 2.
    status[80 + 7 * 16 + 32 + 4 * 8 + 4 + 4 + 2] = 9;
    const region = playBytes(playOf(1, { region: 'R1' }));
    region[80 + 7 * 16 + 32 + 4 * 8 + 15] = 1;
    const noEvidence = playBytes(playOf(1, { keyId: '', canonical: Buffer.alloc(0), signature: Buffer.alloc(0) }));
    const short = Buffer.from(noEvidence.subarray(0, noEvidence.length - 33));
    short.writeUInt32LE(0, 20);
    for (const record of [version, status, region, short]) expect(() => readPlayRecord(sealed(record))).toThrow(CorruptRecord);
    const json = refusalRecord(refusalOf(1));
    json[80] = 0x5b;
    expect(() => readRefusalRecord(sealed(json))).toThrow(CorruptRecord);
    const code = refusalRecord(refusalOf(1));
    code.write('to0_old', code.indexOf('too_old'));
    expect(() => readRefusalRecord(sealed(code))).toThrow(CorruptRecord);
  });
});

describe('the play row', () => {
  it('takes as many bytes as its columns and its region do', () => {
    const sizes: Record<string, number> = { UUID: 16, 'FixedString(32)': 32, Float64: 8, UInt32: 4, UInt16: 2, Bool: 1 };
    const fixed = PLAY_ROW_COLUMNS.map(([, type]) => sizes[type] ?? (type.startsWith('DateTime64') ? 8 : type.startsWith('Enum8') ? 1 : 0));
    const fixedBytes = fixed.reduce((sum, size) => sum + size, 0);
    for (const [length, prefix] of [
      [0, 1],
      [1, 1],
      [127, 1],
      [128, 2],
      [512, 2],
    ] as const) {
      const target = Buffer.alloc(MAX_PLAY_ROW_BYTES);
      const play = playOf(1, { region: length === 0 ? null : 'x'.repeat(length) });
      expect(writePlayRow(target, 0, play)).toBe(fixedBytes + prefix + length);
      expect(playRowLength(target, 0)).toBe(fixedBytes + prefix + length);
      expect(readPlayRow(target, 0).region).toBe(play.region);
    }
    expect(() => writePlayRow(Buffer.alloc(2_000), 0, playOf(1, { region: 'x'.repeat(513) }))).toThrow(RangeError);
  });
});

describe('UUIDs', () => {
  it('keep their text, and their bytes sort as their texts do', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.uuid(), (a, b) => {
        const [bytesA, bytesB] = [Buffer.alloc(18), Buffer.alloc(18)];
        writeUuid(bytesA, 1, a.toUpperCase());
        writeUuid(bytesB, 1, b);
        expect(readUuid(bytesA, 1)).toBe(a);
        expect(Math.sign(Buffer.compare(bytesA, bytesB))).toBe(a < b ? -1 : a > b ? 1 : 0);
        expect(bytesA.subarray(1, 17).toString('hex')).toBe(a.replaceAll('-', ''));
        expect([bytesA[0], bytesA[17]]).toEqual([0, 0]);
      }),
    );
  });

  it('stand in ClickHouse as two halves, each turned round', () => {
    const bytes = Buffer.alloc(16);
    writeUuidHalves(bytes, 0, '00112233-4455-6677-8899-aabbccddeeff');
    expect(bytes.toString('hex')).toBe('7766554433221100ffeeddccbbaa9988');
    fc.assert(
      fc.property(fc.uuid(), (uuid) => {
        writeUuidHalves(bytes, 0, uuid);
        expect(readUuidHalves(bytes, 0)).toBe(uuid);
      }),
    );
  });

  it('are told from everything else', () => {
    const good = '0198f0c2-7b3a-7cc1-9d2e-5a4b3c2d1e0f';
    for (const text of [good, good.toUpperCase(), 'ffffffff-ffff-ffff-ffff-ffffffffffff']) expect(isUuid(text)).toBe(true);
    for (const text of [
      '',
      '00000000-0000-0000-0000-000000000000',
      good.replaceAll('-', ''),
      `{${good.slice(2)}}`,
      `${good} `,
      ` ${good.slice(1)}`,
      good.replace('-', '_'),
      good.replace('f', 'g'),
      good.replace('f', 'ſ'),
      good.replace('0', '０'),
    ])
      expect(isUuid(text), text).toBe(false);
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 36, maxLength: 36 }), (text) => {
        const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
        expect(isUuid(text)).toBe(shape.test(text) && /[1-9a-f]/i.test(text));
      }),
    );
  });
});
