/**
 * The client's own books: what each log was meant to be, and everything the service said about it. The report that follows from
 * it is what the service's report is held against. Optionally a file too, written before the first send and after each answer.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Behaviour, Expected } from './plan.ts';

export interface Intent {
  readonly logId: string;
  /** SHA-256 of the canonical form, lower-case hex; empty where the message is no log at all. */
  readonly contentHash: string;
  readonly deviceId: string;
  readonly campaignId: string;
  readonly behaviour: Behaviour;
  readonly expected: Expected;
  /** Milliseconds. */
  readonly durationActualMs: number;
}

export interface ToldAnswer {
  /** later: not now, or not known. */
  readonly outcome: 'accepted' | 'duplicate' | 'refused' | 'later';
  readonly status?: string;
  readonly billable?: boolean;
  readonly receivedAt?: string;
  readonly code?: string;
  readonly detail?: string;
}

export interface LedgerEntry extends Intent {
  /** In the order in which they came, the last 16. */
  readonly answers: ToldAnswer[];
  /** The verdict that the service gave first; null while nothing final is known. */
  settled: 'accepted' | 'refused' | null;
}

/** The columns of the report that the ledger can compute too. */
export interface CampaignTotals {
  plays: number;
  billable: number;
  completed: number;
  partial: number;
  skipped: number;
  error: number;
  billableMs: number;
}

export interface LedgerCounts {
  /** Logs that were to be sent, repeats included. */
  readonly sent: number;
  readonly accepted: number;
  readonly billable: number;
  /** Repeats of a log that was accepted before. */
  readonly duplicates: number;
  readonly refusedByCode: Readonly<Record<string, number>>;
  /** Logs without a final answer. */
  readonly undecided: number;
  /** Answers that are not what the contract says. */
  readonly unexpected: number;
  /** Acknowledged conflicts: the service may take one in and find out when it settles. */
  readonly conflictsTaken: number;
}

export interface LedgerOptions {
  /** NDJSON, appended to. */
  readonly file?: string;
  /** Decided entries beyond this number are forgotten, oldest first; their totals stay. No bound by default. */
  readonly keep?: number;
}

/** Answers that say "not now" of any log. */
const ANY_TIME = new Set(['unavailable', 'overloaded', 'internal']);
const MAX_ANSWERS = 16;

export class Ledger {
  readonly #byLogId = new Map<string, LedgerEntry>();
  /** Second contents under one log_id. */
  readonly #others = new Set<LedgerEntry>();
  readonly #totals = new Map<string, CampaignTotals>();
  readonly #refused = new Map<string, number>();
  readonly #unexpected: string[] = [];
  readonly #keep: number;
  readonly #file: number | null;
  #counts = { sent: 0, accepted: 0, billable: 0, duplicates: 0, undecided: 0, unexpected: 0, conflictsTaken: 0 };
  #lastReceivedAt = 0;

  constructor({ file, keep = Number.POSITIVE_INFINITY }: LedgerOptions = {}) {
    this.#keep = keep;
    this.#file = file === undefined ? null : openSync(file, 'a');
  }

