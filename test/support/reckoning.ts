/**
 * Holds a ledger against the copies as they are read, one log after the other, so that it fits whatever the size: feed, archive and
 * analytics as multisets of (log_id, content_hash, verdict), and what clients were told against feed and quarantine.
 */
import { isAcknowledged, type Ledger, type LedgerEntry } from './ledger.ts';

/** One log as one of the copies has it. */
export interface Copy {
  readonly logId: string;
  readonly hash: string;
  /** Status, billable and receivedAt in one text. */
  readonly verdict: string;
}

export type CopyName = 'feed' | 'archive' | 'analytics';

/** Refused before the signature was looked at or in spite of it: the hash in quarantine is then that of the bytes as sent. */
const UNPROVEN = new Set(['malformed', 'too_large', 'invalid_field', 'unknown_device', 'device_disabled']);
/** Differences that are told; the rest is counted. */
const MAX_TOLD = 20;
/** Copies of one log are counted up to this. */
const MAX_COUNT = 255;

type Counts = Record<CopyName, number>;

export class Reckoning {
  readonly #ledger: Ledger;
  readonly #counts: Readonly<Record<CopyName, Uint8Array>>;
  /** Of each log of the ledger, as the first copy that held it said. */
  readonly #verdicts: (string | undefined)[] = [];
  /** Copies that nobody sent, or with another verdict than the first copy of their log. */
  readonly #odd = new Map<string, { readonly copy: Copy; readonly counts: Counts }>();
  readonly #quarantined = new Set<string>();
  readonly #found: string[] = [];
  #more = 0;

