/**
 * What a client sent and what it was told: the truth that the service is held against. Kept in few bytes, so that a run of half an hour
 * fits: about 200 MB for a million logs without their bodies.
 */
import type { SignedLog } from './signing.ts';

export interface ToldVerdict {
  readonly status: string;
  readonly billable: boolean;
}

export interface LedgerEntry {
  readonly logId: string;
  readonly hash: string;
  readonly provable: boolean;
  /** Empty where the ledger keeps no bodies. */
  readonly body: string;
  /** How often it was sent. */
  readonly sent: number;
  /** Each outcome that was heard: `accepted`, `duplicate`, or the code of a refusal. */
  readonly heard: ReadonlySet<string>;
  /** As told with `accepted` or `duplicate`. */
  readonly verdict: ToldVerdict | null;
}

export interface LedgerOptions {
  /** False: entries have empty bodies (true). */
  readonly bodies?: boolean;
}

const FIRST_ROOM = 1_024;
/** Outcomes are bits of a word. */
const MAX_OUTCOMES = 31;
const NONE = -1;
const PROVABLE = 1;
const TOLD = 2;
const BILLABLE = 4;
/** The status stands above these bits, as its place in the list of statuses. */
const STATUS_SHIFT = 3;

export class Ledger {
  /** The place of the first content sent under each log_id; further contents hang on it. */
  readonly #first = new Map<string, number>();
  readonly #hashes: string[] = [];
  readonly #bodies: string[] | null;
  readonly #outcomes: string[] = [];
  readonly #statuses: string[] = [];
  #next = new Int32Array(FIRST_ROOM);
  #sent = new Uint32Array(FIRST_ROOM);
  #heard = new Uint32Array(FIRST_ROOM);
  #flags = new Uint8Array(FIRST_ROOM);
  #acknowledged = 0;
  /** When the last acknowledgement was heard. */
  lastAcknowledged = 0;

  constructor({ bodies = true }: LedgerOptions = {}) {
    this.#bodies = bodies ? [] : null;
  }

  /** How many different logs were sent. A log has a place below this. */
  get size(): number {
    return this.#hashes.length;
  }

  /** How many of them were acknowledged. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  sending({ logId, hash, provable, body }: SignedLog): void {
    const known = this.place(logId, hash);
    const place = known === NONE ? this.#add(logId, hash, body, provable) : known;
    this.#sent[place] = (this.#sent[place] as number) + 1;
  }

  /** @param outcome `accepted`, `duplicate`, or a code. Silence is heard by nobody and is not told here. */
  heard(log: SignedLog, outcome: string, verdict: ToldVerdict | null): void {
    const place = this.place(log.logId, log.hash);
    if (place === NONE) throw new Error(`an answer for ${log.logId}, which was never sent`);
    this.#heard[place] = (this.#heard[place] as number) | (1 << indexIn(this.#outcomes, outcome, MAX_OUTCOMES));
    if (!verdict) return;
    const told = this.#verdict(place);
    if (told && (told.status !== verdict.status || told.billable !== verdict.billable)) {
      throw new Error(`${log.logId} was told two verdicts: ${JSON.stringify([told, verdict])}`);
    }
    if (!told) this.#acknowledged += 1;
    const status = indexIn(this.#statuses, verdict.status, MAX_OUTCOMES);
    this.#flags[place] = (this.#flags[place] as number) | TOLD | (verdict.billable ? BILLABLE : 0) | (status << STATUS_SHIFT);
    this.lastAcknowledged = Date.now();
  }

  /** Where the log stands in this ledger; −1: nobody sent it. */
  place(logId: string, hash: string): number {
    let place = this.#first.get(logId) ?? NONE;
    while (place !== NONE && this.#hashes[place] !== hash) place = this.#next[place] as number;
    return place;
  }

  has(logId: string, hash: string): boolean {
    return this.place(logId, hash) !== NONE;
  }

  entries(): LedgerEntry[] {
    return [...this.byId()].flatMap(({ entries }) => entries);
  }

  /** For each log_id the contents that were sent under it, with their places. */
  *byId(): Generator<{ readonly logId: string; readonly entries: readonly LedgerEntry[]; readonly places: readonly number[] }> {
    for (const [logId, first] of this.#first) {
      const places: number[] = [];
      for (let place = first; place !== NONE; place = this.#next[place] as number) places.push(place);
      yield { logId, places, entries: places.map((place) => this.#entry(logId, place)) };
    }
  }

  /** How many log_ids were sent, and for how many at least one content was acknowledged. */
  ids(): { readonly sent: number; readonly acknowledged: number } {
    let acknowledged = 0;
    for (const first of this.#first.values()) {
      let place = first;
      while (place !== NONE && ((this.#flags[place] as number) & TOLD) === 0) place = this.#next[place] as number;
      if (place !== NONE) acknowledged += 1;
    }
    return { sent: this.#first.size, acknowledged };
  }

  /** How many logs were acknowledged, and how many refused by code. */
  summary(): Record<string, number> {
    const counts: Record<string, number> = { logs: this.size };
    for (let place = 0; place < this.size; place += 1) {
      const heard = this.#outcomesOf(place);
      const acknowledged = heard.includes('accepted') || heard.includes('duplicate');
      const outcomes = acknowledged ? ['acknowledged'] : heard.length === 0 ? ['unanswered'] : heard;
      for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
    }
    return counts;
  }

  #add(logId: string, hash: string, body: string, provable: boolean): number {
    const place = this.#hashes.length;
    if (place === this.#next.length) this.#grow();
    this.#hashes.push(hash);
    this.#bodies?.push(body);
    this.#flags[place] = provable ? PROVABLE : 0;
    this.#next[place] = NONE;
    let last = this.#first.get(logId);
    if (last === undefined) this.#first.set(logId, place);
    else {
      while (this.#next[last] !== NONE) last = this.#next[last] as number;
      this.#next[last] = place;
    }
    return place;
  }

  #grow(): void {
    const room = this.#next.length * 2;
    const grown = <T extends Int32Array | Uint32Array | Uint8Array>(into: T, from: T): T => {
      into.set(from);
      return into;
    };
    this.#next = grown(new Int32Array(room), this.#next);
    this.#sent = grown(new Uint32Array(room), this.#sent);
    this.#heard = grown(new Uint32Array(room), this.#heard);
    this.#flags = grown(new Uint8Array(room), this.#flags);
  }

  #entry(logId: string, place: number): LedgerEntry {
    return {
      logId,
      hash: this.#hashes[place] as string,
      provable: ((this.#flags[place] as number) & PROVABLE) !== 0,
      body: this.#bodies?.[place] ?? '',
      sent: this.#sent[place] as number,
      heard: new Set(this.#outcomesOf(place)),
      verdict: this.#verdict(place),
    };
  }

  #outcomesOf(place: number): string[] {
    const heard = this.#heard[place] as number;
    return this.#outcomes.filter((_, bit) => (heard & (1 << bit)) !== 0);
  }

  #verdict(place: number): ToldVerdict | null {
    const flags = this.#flags[place] as number;
    if ((flags & TOLD) === 0) return null;
    return { status: this.#statuses[flags >> STATUS_SHIFT] as string, billable: (flags & BILLABLE) !== 0 };
  }
}

export function isAcknowledged({ heard }: LedgerEntry): boolean {
  return heard.has('accepted') || heard.has('duplicate');
}

function indexIn(list: string[], text: string, max: number): number {
  const at = list.indexOf(text);
  if (at !== -1) return at;
  if (list.length >= max) throw new Error(`more than ${max} different outcomes: ${[...list, text].join(', ')}`);
  return list.push(text) - 1;
}
