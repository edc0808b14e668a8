import { MAX_DURATION_MS } from './limits.ts';

/**
 * Seconds with at most three decimals, 0 to 86 400, as whole milliseconds. `1.001 * 1000` is not an integer in floating point, so
 * the number is taken when it is the very one that its milliseconds divide back to.
 *
 * @returns undefined when the number has more decimals or is out of range.
 */
export function toMilliseconds(seconds: number): number | undefined {
  const milliseconds = Math.round(seconds * 1000);
  // Both -0 and 0 are zero milliseconds; only 0 is written on.
  if (milliseconds === 0) return seconds === 0 ? 0 : undefined;
  return milliseconds > 0 && milliseconds <= MAX_DURATION_MS && milliseconds / 1000 === seconds ? milliseconds : undefined;
}
