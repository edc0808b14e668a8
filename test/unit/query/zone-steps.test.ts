import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseTimeZone, zoneSteps } from '../../../src/query/zone-steps.ts';

/** What the SQL does with the steps. */
function offsetAt(steps: ReturnType<typeof zoneSteps>, instant: number): number | undefined {
  return steps.offsets[steps.starts.filter((start) => start <= instant).length - 1];
}

test('the steps of any zone give the offsets that Intl gives, a year around the span too', () => {
  const zones = fc.constantFrom(...Intl.supportedValuesOf('timeZone'));
  const from = Date.UTC(2024, 0, 1);
  const to = Date.UTC(2028, 0, 1);
  const instants = fc.array(fc.integer({ min: from - 360 * 86_400_000, max: to + 360 * 86_400_000 }), { minLength: 50, maxLength: 50 });
  fc.assert(
    fc.property(zones, instants, (timeZone, some) => {
      const format = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' });
      const steps = zoneSteps(timeZone, from, to);
      // The moments of change themselves, from both sides.
      for (const instant of [...some, ...steps.starts.slice(1).flatMap((start) => [start - 1, start])]) {
        const [, sign, hours, minutes] = /GMT([+-])(\d\d):(\d\d)/.exec(format.format(instant)) ?? ['', '+', '0', '0'];
        expect(offsetAt(steps, instant), `${timeZone} ${instant}`).toBe(
          (sign === '-' ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60) || 0,
        );
      }
    }),
    { numRuns: 100 },
  );
});

test('zones are taken by name in any case; offsets and nonsense are refused', () => {
  expect(parseTimeZone('europe/berlin')).toBe('Europe/Berlin');
  expect(parseTimeZone('UTC')).toBe('UTC');
  for (const wrong of ['', '+02:00', '-07', 'Mars/Olympus', 'Europe/Berlin; DROP', ' UTC']) {
    expect(() => parseTimeZone(wrong), wrong).toThrow('invalid_parameter');
  }
});
