/** How the history of a device grows: it is added to and never rewritten. Pure; every backend uses it. */
import { Problem } from '../server/problem.ts';
import { notTheNewest } from './refusals.ts';
import { type AssignmentEntry, type DeviceFields, MAX_ASSIGNMENTS_PER_DEVICE } from './registry.ts';

/** Several changes may be made in one millisecond, or around a small step back of the clock; each gets an instant of its own. */
const JUST_MADE_MS = 1_000;

/**
 * The assignment that a change adds; null: it says what holds already. A change without `since` is in force from `now` on:
 * right after the last one, where that was made just now too.
 * @param history At least one assignment.
 * @throws Problem invalid_field where it would not be the newest.
 */
export function changeOf(
  history: readonly AssignmentEntry[],
  { storeId, active, since }: DeviceFields,
  now: number,
): AssignmentEntry | null {
  const last = history.at(-1) as AssignmentEntry;
  const latest = last.since ?? Number.NEGATIVE_INFINITY;
  if (last.storeId === storeId && last.active === active) {
    // Saying again what holds is no change, unless it is said to have held earlier than it did.
    if (since !== null && since < latest) throw notTheNewest(latest);
    return null;
  }
  const from = since ?? (latest < now + JUST_MADE_MS ? Math.max(now, latest + 1) : now);
  if (from <= latest) throw notTheNewest(latest);
  return { storeId, active, since: from };
}

/**
 * What a whole history says beyond the known one; an older state of it adds nothing.
 * @throws Problem invalid_field where the two contradict each other.
 */
export function newOfHistory(known: readonly AssignmentEntry[], given: readonly AssignmentEntry[]): readonly AssignmentEntry[] {
  for (const [place, assignment] of given.entries()) {
    const before = known[place];
    if (!before || sameAssignment(before, assignment)) continue;
    throw new Problem('invalid_field', 'contradicts the history that is registered, which can be added to and not changed', {
      fields: [`/assignments/${place}`],
    });
  }
  return given.slice(known.length);
}

/** @throws Problem invalid_field when a device would have more assignments than are kept. */
export function demandRoom(assignments: number): void {
  if (assignments <= MAX_ASSIGNMENTS_PER_DEVICE) return;
  throw new Problem('invalid_field', `A device keeps at most ${MAX_ASSIGNMENTS_PER_DEVICE} assignments; register it under a new id.`, {
    fields: ['/store_id'],
  });
}

function sameAssignment(a: AssignmentEntry, b: AssignmentEntry): boolean {
  return a.storeId === b.storeId && a.active === b.active && a.since === b.since;
}
