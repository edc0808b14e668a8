/**
 * Counters and gauges that the writer thread keeps and the HTTP thread shows: one shared array, one writing thread, so neither
 * waits for the other.
 */
import { CODE_NAMES, type Code } from './domain/codes.ts';

const NAMES = [
  'accepted',
  'duplicates',
  'notKept',
  'journalFailures',
  /** Place in JOURNAL_STATES (journal/journal-state.ts). */
  'journal',
  'end',
  'settled',
  'settledPlays',
  'settledDuplicates',
  'settledConflicts',
  'quarantined',
  'settleFailures',
  /** 1: settling has stopped, its read position is lost. */
  'positionLost',
  'seen',
  'billable',
] as const;
export type CounterName = (typeof NAMES)[number];

const BYTES = (NAMES.length + CODE_NAMES.length) * Float64Array.BYTES_PER_ELEMENT;

export class Counters {
  readonly shared: SharedArrayBuffer;
  readonly #values: Float64Array;

  constructor(shared = new SharedArrayBuffer(BYTES)) {
    this.shared = shared;
    this.#values = new Float64Array(shared);
  }

  get(name: CounterName): number {
    return this.#values[NAMES.indexOf(name)] ?? 0;
  }

  set(name: CounterName, value: number): void {
    this.#values[NAMES.indexOf(name)] = value;
  }

  add(name: CounterName, amount: number): void {
    const at = NAMES.indexOf(name);
    this.#values[at] = (this.#values[at] ?? 0) + amount;
  }

  addRefused(code: Code, amount: number): void {
    const at = NAMES.length + CODE_NAMES.indexOf(code);
    this.#values[at] = (this.#values[at] ?? 0) + amount;
  }

  refused(code: Code): number {
    return this.#values[NAMES.length + CODE_NAMES.indexOf(code)] ?? 0;
  }
}
