/**
 * Rule 4 and the journal: decides for every judged log whether its log_id was seen before, appends what is new, and answers
 * once that is durable. All logs of a process pass through here, on one thread.
 */
import type { SettledLogs } from '../archive/archive.ts';
import type { Counters } from '../counters.ts';
import { type Code, CODE_NAMES } from '../domain/codes.ts';
import { failpoint } from '../failpoints.ts';
import type { Journal, JournalEntry } from '../journal/journal.ts';
import {
  HASH_AT,
  HASH_BYTES,
  LOG_ID_AT,
  LOG_ID_BYTES,
  RECORD_PLAY,
  RECORD_REFUSAL,
  readRefusalRecord,
  recordLogId,
} from '../journal/record.ts';
import { Problem } from '../server/problem.ts';
import { duplicateAnswer, type FirstVerdict, refusalAnswer } from './answers.ts';
import type { Allowance } from './allowance.ts';
import { type Answered, AnswerWriter } from './answer-writer.ts';
import {
  LAST_WORD,
  BILLABLE,
  CODE,
  FLAGS,
  type Judged,
  type JudgedRequest,
  LOG_NUMBERS,
  OUTCOME,
  OUTCOME_ACCEPTED,
  OUTCOME_REFUSED,
  OUTCOME_REFUSED_UNPROVEN,
  RECORD_AT,
  RECORD_LENGTH,
} from './messages.ts';
import { conflict, endedAtOf, entryOf, isProven, keyOf, type Recorded, verdictOf } from './recorded.ts';
import type { SeenWindow } from './seen.ts';

/** A log on its way into the journal. Later repeats wait for `done` and look again. */
interface InFlight {
  readonly bytes: Buffer;
  /** Where its content hash begins in `bytes`. */
  readonly hashAt: number;
  readonly flags: number;
  readonly receivedAt: number;
  readonly done: Promise<void>;
}

export interface RecorderDeps {
  readonly journal: Journal;
  readonly settled: SettledLogs;
  readonly seen: SeenWindow;
  readonly allowance: Allowance;
  readonly counters: Counters;
  /** Milliseconds of a clock that only goes forward: how long something is remembered or counted. */
  readonly clock: () => number;
  /** Told when the archive could not say what became of a log; the log is answered `unavailable`. */
  readonly onArchiveFailure: (error: unknown) => void;
  /** Told of every failed append; a JournalBroken must end the process. */
  readonly onJournalFailure: (error: unknown) => void;
}

const UNAVAILABLE = 'The archive cannot be asked right now; send the same log again.';

export class Recorder {
  readonly #deps: RecorderDeps;
  readonly #inFlight = new Map<string, InFlight>();

  constructor(deps: RecorderDeps) {
    this.#deps = deps;
  }

  /** Resolves with the answers of all requests of the job, each request's logs durable or the request answered 503. */
  async record(judged: Judged): Promise<Answered> {
    const pass = { table: judged.table, bytes: Buffer.from(judged.bytes), answers: new AnswerWriter(judged) };
    const waiting: Promise<void>[] = [];
    const together: JudgedRequest[] = [];
    for (const request of judged.requests) {
      if (request.problem) {
        this.#deps.counters.addRefused(request.problem.code as Code, 1);
        if (!request.batch) this.#deps.counters.add('notKept', 1);
        pass.answers.problem(request.id, request.problem.status, request.problem.body);
      } else if (this.#isHeldUp(pass, request)) waiting.push(this.#later(pass, request));
      else together.push(request);
    }
    if (together.length > 0) waiting.push(this.#enter(pass, together, null));
    await Promise.all(waiting);
    failpoint('before-answer');
    return pass.answers.finish();
  }

  /** Whether something has to be waited for before this request's logs can be entered; its neighbours do not wait with it. */
  #isHeldUp(pass: Pass, request: JudgedRequest): boolean {
    return this.#repeatInFlight(pass, request) !== null || this.#unasked(pass, request, null).length > 0;
  }

  /** Waits until no other request carries a log_id of this one and the archive was asked about all that must be asked; then enters it. */
  async #later(pass: Pass, request: JudgedRequest): Promise<void> {
    const archived: Map<number, FoundVerdict | 'unavailable' | null> = new Map();
    for (;;) {
      const repeat = this.#repeatInFlight(pass, request);
      if (repeat) {
        await repeat.done;
        continue;
      }
      // After waiting: what was acknowledged meanwhile may contradict this. Each log is asked about once at the most.
      const unasked = this.#unasked(pass, request, archived);
      if (unasked.length === 0) return this.#enter(pass, [request], archived);
      const found = await Promise.all(unasked.map((log) => this.#ask(pass, log)));
      for (const [i, log] of unasked.entries()) archived.set(log, found[i] ?? null);
    }
  }

  /**
   * Enters the logs of requests that share one append, and so their fate. Nothing waits between looking, by the caller, and the append,
   * so that no other request comes in between.
   */
  async #enter(pass: Pass, requests: readonly JudgedRequest[], archived: Archived | null): Promise<void> {
    const { table, bytes, answers } = pass;
    const { promise: done, resolve: finish } = Promise.withResolvers<void>();
    const entered: string[] = [];
    const entries: JournalEntry[] = [];
    const results = requests.map((request) => {
      const recorded: Recorded[] = [];
      for (let index = 0; index < request.logs; index += 1) {
        const result = this.#record(pass, request, index, archived, { done, entered });
        if (result.entry) entries.push(result.entry);
        recorded.push(result);
      }
      return recorded;
    });
    try {
      const durable = await this.#appended(entries);
      for (const [i, request] of requests.entries()) {
        const recorded = results[i] as readonly Recorded[];
        if (durable) {
          this.#remember(table, bytes, request, recorded);
          answers.logs(request, recorded);
          this.#count(recorded);
        } else this.#unavailable(request, answers);
      }
    } finally {
      for (const key of entered) this.#inFlight.delete(key);
      finish();
    }
  }

  #unavailable(request: JudgedRequest, answers: AnswerWriter): void {
    const problem = new Problem('unavailable', 'The journal cannot take a write now; send the same logs again later.', { retryAfter: 2 });
    this.#deps.counters.addRefused('unavailable', request.logs);
    this.#deps.counters.add('journalFailures', 1);
    answers.problem(request.id, problem.status, JSON.stringify(problem.toDocument()));
  }

