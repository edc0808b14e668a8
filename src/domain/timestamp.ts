/**
 * Instants as text: RFC 3339, of which the contract takes a strict part. Read by character codes; `Date.parse` takes far too much
 * (30 February, a space for the T, no offset at all).
 */
const ZERO = 48;
const DASH = 45;
const COLON = 58;
const MS_PER_DAY = 86_400_000;
const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: what four digits of a year can say. */
const FIRST_INSTANT = -62_167_219_200_000;
const LAST_INSTANT = 253_402_300_799_999;

/** The two digits at `at`, or -1. */
function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - ZERO;
  const ones = text.charCodeAt(at + 1) - ZERO;
  // Beyond the end charCodeAt is NaN, and every comparison with it is false.
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)) return 29;
  return DAYS_IN_MONTH[month - 1] as number;
}

/**
 * Days from 1970-01-01 to a date of the proleptic Gregorian calendar. Years are counted from March, so that the leap day is the
 * last of its year and the months before a day follow from a linear formula.
 */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const marchYear = month > 2 ? year : year - 1;
  const marchMonth = month > 2 ? month - 3 : month + 9;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  return marchYear * 365 + leapDays + Math.floor((marchMonth * 153 + 2) / 5) + day - 1 - 719_468;
}

/** Milliseconds of the offset that begins at `at` and ends the text, or NaN. */
function parseOffset(text: string, at: number): number {
  const sign = text.charCodeAt(at);
  if (sign === 90 && text.length === at + 1) return 0;
  if ((sign !== 43 && sign !== DASH) || text.length !== at + 6 || text.charCodeAt(at + 3) !== COLON) return Number.NaN;
  const hours = twoDigits(text, at + 1);
  const minutes = twoDigits(text, at + 4);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return Number.NaN;
  const offset = (hours * 60 + minutes) * 60_000;
  return sign === DASH ? -offset : offset;
}

/**
 * Reads an instant such as `2026-11-20T16:29:15.250+07:00`: upper-case T and Z, an offset (Z or ±hh:mm, hours up to 23), at most three
 * digits of fraction, a date that exists, no hour 24, no leap second. `-00:00` is UTC, as RFC 3339 section 4.3 has it. The instant
 * has to lie in the years 0000 to 9999 of UTC, so that it can be written back.
 *
 * @returns milliseconds since 1970 UTC, or undefined when the text is anything else.
 */
export function parseTimestamp(text: string): number | undefined {
  if (text.length < 20 || text.length > 29) return undefined;
  const century = twoDigits(text, 0);
  const yearOfCentury = twoDigits(text, 2);
  const month = twoDigits(text, 5);
  const day = twoDigits(text, 8);
  const hour = twoDigits(text, 11);
  const minute = twoDigits(text, 14);
  const second = twoDigits(text, 17);
  if (century < 0 || yearOfCentury < 0 || month < 1 || month > 12 || day < 1) return undefined;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return undefined;
  if (text.charCodeAt(4) !== DASH || text.charCodeAt(7) !== DASH || text.charCodeAt(10) !== 84) return undefined;
  if (text.charCodeAt(13) !== COLON || text.charCodeAt(16) !== COLON) return undefined;
  const year = century * 100 + yearOfCentury;
  if (day > 28 && day > daysInMonth(year, month)) return undefined;

  let at = 19;
  let fraction = 0;
  if (text.charCodeAt(at) === 46) {
    at += 1;
    let weight = 100;
    for (;;) {
      const digit = text.charCodeAt(at) - ZERO;
      if (!(digit >= 0 && digit <= 9)) break;
      if (weight < 1) return undefined;
      fraction += digit * weight;
      weight = weight === 1 ? 0 : weight / 10;
      at += 1;
    }
    if (weight === 100) return undefined;
  }
  const offset = parseOffset(text, at);
  if (Number.isNaN(offset)) return undefined;
  const instant = daysSinceEpoch(year, month, day) * MS_PER_DAY + ((hour * 60 + minute) * 60 + second) * 1000 + fraction - offset;
  return instant >= FIRST_INSTANT && instant <= LAST_INSTANT ? instant : undefined;
}

/**
 * The instant in UTC with milliseconds and `Z`, as every answer has it.
 *
 * @throws RangeError for instants that four digits of a year cannot say.
 */
export function formatInstant(instant: number): string {
  if (!(instant >= FIRST_INSTANT && instant <= LAST_INSTANT)) throw new RangeError(`${instant} is no instant of the years 0000 to 9999`);
  return new Date(instant).toISOString();
}
