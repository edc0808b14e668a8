/** The short way reads what the strict reader reads, with the same result, or leaves it to that one. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalText } from '../../../src/domain/canonical-value.ts';
import { DEFAULT_RULES, MAX_LOG_BYTES } from '../../../src/domain/limits.ts';
import { type DecodedLog, decodeLog } from '../../../src/domain/playback-log.ts';
import { type RawLog, readBatch, readSingleLog } from '../../../src/domain/strict-json.ts';
import { readUsualBatch, readUsualLog, type UsualLog } from '../../../src/domain/usual-log.ts';

const FIELDS = {
  campaign_id: '0197a1c0-7b5e-7c3a-9d55-2f6b8a4e1d02',
  content_id: '0197a1c0-7b5e-7c3a-9d55-2f6b8a4e1d03',
  device_id: '0197a1c0-7b5e-7c3a-9d55-2f6b8a4e1d04',
  duration_actual: 14.96,
  duration_expected: 15,
  ended_at: '2026-11-20T16:29:30.250+07:00',
  key_id: 'k1',
  location: { lat: 10.7725, lng: -106.698 },
  log_id: '0197a1c0-7b5e-7c3a-9d55-2f6b8a4e1d01',
  screenshot_hash: 'ab'.repeat(32),
  signature: Buffer.alloc(256, 7).toString('base64'),
  started_at: '2026-11-20T16:29:15.250+07:00',
  status: 'COMPLETED',
};

/** As our SDK sends it, and as screens that add the signature at the end. */
const sorted = (log: object): string => canonicalText(log);
const atTheEnd = (log: object): string => {
  const { signature, ...signed } = log as { signature?: unknown };
  return `${canonicalText(signed).slice(0, -1)},"signature":${JSON.stringify(signature)}}`;
};

function strictly(raw: RawLog): DecodedLog | null {
  if (raw.fault !== null) return null;
  const decoded = decodeLog(raw.value as object, DEFAULT_RULES);
  return decoded.ok ? decoded.log : null;
}

/** Where the short way reads the body, the strict one reads it alike. Says whether it did. */
function agrees(body: Buffer): boolean {
  const usual = readUsualLog(body);
  if (!usual) return false;
  const read = readSingleLog(body);
  if (!read.ok) throw new Error(`the strict reader refuses it: ${read.detail}`);
  expectSame(usual.logs, [read.value]);
  return true;
}

function expectSame(usual: readonly UsualLog[], raws: readonly RawLog[]): void {
  expect(usual.map(({ decoded }) => decoded)).toEqual(raws.map(strictly));
  expect(usual.map((log) => log.text())).toEqual(raws.map((raw) => raw.text()));
}

const without = (...names: string[]): object => Object.fromEntries(Object.entries(FIELDS).filter(([name]) => !names.includes(name)));

