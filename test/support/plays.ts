/** Plays, refusals and records for tests that need many different ones. */
import * as fc from 'fast-check';
import { CODE_NAMES, LOG_CODES } from '../../src/domain/codes.ts';
import { type Play, STATUSES } from '../../src/domain/play.ts';
import type { Refusal } from '../../src/domain/refusal.ts';
import { playRecordBound, refusalRecord, writePlayRecord } from '../../src/journal/record.ts';
import { playOf } from './feed-file.ts';

export function playBytes(play: Play): Buffer {
  const bytes = Buffer.alloc(playRecordBound(play));
  return bytes.subarray(0, writePlayRecord(bytes, 0, play));
}

export function refusalOf(n: number, over: Partial<Refusal> = {}): Refusal {
  const { logId, deviceId, storeId, supplierId, advertiserId, receivedAt, contentHash } = playOf(n);
  return {
    code: 'too_old',
    detail: 'It ended too long ago.',
    fields: null,
    proven: true,
    logId,
    deviceId,
    storeId,
    supplierId,
    advertiserId,
    receivedAt,
    contentHash,
    body: Buffer.from(`{"n":${n}}`),
    signature: Buffer.alloc(256, n),
    ...over,
  };
}

export { refusalRecord };

const uuid = fc.uuid();
const instant = fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 });
const keyInstant = fc.option(instant);
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const coordinate = (bound: number) => fc.double({ min: -bound, max: bound, noNaN: true });

export const anyPlay: fc.Arbitrary<Play> = fc.record({
  logId: uuid,
  deviceId: uuid,
  campaignId: uuid,
  contentId: uuid,
  storeId: uuid,
  supplierId: uuid,
  advertiserId: uuid,
  region: fc.option(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 }).filter((text) => Buffer.byteLength(text) <= 512)),
  storeLocation: fc.record({ lat: coordinate(90), lng: coordinate(180) }),
  contentHash: hash,
  startedAt: instant,
  endedAt: instant,
  receivedAt: instant,
  durationActualMs: fc.integer({ min: 0, max: 86_400_000 }),
  durationExpectedMs: fc.integer({ min: 1, max: 86_400_000 }),
  status: fc.constantFrom(...STATUSES),
  reportedStatus: fc.constantFrom(...STATUSES),
  billable: fc.boolean(),
  distanceM: fc.option(fc.double({ min: 0, max: 20_100_000, noNaN: true })),
  contentKnown: fc.boolean(),
  clockChecked: fc.boolean(),
  ruleVersion: fc.integer({ min: 0, max: 65_535 }),
  keyId: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 64 }),
  keyAlgorithm: fc.constantFrom('RS256', 'PS256'),
  keyValidFrom: keyInstant,
  keyValidUntil: keyInstant,
  canonical: bytes(1_000),
  signature: bytes(512),
});

const maybeUuid = fc.option(uuid);

export const anyRefusal: fc.Arbitrary<Refusal> = fc.record({
  code: fc.constantFrom(...LOG_CODES, ...CODE_NAMES.slice(0, 1)),
  detail: fc.string({ unit: 'grapheme' }),
  fields: fc.option(fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 5 })),
  proven: fc.boolean(),
  logId: maybeUuid,
  deviceId: maybeUuid,
  storeId: maybeUuid,
  supplierId: maybeUuid,
  advertiserId: maybeUuid,
  receivedAt: instant,
  contentHash: hash,
  body: bytes(1_000),
  signature: bytes(512),
});