  /** Whether everything is durable. Where not, it does not matter whether the journal is full or broken: nothing is acknowledged. */
  async #appended(entries: readonly JournalEntry[]): Promise<boolean> {
    try {
      await this.#deps.journal.append(entries);
      return true;
    } catch (error) {
      this.#deps.onJournalFailure(error);
      return false;
    }
  }

  /** A log_id of this request that another request is carrying into the journal: it shares that one's fate, so it waits. */
  #repeatInFlight({ table, bytes }: Pass, { firstLog, logs }: JudgedRequest): InFlight | null {
    if (this.#inFlight.size === 0) return null;
    for (let log = firstLog; log < firstLog + logs; log += 1) {
      if (!isProven(table[log * LOG_NUMBERS + OUTCOME])) continue;
      const inFlight = this.#inFlight.get(keyOf(bytes, table[log * LOG_NUMBERS + RECORD_AT] as number));
      if (inFlight) return inFlight;
    }
    return null;
  }

  #unasked({ table, bytes }: Pass, { firstLog, logs }: JudgedRequest, archived: Archived | null): number[] {
    const unasked: number[] = [];
    for (let log = firstLog; log < firstLog + logs; log += 1) {
      if (this.#mustAsk(table, bytes, log) && !archived?.has(log)) unasked.push(log);
    }
    return unasked;
  }

  /**
   * The archive is asked where a final refusal hangs on it: by a rule behind rule 4, since the log may have been accepted before this
   * process began and by a registry that said something else then; and a conflict with what this process acknowledged, since
   * before its start another content may have come first, and that one stands.
   */
  #mustAsk(table: Int32Array, bytes: Buffer, log: number): boolean {
    const outcome = table[log * LOG_NUMBERS + OUTCOME];
    if (!isProven(outcome)) return false;
    const at = table[log * LOG_NUMBERS + RECORD_AT] as number;
    const seen = this.#deps.seen.find(bytes, at + LOG_ID_AT, at + HASH_AT);
    return seen ? !seen.sameContent : outcome !== OUTCOME_ACCEPTED;
  }

  async #ask({ table, bytes }: Pass, log: number): Promise<FoundVerdict | 'unavailable' | null> {
    const row = log * LOG_NUMBERS;
    const at = table[row + RECORD_AT] as number;
    const tooOld = ((table[row + FLAGS] as number) & LAST_WORD) !== 0;
    const record = bytes.subarray(at, at + (table[row + RECORD_LENGTH] as number));
    try {
      const endedAt = tooOld ? () => endedAtOf(record) : null;
      const verdict = await this.#deps.settled.find(bytes.subarray(at + LOG_ID_AT, at + LOG_ID_AT + LOG_ID_BYTES), endedAt);
      return verdict && { ...verdictOf(verdict.flags, verdict.receivedAt), hash: Buffer.from(verdict.contentHash) };
    } catch (error) {
      this.#deps.onArchiveFailure(error);
      return 'unavailable';
    }
  }

  #record(
    { table, bytes }: Pass,
    request: JudgedRequest,
    place: number,
    archived: Archived | null,
    carried: { readonly done: Promise<void>; readonly entered: string[] },
  ): Recorded {
    const log = request.firstLog + place;
    const row = log * LOG_NUMBERS;
    const outcome = table[row + OUTCOME];
    const code = outcome === OUTCOME_ACCEPTED ? null : (CODE_NAMES[table[row + CODE] as number] as Code);
    const at = table[row + RECORD_AT] as number;
    const record = bytes.subarray(at, at + (table[row + RECORD_LENGTH] as number));
    if (outcome === OUTCOME_REFUSED) return { outcome: 'refused', code, entry: null, replaced: null };
    if (outcome === OUTCOME_REFUSED_UNPROVEN) {
      const kept = this.#deps.allowance.take(readRefusalRecord(record).deviceId ?? '', this.#deps.clock());
      return { outcome: 'refused', code, entry: kept ? entryOf(RECORD_REFUSAL, record) : null, replaced: null };
    }
    const before = this.#before(bytes, log, at, archived);
    const index = request.batch ? place : null;
    if (before === 'unavailable') {
      return {
        outcome: 'refused',
        code: 'unavailable',
        entry: null,
        replaced: refusalAnswer(index, recordLogId(record), 'unavailable', UNAVAILABLE, null),
      };
    }
    if (before?.same)
      return { outcome: 'duplicate', code: null, entry: null, replaced: duplicateAnswer(index, recordLogId(record), before.verdict) };
    if (before) return conflict(index, record, outcome === OUTCOME_ACCEPTED);
    if (outcome !== OUTCOME_ACCEPTED) return { outcome: 'refused', code, entry: entryOf(RECORD_REFUSAL, record), replaced: null };
    const key = keyOf(bytes, at);
    const flags = table[row + FLAGS] as number;
    this.#inFlight.set(key, { bytes, hashAt: at + HASH_AT, flags, receivedAt: request.receivedAt, done: carried.done });
    carried.entered.push(key);
    return { outcome: 'accepted', code: null, entry: entryOf(RECORD_PLAY, record), replaced: null };
  }

  /** What stands for this log_id already: in the same request, in the window, or in the archive where that was asked. */
  #before(bytes: Buffer, log: number, at: number, archived: Archived | null): Before | 'unavailable' | null {
    const hashAt = at + HASH_AT;
    const inFlight = this.#inFlight.size > 0 ? this.#inFlight.get(keyOf(bytes, at)) : undefined;
    if (inFlight) {
      const same = inFlight.bytes.compare(bytes, hashAt, hashAt + HASH_BYTES, inFlight.hashAt, inFlight.hashAt + HASH_BYTES) === 0;
      return { verdict: verdictOf(inFlight.flags, inFlight.receivedAt), same };
    }
    const seen = this.#deps.seen.find(bytes, at + LOG_ID_AT, hashAt);
    const remembered = seen ? { verdict: verdictOf(seen.flags, seen.receivedAt), same: seen.sameContent } : null;
    if (remembered?.same) return remembered;
    const stored = archived?.get(log);
    // A conflict that cannot be looked at is none: the log that is sent may be the one that stands.
    if (stored === 'unavailable') return stored;
    if (!stored) return remembered;
    return { verdict: stored, same: stored.hash.equals(bytes.subarray(hashAt, hashAt + HASH_BYTES)) };
  }

  #remember(table: Int32Array, bytes: Buffer, request: JudgedRequest, results: readonly Recorded[]): void {
    const now = this.#deps.clock();
    let billable = 0;
    for (const [i, { outcome }] of results.entries()) {
      if (outcome !== 'accepted') continue;
      const row = (request.firstLog + i) * LOG_NUMBERS;
      const at = table[row + RECORD_AT] as number;
      const flags = table[row + FLAGS] as number;
      if ((flags & BILLABLE) !== 0) billable += 1;
      this.#deps.seen.add(bytes, at + LOG_ID_AT, at + HASH_AT, flags, request.receivedAt, now);
    }
    this.#deps.counters.add('billable', billable);
  }

  #count(results: readonly Recorded[]): void {
    const { counters } = this.#deps;
    let accepted = 0;
    let duplicates = 0;
    for (const { outcome, code, entry } of results) {
      if (outcome === 'accepted') accepted += 1;
      else if (outcome === 'duplicate') duplicates += 1;
      else {
        counters.addRefused(code ?? 'internal', 1);
        if (!entry && code !== 'unavailable') counters.add('notKept', 1);
      }
    }
    counters.add('accepted', accepted);
    counters.add('duplicates', duplicates);
  }
}

interface Before {
  readonly verdict: FirstVerdict;
  readonly same: boolean;
}

type FoundVerdict = FirstVerdict & { readonly hash: Buffer };

/** What the archive said of a log, by its place in the table; null: it has none of this log_id. */
type Archived = ReadonlyMap<number, FoundVerdict | 'unavailable' | null>;

/** The logs of a job, and where its answers are written. */
interface Pass {
  readonly table: Int32Array;
  readonly bytes: Buffer;
  readonly answers: AnswerWriter;
}
