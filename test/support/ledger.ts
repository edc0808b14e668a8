/** What a client sent and what it was told: the truth that the service is held against. */
import type { SignedLog } from './signing.ts';

export interface ToldVerdict {
  readonly status: string;
  readonly billable: boolean;
}

export interface LedgerEntry {
  readonly logId: string;
  readonly hash: string;
  readonly provable: boolean;
  readonly body: string;
  /** How often it was sent. */
  sent: number;
  /** How often each outcome was heard: `accepted`, `duplicate`, or the code of a refusal. */
  readonly heard: Map<string, number>;
  /** As told with `accepted` or `duplicate`. */
  verdict: ToldVerdict | null;
}

export class Ledger {
  readonly #entries = new Map<string, LedgerEntry>();
  /** When the last acknowledgement was heard. */
  lastAcknowledged = 0;

  sending(log: SignedLog): void {
    const key = keyOf(log);
    const { logId, hash, provable, body } = log;
    const entry = this.#entries.get(key) ?? { logId, hash, provable, body, sent: 0, heard: new Map<string, number>(), verdict: null };
    entry.sent += 1;
    this.#entries.set(key, entry);
  }

  /** @param outcome `accepted`, `duplicate`, or a code. Silence is heard by nobody and is not told here. */
  heard(log: SignedLog, outcome: string, verdict: ToldVerdict | null): void {
    const entry = this.#entries.get(keyOf(log));
    if (!entry) throw new Error(`an answer for ${log.logId}, which was never sent`);
    entry.heard.set(outcome, (entry.heard.get(outcome) ?? 0) + 1);
    if (verdict) {
      if (entry.verdict && (entry.verdict.status !== verdict.status || entry.verdict.billable !== verdict.billable)) {
        throw new Error(`${log.logId} was told two verdicts: ${JSON.stringify([entry.verdict, verdict])}`);
      }
      entry.verdict = verdict;
      this.lastAcknowledged = Date.now();
    }
  }

  entries(): LedgerEntry[] {
    return [...this.#entries.values()];
  }

  has(logId: string, hash: string): boolean {
    return this.#entries.has(`${logId} ${hash}`);
  }

  /** How many logs were acknowledged, and how many refused by code. */
  summary(): Record<string, number> {
    const counts: Record<string, number> = { logs: this.#entries.size };
    for (const entry of this.#entries.values()) {
      const outcomes = isAcknowledged(entry) ? ['acknowledged'] : entry.heard.size === 0 ? ['unanswered'] : [...entry.heard.keys()];
      for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
    }
    return counts;
  }
}

export function isAcknowledged({ heard }: LedgerEntry): boolean {
  return heard.has('accepted') || heard.has('duplicate');
}

function keyOf({ logId, hash }: { readonly logId: string; readonly hash: string }): string {
  return `${logId} ${hash}`;
}