  /** @param ledger Nothing may be sent any more. */
  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    this.#counts = { feed: new Uint8Array(ledger.size), archive: new Uint8Array(ledger.size), analytics: new Uint8Array(ledger.size) };
  }

  count(name: CopyName, copy: Copy): void {
    const place = this.#ledger.place(copy.logId, copy.hash);
    if (place !== -1) {
      this.#verdicts[place] ??= copy.verdict;
      if (this.#verdicts[place] === copy.verdict) {
        const counts = this.#counts[name];
        counts[place] = Math.min(MAX_COUNT, (counts[place] as number) + 1);
        return;
      }
    }
    const text = textOf(copy);
    const odd = this.#odd.get(text) ?? { copy, counts: { feed: 0, archive: 0, analytics: 0 } };
    odd.counts[name] += 1;
    this.#odd.set(text, odd);
  }

  async countAll(name: CopyName, copies: AsyncIterable<Copy> | Iterable<Copy>): Promise<void> {
    for await (const copy of copies) this.count(name, copy);
  }

  /** @param item As `GET /api/v1/quarantine` lists it. */
  quarantined(item: Readonly<Record<string, unknown>>): void {
    const id = String(item['log_id']);
    this.#quarantined.add(`${id} ${String(item['content_hash'])} ${String(item['code'])}`);
    this.#quarantined.add(`${id} ${String(item['code'])}`);
  }

  /** A sentence for each difference; empty where everything agrees. */
  differences(): string[] {
    this.#found.length = 0;
    this.#more = 0;
    for (const { copy, counts } of this.#odd.values()) {
      this.#compareCounts(copy, counts);
      if (counts.feed > 0 && !this.#ledger.has(copy.logId, copy.hash)) {
        this.#tell(`${copy.logId} ${copy.hash} is in the feed, and nobody sent it`);
      }
    }
    const oddFeed = Map.groupBy(
      [...this.#odd.values()].filter(({ counts }) => counts.feed > 0),
      ({ copy }) => copy.logId,
    );
    for (const { logId, entries, places } of this.#ledger.byId()) {
      const published = (oddFeed.get(logId) ?? []).flatMap(({ copy, counts }) => repeated(copy, counts.feed));
      for (const [i, place] of places.entries()) {
        const entry = entries[i] as LedgerEntry;
        const copy = { logId, hash: entry.hash, verdict: this.#verdicts[place] ?? '' };
        const { feed, archive, analytics } = this.#counts;
        this.#compareCounts(copy, {
          feed: feed[place] as number,
          archive: archive[place] as number,
          analytics: analytics[place] as number,
        });
        published.push(...repeated(copy, feed[place] as number));
      }
      this.#one(logId, entries, published);
    }
    return this.#more === 0 ? [...this.#found] : [...this.#found, `and ${this.#more} more differences`];
  }

  #compareCounts(copy: Copy, { feed, archive, analytics }: Counts): void {
    if (feed !== archive) this.#tell(unequal(copy, feed - archive, 'feed', 'archive'));
    if (feed !== analytics) this.#tell(unequal(copy, feed - analytics, 'feed', 'analytics'));
  }

  /** I1, I2 and I4 of one log_id: what was told against what is there. */
  #one(logId: string, sent: readonly LedgerEntry[], published: readonly Copy[]): void {
    if (published.length > 1) this.#tell(`${logId} is in the feed twice`);
    for (const copy of published) {
      const entry = sent.find(({ hash }) => hash === copy.hash);
      if (!entry) continue;
      if (!entry.provable) this.#tell(`${logId} ${copy.hash} is in the feed without a valid signature`);
      else if (entry.verdict && !copy.verdict.startsWith(verdictText(entry.verdict.status, entry.verdict.billable, ''))) {
        this.#tell(`${logId} was told as ${JSON.stringify(entry.verdict)} and published as ${copy.verdict}`);
      }
    }
    const copy = published.at(-1);
    const acknowledged = sent.filter(isAcknowledged);
    if (acknowledged.length > 0 && !copy) this.#tell(`${logId} was acknowledged and is not in the feed`);
    for (const { hash } of acknowledged) {
      // Two contents were acknowledged under one id, around a restart: one stands, the other must be in quarantine.
      if (copy && copy.hash !== hash && !this.#quarantined.has(`${logId} ${hash} log_id_conflict`)) {
        this.#tell(`${logId} ${hash} was acknowledged, ${copy.hash} stands, and the conflict is not in quarantine`);
      }
    }
    for (const { hash, heard, provable } of sent) {
      for (const code of heard) {
        if (code === 'accepted' || code === 'duplicate') continue;
        const asProven = provable && !UNPROVEN.has(code);
        if (!this.#quarantined.has(asProven ? `${logId} ${hash} ${code}` : `${logId} ${code}`)) {
          this.#tell(`${logId} was refused as ${code} and is not in quarantine`);
        }
      }
    }
  }

  #tell(sentence: string): void {
    if (this.#found.length < MAX_TOLD) this.#found.push(sentence);
    else this.#more += 1;
  }
}

/** As each copy's verdict is written. */
export function verdictText(status: string, billable: boolean, receivedAt: string): string {
  return `${status} ${billable ? 'billable' : 'not billable'} ${receivedAt}`;
}

/** Two whole multisets, for tests that hold both. */
export function multisetDifferences(nameA: string, a: readonly Copy[], nameB: string, b: readonly Copy[]): string[] {
  const counts = new Map<string, { readonly copy: Copy; n: number }>();
  for (const [copies, step] of [
    [a, 1],
    [b, -1],
  ] as const) {
    for (const copy of copies) {
      const counted = counts.get(textOf(copy)) ?? { copy, n: 0 };
      counted.n += step;
      counts.set(textOf(copy), counted);
    }
  }
  return [...counts.values()].filter(({ n }) => n !== 0).map(({ copy, n }) => unequal(copy, n, nameA, nameB));
}

function textOf({ logId, hash, verdict }: Copy): string {
  return `${logId} ${hash} ${verdict}`;
}

function unequal(copy: Copy, n: number, nameA: string, nameB: string): string {
  return `${textOf(copy)} is ${Math.abs(n)} times more in the ${n > 0 ? nameA : nameB} than in the ${n > 0 ? nameB : nameA}`;
}

function repeated(copy: Copy, times: number): Copy[] {
  return Array.from({ length: times }, () => copy);
}