describe('the short way', () => {
  it.each([sorted, atTheEnd])('reads what screens send', (spell) => {
    for (const log of [
      FIELDS,
      without('key_id'),
      without('location'),
      without('screenshot_hash'),
      without('key_id', 'location', 'screenshot_hash'),
    ]) {
      expect(agrees(Buffer.from(spell(log)))).toBe(true);
    }
    for (const status of ['PARTIAL', 'SKIPPED', 'ERROR']) expect(agrees(Buffer.from(spell({ ...FIELDS, status })))).toBe(true);
  });

  it('reads batches in each of their forms', () => {
    const logs = [sorted(FIELDS), atTheEnd({ ...FIELDS, key_id: 'another' }), sorted({ ...FIELDS, device_id: FIELDS.content_id })];
    for (const [head, tail] of [
      ['[', ']'],
      ['{"logs":[', ']}'],
      ['{"sent_at":"2026-11-20T09:30:00.000Z","logs":[', ']}'],
    ] as const) {
      const text = head + logs.join(',') + tail;
      const body = Buffer.from(text);
      const usual = readUsualBatch(body, 3);
      const read = readBatch(body, 3);
      if (!usual || !read.ok) throw new Error('the batch was not read');
      expect(usual.sentAt).toBe(read.value.sentAt);
      expectSame(usual.logs, read.value.logs);
      expect(readUsualBatch(body, 2)).toBeNull();
      for (const broken of [`${text} `, ` ${text}`, `${text}]`, `${head}${logs.join(',')},${tail}`, head + tail]) {
        expect(readUsualBatch(Buffer.from(broken), 100)).toBeNull();
      }
    }
  });

  it.each([
    { log_id: '00000000-0000-0000-0000-000000000000' },
    { log_id: FIELDS.log_id.toUpperCase() },
    { screenshot_hash: `sha256:${FIELDS.screenshot_hash}` },
    { screenshot_hash: null },
    { key_id: 'k"1' },
    { key_id: 'ключ' },
    { key_id: '' },
    { key_id: 'k'.repeat(65) },
    { location: null },
    { location: { lat: 91, lng: 0 } },
    { location: { lat: 1e-7, lng: 0 } },
    { duration_actual: 14.9601 },
    { duration_expected: 0 },
    { duration_expected: 86_400.001 },
    { started_at: '2026-02-30T00:00:00Z' },
    { signature: 'AB==' },
    { signature: '' },
    { signature: 'A'.repeat(MAX_LOG_BYTES) },
    { status: 'DONE' },
    { more: 1 },
  ])('leaves %j to the strict reader', (other) => {
    expect(readUsualLog(Buffer.from(sorted({ ...FIELDS, ...other })))).toBeNull();
    expect(readUsualLog(Buffer.from(atTheEnd({ ...FIELDS, ...other })))).toBeNull();
  });

  it('leaves spellings of numbers that are not those of RFC 8785 to the strict reader', () => {
    const text = sorted(FIELDS);
    for (const [canonical, other] of [
      ['14.96', '14.960'],
      ['14.96', '014.96'],
      ['14.96', '1496e-2'],
      ['14.96', '-0'],
      ['14.96', '14.'],
      ['10.7725', '-0'],
      ['10.7725', '0.0000001'],
      ['10.7725', '+10.7725'],
    ] as const) {
      expect(readUsualLog(Buffer.from(text.replace(canonical, other)))).toBeNull();
    }
    for (const zero of ['0', '0.5', '0.001']) expect(agrees(Buffer.from(text.replace('14.96', zero)))).toBe(true);
  });

  it('agrees with the strict reader about every number', () => {
    const decimal = fc
      .tuple(fc.integer({ min: -180, max: 180 }), fc.bigInt({ min: 0n, max: 10n ** 13n }))
      .map(([whole, part]) => `${whole}.${part}`);
    const coordinate = fc.oneof(
      decimal,
      fc.double({ min: -200, max: 200, noNaN: true }).map(String),
      fc.constantFrom('0', '-0', '90', '-180', '0.000001'),
    );
    const duration = fc.oneof(
      fc.nat(86_400_001).map((ms) => String(ms / 1000)),
      fc.double({ min: 0, max: 90_000, noNaN: true }).map(String),
      decimal,
    );
    fc.assert(
      fc.property(duration, duration, coordinate, coordinate, (actual, expected, lat, lng) => {
        agrees(
          Buffer.from(
            sorted(FIELDS).replace('14.96', actual).replace(':15,', `:${expected},`).replace('10.7725', lat).replace('-106.698', lng),
          ),
        );
      }),
      { numRuns: 2_000 },
    );
  });

  it('agrees with the strict reader about damaged bytes', () => {
    const texts = [sorted(FIELDS), atTheEnd(FIELDS)];
    const piece = fc.oneof(
      fc.constantFrom('', '"', '\\', ' ', ',', '0', '9', 'a', 'A', '.', '-', '}', 'null', '\u0000', '\u00e9'),
      fc.string({ maxLength: 3 }),
    );
    let read = 0;
    fc.assert(
      fc.property(fc.nat(1), fc.nat(1_000), fc.nat(4), piece, (which, place, cut, put) => {
        const text = texts[which] as string;
        const at = place % text.length;
        if (agrees(Buffer.from(text.slice(0, at) + put + text.slice(at + cut)))) read += 1;
      }),
      { numRuns: 10_000 },
    );
    // Not a test of nothing: many damages only change a value.
    expect(read).toBeGreaterThan(100);
  });
});
