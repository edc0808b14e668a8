/**
 * A time zone as steps: from each start on, local time is UTC plus the offset. Reports hand the steps to ClickHouse and let it add,
 * instead of using its time zones: its rules are those of the day it was built, and it tells a wrong offset for zones ahead of UTC
 * by 13 hours (Pacific/Apia becomes -11:00). Node's rules are newer, and the same ones write the labels.
 */
import { Problem } from '../server/problem.ts';

export interface ZoneSteps {
  /** Milliseconds since 1970 UTC, ascending; the first lies before everything. */
  readonly starts: readonly number[];
  /** Seconds, positive east of Greenwich; as many as starts. */
  readonly offsets: readonly number[];
}

const BEFORE_EVERYTHING = -62_200_000_000_000;
/** Plays that are loaded while a report is made may lie outside the span that was seen at its start. */
const MARGIN_MS = 400 * 86_400_000;
const MAX_STEPS = 1_000;

/** @throws Problem invalid_parameter unless `text` names a zone of the IANA database. Returns its name in the usual case. */
export function parseTimeZone(text: string): string {
  try {
    // Offsets such as +02:00 are no zones: they know no summer time, and who writes one may expect it.
    if (/^[A-Za-z]/.test(text)) return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  throw new Problem('invalid_parameter', 'The parameter "time_zone" must name a zone of the IANA database, such as Asia/Ho_Chi_Minh.');
}

/** The steps that matter between two instants, with a margin around them. */
export function zoneSteps(timeZone: string, from: number, to: number): ZoneSteps {
  const end = to + MARGIN_MS;
  let at = Temporal.Instant.fromEpochMilliseconds(from - MARGIN_MS).toZonedDateTimeISO(timeZone);
  const starts = [BEFORE_EVERYTHING];
  const offsets = [secondsOf(at)];
  while (starts.length < MAX_STEPS) {
    const next = at.getTimeZoneTransition('next');
    if (!next || next.epochMilliseconds > end) return { starts, offsets };
    starts.push(next.epochMilliseconds);
    offsets.push(secondsOf(next));
    at = next;
  }
  throw new Problem('invalid_parameter', `The time zone ${timeZone} changes too often in this span; narrow it with "from" and "to".`);
}

function secondsOf(at: Temporal.ZonedDateTime): number {
  return Math.round(at.offsetNanoseconds / 1e9);
}
