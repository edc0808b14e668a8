/** The administrator's token of a first start, where the registry may be away just then. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../server/problem.ts';

/** The start waits this long for it, and goes on without. */
const WAIT_MS = 3_000;
const RETRY_MS = 1_000;

export interface FirstAdminToken {
  readonly now: string | null;
  /** Resolves with what `now` could not say yet. */
  readonly later: Promise<string | null>;
}

/**
 * @param make Makes the token where none was made before, and gives null where there is one; asked again until it answers. It must
 *   give the same token where it cannot know whether the last call did its work.
 * @throws what `make` throws, other than `unavailable`; `later` rejects with it.
 */
export async function firstAdminToken(make: () => Promise<string | null>, signal: AbortSignal): Promise<FirstAdminToken> {
  const made = untilMade(make, signal);
  const patience = new AbortController();
  const late = sleep(WAIT_MS, 'late' as const, { signal: patience.signal }).catch(() => 'late' as const);
  const first = await Promise.race([made.then((token) => ({ token })), late]);
  patience.abort();
  return first === 'late' ? { now: null, later: made } : { now: first.token, later: Promise.resolve(null) };
}

async function untilMade(make: () => Promise<string | null>, signal: AbortSignal): Promise<string | null> {
  while (!signal.aborted) {
    try {
      return await make();
    } catch (error) {
      // The registry is away, which its own log line says. Anything else does not pass by waiting.
      if (!(error instanceof Problem) || error.code !== 'unavailable') throw error;
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
    }
  }
  return null;
}
