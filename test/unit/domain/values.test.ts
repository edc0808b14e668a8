/** Timestamps, durations, base64, distances: the values inside a log. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCanonicalBase64, isCanonicalBase64 } from '../../../src/domain/base64.ts';
import { toMilliseconds } from '../../../src/domain/duration.ts';
import { distanceM, EARTH_RADIUS_M } from '../../../src/domain/geo.ts';
import { MAX_DURATION_MS } from '../../../src/domain/limits.ts';
import { formatInstant, parseTimestamp } from '../../../src/domain/timestamp.ts';

const FIRST = Date.parse('0000-01-01T00:00:00.000Z');
const LAST = Date.parse('9999-12-31T23:59:59.999Z');

function pad(value: number, width = 2): string {
  return String(value).padStart(width, '0');
}

describe('parseTimestamp', () => {
  it('reads what formatInstant writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: FIRST, max: LAST }), (instant) => {
        expect(parseTimestamp(formatInstant(instant))).toBe(instant);
      }),
    );
  });

  it('knows every day of the calendar that Date knows', () => {
    let wrong = 0;
    for (let instant = FIRST; instant <= LAST; instant += 86_400_000) {
      if (parseTimestamp(new Date(instant).toISOString()) !== instant) wrong += 1;
    }
    expect(wrong).toBe(0);
  });

  it('agrees with Date on any field values and offsets, and takes no date that does not exist', () => {
    const arbitrary = fc.record({
      year: fc.integer({ min: 1, max: 9998 }),
      month: fc.integer({ min: 0, max: 13 }),
      day: fc.integer({ min: 0, max: 32 }),
      hour: fc.integer({ min: 0, max: 24 }),
      minute: fc.integer({ min: 0, max: 60 }),
      second: fc.integer({ min: 0, max: 60 }),
      fraction: fc.constantFrom('', '.1', '.12', '.123'),
      offset: fc.oneof(
        fc.constant('Z'),
        fc
          .tuple(fc.constantFrom('+', '-'), fc.integer({ min: 0, max: 24 }), fc.integer({ min: 0, max: 60 }))
          .map(([sign, hours, minutes]) => `${sign}${pad(hours)}:${pad(minutes)}`),
      ),
    });
    fc.assert(
      fc.property(arbitrary, (t) => {
        const date = `${pad(t.year, 4)}-${pad(t.month)}-${pad(t.day)}`;
        const text = `${date}T${pad(t.hour)}:${pad(t.minute)}:${pad(t.second)}${t.fraction}${t.offset}`;
        const day = new Date(`${date}T00:00:00Z`);
        const exists = !Number.isNaN(day.getTime()) && day.toISOString().startsWith(date) && t.hour < 24 && t.minute < 60 && t.second < 60;
        const offsetExists = t.offset === 'Z' || (Number(t.offset.slice(1, 3)) < 24 && Number(t.offset.slice(4)) < 60);
        expect(parseTimestamp(text)).toBe(exists && offsetExists ? Date.parse(text) : undefined);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    '2026-11-20T09:30:00',
    '2026-11-20T09:30Z',
    '2026-11-20t09:30:00Z',
    '2026-11-20T09:30:00z',
    '2026-11-20 09:30:00Z',
    '2026-11-20T09:30:00.Z',
    '2026-11-20T09:30:00.1234Z',
    '2026-11-20T09:30:00,5Z',
    '2026-11-20T09:30:00Z ',
    ' 2026-11-20T09:30:00Z',
    '2026-11-20T09:30:00Zx',
    '2026-11-20T09:30:00+07',
    '2026-11-20T09:30:00+0700',
    '2026-11-20T09:30:00+07:0',
    '2026-11-20T09:30:00+07:000',
    '2026-11-20T09:30:00+7:00',
    '2026-11-20T09:30:00−07:00',
    '+002026-11-20T09:30:00Z',
    '2026-W47-5T09:30:00Z',
    '2026/11/20T09:30:00Z',
    '2026-11-20T09-30-00Z',
    '２026-11-20T09:30:00Z',
    '2026-02-29T09:30:00Z',
    '1900-02-29T09:30:00Z',
    '2026-04-31T09:30:00Z',
    '2026-11-20T23:59:60Z',
    '2026-11-20T24:00:00Z',
    // The instant lies outside the years that can be written back.
    '0000-01-01T00:00:00+00:01',
    '9999-12-31T23:59:00-00:01',
    '1795166955000',
    '',
  ])('refuses %j', (text) => expect(parseTimestamp(text)).toBeUndefined());

  it('takes -00:00 as UTC, leap days of leap centuries, and offsets up to 23:59', () => {
    expect(parseTimestamp('2026-11-20T09:30:00-00:00')).toBe(Date.UTC(2026, 10, 20, 9, 30));
    expect(parseTimestamp('2000-02-29T00:00:00.5Z')).toBe(Date.UTC(2000, 1, 29, 0, 0, 0, 500));
    expect(parseTimestamp('2026-11-20T09:30:00+23:59')).toBe(Date.UTC(2026, 10, 19, 9, 31));
  });

  it('never throws, and what it takes has the one shape', () => {
    const near = fc.string({ unit: fc.constantFrom(...'0123456789-:.TZtz+ '.split('')), maxLength: 32 });
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), near), (text) => {
        if (parseTimestamp(text) !== undefined) {
          expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)$/);
        }
      }),
    );
  });

  it('writes no instant that it could not read', () => {
    expect(() => formatInstant(FIRST - 1)).toThrow(RangeError);
    expect(() => formatInstant(LAST + 1)).toThrow(RangeError);
    expect(() => formatInstant(Number.NaN)).toThrow(RangeError);
  });
});

describe('toMilliseconds', () => {
  it('takes every number of whole milliseconds as it is written in decimals', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_DURATION_MS }), (ms) => {
        const text = `${Math.floor(ms / 1000)}.${pad(ms % 1000, 3)}`;
        expect(toMilliseconds(Number(text))).toBe(ms);
      }),
      { numRuns: 5_000 },
    );
  });

  it('refuses a fourth decimal', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_DURATION_MS - 1 }), fc.integer({ min: 1, max: 9 }), (ms, tenth) => {
        expect(toMilliseconds(Number(`${Math.floor(ms / 1000)}.${pad(ms % 1000, 3)}${tenth}`))).toBeUndefined();
      }),
    );
  });

  it.each([-0.001, -1, 86_400.001, 1e300, Number.NaN, Number.POSITIVE_INFINITY, 0.0004, 5e-324, -5e-324])('refuses %d', (seconds) => {
    expect(toMilliseconds(seconds)).toBeUndefined();
  });

  it('makes minus zero zero', () => expect(Object.is(toMilliseconds(-0), 0)).toBe(true));
});

/** The point on the unit sphere. */
function vector({ lat, lng }: { lat: number; lng: number }): readonly [number, number, number] {
  const [phi, lambda] = [(lat * Math.PI) / 180, (lng * Math.PI) / 180];
  return [Math.cos(phi) * Math.cos(lambda), Math.cos(phi) * Math.sin(lambda), Math.sin(phi)];
}