  /** Before the first send. */
  intend(intent: Intent): LedgerEntry {
    const entry: LedgerEntry = { ...intent, answers: [], settled: null };
    this.#write({ intend: intent });
    if (this.#byLogId.has(intent.logId)) this.#others.add(entry);
    else this.#byLogId.set(intent.logId, entry);
    this.#counts.sent += 1;
    this.#counts.undecided += 1;
    if (this.#byLogId.size > this.#keep * 1.1) this.#forget();
    return entry;
  }

  /** The first content that was meant for this log_id. */
  find(logId: string): LedgerEntry | undefined {
    return this.#byLogId.get(logId);
  }

  /** @param last nothing more will be sent, so that an answer of "later" stays the last word. */
  answered(entry: LedgerEntry, answer: ToldAnswer, last = false): void {
    this.#write({ answer: { log_id: entry.logId, content_hash: entry.contentHash, ...answer } });
    entry.answers.push(answer);
    if (entry.answers.length > MAX_ANSWERS) entry.answers.splice(1, 1);
    const received = Date.parse(answer.receivedAt ?? '');
    if (received > this.#lastReceivedAt) this.#lastReceivedAt = received;
    this.#check(entry, answer);
    if (entry.settled !== null) return;
    if (answer.outcome === 'accepted' || answer.outcome === 'duplicate') this.#settle(entry, 'accepted', answer);
    else if (answer.outcome === 'refused' || (last && answer.code !== undefined && !ANY_TIME.has(answer.code))) {
      this.#settle(entry, 'refused', answer);
    }
  }

  /** A log that was accepted before is sent once more, and this is the answer. */
  repeated(entry: LedgerEntry, answer: ToldAnswer): void {
    this.#write({ repeat: { log_id: entry.logId, content_hash: entry.contentHash, ...answer } });
    this.#counts.sent += 1;
    // After ten minutes, or after a restart of the service, a repeat may hear `accepted`.
    if (answer.outcome === 'duplicate' || answer.outcome === 'accepted') this.#counts.duplicates += 1;
    else if (answer.outcome === 'refused') this.#surprise(entry, answer, 'a repeat');
    else this.#counts.undecided += 1;
  }

  #settle(entry: LedgerEntry, settled: 'accepted' | 'refused', answer: ToldAnswer): void {
    entry.settled = settled;
    this.#counts.undecided -= 1;
    if (settled === 'refused') {
      const code = answer.code ?? 'unknown';
      this.#refused.set(code, (this.#refused.get(code) ?? 0) + 1);
    } else if (entry.behaviour === 'conflict') this.#counts.conflictsTaken += 1;
    else this.#add(entry);
  }

  /** Books an acknowledged play as the contract says it must be classified, whatever the answer says. */
  #add(entry: LedgerEntry): void {
    this.#counts.accepted += 1;
    if (entry.expected.outcome !== 'accepted') return;
    const { status, billable } = entry.expected;
    let totals = this.#totals.get(entry.campaignId);
    if (!totals) {
      totals = emptyTotals();
      this.#totals.set(entry.campaignId, totals);
    }
    totals.plays += 1;
    totals[status.toLowerCase() as 'completed' | 'partial' | 'skipped' | 'error'] += 1;
    if (!billable) return;
    totals.billable += 1;
    totals.billableMs += entry.durationActualMs;
    this.#counts.billable += 1;
  }

  #check(entry: LedgerEntry, answer: ToldAnswer): void {
    const { expected, behaviour } = entry;
    let right: boolean;
    if (answer.outcome === 'later') {
      const early = behaviour === 'late_campaign' && answer.code === 'unknown_campaign';
      right = early || answer.code === undefined || ANY_TIME.has(answer.code) || answer.code === codeOf(expected);
    } else if (answer.outcome === 'refused') right = answer.code === codeOf(expected);
    else if (behaviour === 'conflict') right = true;
    else {
      right =
        expected.outcome === 'accepted' &&
        (answer.status === undefined || answer.status === expected.status) &&
        (answer.billable === undefined || answer.billable === expected.billable);
    }
    if (!right) this.#surprise(entry, answer, behaviour);
  }

  #surprise(entry: LedgerEntry, answer: ToldAnswer, what: string): void {
    this.#counts.unexpected += 1;
    const expected = entry.expected.outcome === 'accepted' ? `accepted ${entry.expected.status}` : entry.expected.code;
    const told = [answer.outcome, answer.status, answer.code, answer.detail].filter((part) => part !== undefined).join(' ');
    if (this.#unexpected.length < 100) this.#unexpected.push(`${entry.logId} (${what}): expected ${expected}, told ${told}`);
  }

  #forget(): void {
    let surplus = this.#byLogId.size - this.#keep;
    for (const [logId, entry] of this.#byLogId) {
      if (surplus <= 0) break;
      if (entry.settled !== null) this.#byLogId.delete(logId);
      surplus -= 1;
    }
    for (const entry of this.#others) if (entry.settled !== null) this.#others.delete(entry);
  }

  counts(): LedgerCounts {
    return { ...this.#counts, refusedByCode: Object.fromEntries(this.#refused) };
  }

  /** A sentence for each of the first hundred answers that were not as expected. */
  unexpected(): readonly string[] {
    return this.#unexpected;
  }

  /** Every entry that is remembered. */
  *entries(): Generator<LedgerEntry> {
    yield* this.#byLogId.values();
    yield* this.#others;
  }

  /** The service's own time of the newest acknowledged log, in milliseconds; 0 without any. */
  get lastReceivedAt(): number {
    return this.#lastReceivedAt;
  }

  /** By campaign: what the report must say about the logs that were acknowledged. */
  expectedReport(): ReadonlyMap<string, Readonly<CampaignTotals>> {
    return this.#totals;
  }

  #write(line: object): void {
    if (this.#file !== null) writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
  }
}

export function emptyTotals(): CampaignTotals {
  return { plays: 0, billable: 0, completed: 0, partial: 0, skipped: 0, error: 0, billableMs: 0 };
}

function codeOf(expected: Expected): string | undefined {
  return expected.outcome === 'refused' ? expected.code : undefined;
}
