/** How long to wait before trying again: exponential, with full jitter above a floor, never longer than a bound. */
export interface BackoffOptions {
  /** The least wait; 1 s. */
  readonly minMs: number;
  /** The longest wait; 5 min. */
  readonly maxMs: number;
}

/** A server may ask for more patience than our own bound, up to this. */
export const MAX_RETRY_AFTER_MS = 15 * 60_000;

/**
 * @param attempt 1 for the first failure.
 * @param random a number from 0 (included) to 1 (excluded). Without jitter a whole fleet would come back at the same moment.
 */
export function backoffMs(attempt: number, { minMs, maxMs }: BackoffOptions, random: number): number {
  const ceiling = Math.min(maxMs, minMs * 2 ** Math.min(attempt, 30));
  return Math.round(minMs + random * (ceiling - minMs));
}

/**
 * Reads Retry-After: whole seconds or an HTTP date (compared with the answer's own Date header where there is one, because the
 * device's clock may be wrong). @returns milliseconds, bounded; 0 when absent or unreadable.
 */
export function retryAfterMs(value: string | undefined, date: string | undefined, now: number): number {
  if (value === undefined) return 0;
  const text = value.trim();
  const wait = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - (Date.parse(date ?? '') || now);
  return Number.isFinite(wait) ? Math.min(Math.max(0, wait), MAX_RETRY_AFTER_MS) : 0;
}