describe('canonical base64', () => {
  it('takes exactly what an encoder writes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
        expect(decodeCanonicalBase64(Buffer.from(bytes).toString('base64'))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('takes a text exactly when the alphabet, the padding and the pad bits are right', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    const right = (text: string): boolean => {
      const match = /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.exec(text);
      if (text === '' || !match) return false;
      if (text.endsWith('==')) return alphabet.indexOf(text.at(-3) ?? '') % 16 === 0;
      return !text.endsWith('=') || alphabet.indexOf(text.at(-2) ?? '') % 4 === 0;
    };
    const texts = fc.oneof(
      fc.string({ unit: fc.constantFrom(...`${alphabet}=-_ \n`.split('')), maxLength: 12 }),
      fc
        .tuple(fc.string({ unit: fc.constantFrom(...alphabet.split('')), minLength: 2, maxLength: 7 }), fc.constantFrom('', '=', '=='))
        .map(([a, b]) => a + b),
      fc.string({ unit: 'binary', maxLength: 8 }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect(isCanonicalBase64(text)).toBe(right(text));
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('distanceM', () => {
  const point = fc.record({
    lat: fc.double({ min: -90, max: 90, noNaN: true }),
    lng: fc.double({ min: -180, max: 180, noNaN: true }),
  });

  it('is symmetric, never NaN, and at most half the way round', () => {
    fc.assert(
      fc.property(point, point, (a, b) => {
        const distance = distanceM(a, b);
        expect(distance).toBeGreaterThanOrEqual(0);
        expect(distance).toBeLessThanOrEqual(Math.PI * EARTH_RADIUS_M);
        expect(distanceM(b, a)).toBeCloseTo(distance, 3);
      }),
    );
  });

  it('agrees with the angle between the vectors', () => {
    fc.assert(
      fc.property(point, point, (a, b) => {
        const [ax, ay, az] = vector(a);
        const [bx, by, bz] = vector(b);
        const cross = Math.hypot(ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx);
        expect(distanceM(a, b)).toBeCloseTo(EARTH_RADIUS_M * Math.atan2(cross, ax * bx + ay * by + az * bz), 0);
      }),
    );
  });

  it('goes the short way over the 180th meridian and over the poles', () => {
    expect(distanceM({ lat: 0, lng: 179.99 }, { lat: 0, lng: -179.99 })).toBeCloseTo((0.02 * Math.PI * EARTH_RADIUS_M) / 180, 3);
    expect(distanceM({ lat: 89.99, lng: 10 }, { lat: 89.99, lng: -170 })).toBeCloseTo((0.02 * Math.PI * EARTH_RADIUS_M) / 180, 3);
    expect(distanceM({ lat: 90, lng: 10 }, { lat: 90, lng: -100 })).toBeCloseTo(0, 6);
    expect(distanceM({ lat: 0, lng: 0 }, { lat: 0, lng: 180 })).toBeCloseTo(Math.PI * EARTH_RADIUS_M, 3);
  });
});
