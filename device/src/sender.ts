/**
 * Sends what is in the queue until each log has its final verdict.
 *
 * It goes through the queue in rounds, oldest first, one request at a time. A log that is refused for now, or whose fate is
 * unknown, stays where it is and the round goes on behind it: nothing at the head can hold up what follows. What a round left
 * over is tried again in the next one, after a wait that grows; new logs do not wait for it. When a whole request fails, the
 * same logs are tried again (same bytes: the service knows them by log_id), after three failures others get their turn, in
 * smaller requests, so that a log that breaks every request it is in ends up alone.
 */
import { type Answer, type LogResult, readBatchAnswer, readSingleAnswer } from './answer.ts';
import { type BackoffOptions, backoffMs } from './backoff.ts';
import { messageOf } from './errors.ts';
import type { QueueEntry } from './queue.ts';
import type { RefusedLine } from './refused-file.ts';
import type { Transport } from './transport.ts';

export const MAX_BATCH_LOGS = 100;
/** The service takes 2 MiB; the rest is for the envelope. */
const MAX_BATCH_BYTES = 2 * 1024 * 1024 - 4096;
const FAILURES_BEFORE_OTHERS = 3;
/** The service refuses requests whose send time is off by more. */
const CLOCK_TOLERANCE_MS = 10 * 60_000;

/** What the sender needs of a queue. Numbers rise; a finished entry is never read again. */
export interface SendingQueue {
  read(from: number, maxEntries: number, maxBytes: number): Promise<QueueEntry[]>;
  finish(numbers: readonly number[]): Promise<void>;
  compact(): Promise<void>;
}

export interface SenderEvents {
  /** One log's answer; `accepted`, `duplicate` and `refused` are final and come before the log leaves the queue. */
  onResult?: (logId: string, result: LogResult) => void;
  /** The service says that this device's clock is wrong. Set the clock; the sender tries again. Milliseconds since 1970. */
  onClockSkew?: (serverTime: number | null, deviceTime: number) => void;
  /** A request failed as a whole; it is tried again. */
  onTrouble?: (detail: string) => void;
}

export interface SenderOptions extends SenderEvents {
  readonly baseUrl: string;
  readonly queue: SendingQueue;
  readonly refused: { append(lines: readonly RefusedLine[]): Promise<void> };
  readonly transport: Transport;
  readonly clock: () => number;
  readonly random: () => number;
  /** Rejects or resolves early when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly backoff: BackoffOptions;
  readonly timeoutMs: number;
}

export interface SenderStats {
  readonly accepted: number;
  readonly duplicates: number;
  readonly refusedByCode: Readonly<Record<string, number>>;
  readonly requests: number;
  readonly failedRequests: number;
  readonly clockSkews: number;
  /** Of the last request that failed as a whole; null after one that did not. */
  readonly trouble: string | null;
}

interface Sending extends QueueEntry {
  readonly logId: string;
}

export class Sender {
  readonly #options: SenderOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;
  #stopping = false;
  #wake: (() => void) | null = null;
  #kick = new AbortController();
  /** Set by a kick that nobody was waiting for. */
  #kicked = false;
  #cursor = 0;
  #batchLogs = MAX_BATCH_LOGS;
  /** Failures in a row of whole requests, and of those that began at the same log. */
  #failures = 0;
  #failedAt = -1;
  #failuresHere = 0;
  /** The round left something over; the rounds in a row that ended so without getting on. */
  #leftOver = false;
  #barrenRounds = 0;
  #roundEnd = 0;
  #due: Promise<void> | null = null;
  readonly #counts = { accepted: 0, duplicates: 0, requests: 0, failedRequests: 0, clockSkews: 0 };
  readonly #refusedByCode = new Map<string, number>();
  #trouble: string | null = null;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** There are new logs. */
  wake(): void {
    this.#wake?.();
  }

  /** Try everything again now: the network is back, the clock was set, or someone waits for the queue to empty. */
  kick(): void {
    const kicked = this.#kick;
    this.#kick = new AbortController();
    this.#kicked = true;
    kicked.abort();
    this.wake();
  }

  /** Ends after the running request, or breaks it off after `graceMs`: its logs stay in the queue and are sent again. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.kick();
    const timer = setTimeout(() => this.#stop.abort(), graceMs);
    await this.#running;
    clearTimeout(timer);
  }

  stats(): SenderStats {
    return { ...this.#counts, refusedByCode: Object.fromEntries(this.#refusedByCode), trouble: this.#trouble };
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      try {
        const entries = await this.#options.queue.read(this.#cursor, this.#batchLogs, MAX_BATCH_BYTES);
        if (this.#stopping) return;
        if (entries.length > 0) await this.#sendEntries(entries.map((entry) => ({ ...entry, logId: logIdOf(entry.text) })));
        else await this.#rest();
      } catch (error) {
        // The queue's disk: nothing was taken out, so everything is still to be sent.
        this.#failures += 1;
        this.#report(messageOf(error));
        await this.#pause(0);
      }
    }
  }

  /** The end of the queue: waits for new logs, or for the time at which what was left over is tried again. */
  async #rest(): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const kicked = this.#kick.signal;
    if (this.#leftOver && this.#due === null) {
      this.#barrenRounds += 1;
      this.#due = this.#options.sleep(backoffMs(this.#barrenRounds, this.#options.backoff, this.#options.random()), kicked);
    }
    if (!this.#leftOver) this.#barrenRounds = 0;
    // A log may have been added between the look at the queue and this wait.
    if ((await this.#options.queue.read(this.#cursor, 1, 1)).length > 0 || this.#stopping) return;
    const due = this.#due?.then(() => true);
    const again = this.#kicked || (await Promise.race([woken.then(() => kicked.aborted), ...(due ? [due] : [])]));
    this.#wake = null;
    if (!again) return;
    this.#kicked = false;
    this.#due = null;
    this.#leftOver = false;
    this.#roundEnd = this.#cursor;
    this.#cursor = 0;
    await this.#options.queue.compact();
  }

  async #sendEntries(entries: readonly Sending[]): Promise<void> {
    const parts: (readonly Sending[])[] = [entries];
    for (let part = parts.pop(); part; part = parts.pop()) {
      let answer = await this.#exchange(part);
      if (answer.kind === 'split' && part.length > 1) {
        const half = part.length >> 1;
        parts.push(part.slice(half), part.slice(0, half));
        continue;
      }
      if (answer.kind === 'split') answer = await this.#exchangeAlone(part[0] as Sending);
      if (answer.kind === 'results') {
        await this.#apply(part, answer.results);
        continue;
      }
      await this.#failed(entries, answer);
      return;
    }
    this.#failures = 0;
    this.#failuresHere = 0;
    this.#trouble = null;
    this.#batchLogs = Math.min(MAX_BATCH_LOGS, this.#batchLogs * 2);
    this.#passOver(entries);
  }

  #passOver(entries: readonly Sending[]): void {
    this.#cursor = (entries[entries.length - 1] as Sending).number + 1;
  }

  /** The request failed as a whole, so nothing is known about its logs. Parts that were answered are out of the queue already. */
  async #failed(entries: readonly Sending[], answer: Exclude<Answer, { kind: 'results' }>): Promise<void> {
    this.#failures += 1;
    this.#counts.failedRequests += 1;
    this.#report(answer.detail);
    const head = (entries[0] as Sending).number;
    if (answer.kind === 'clock') {
      this.#counts.clockSkews += 1;
      const deviceTime = this.#options.clock();
      this.#tell(() => this.#options.onClockSkew?.(answer.serverTime, deviceTime));
      const wasSet = answer.serverTime !== null && Math.abs(this.#options.clock() - answer.serverTime) <= CLOCK_TOLERANCE_MS;
      // Once at once; a service that goes on about the clock is waited for like any other fault.
      if (wasSet && this.#failures === 1) return;
    } else {
      this.#failuresHere = this.#failedAt === head ? this.#failuresHere + 1 : 1;
      this.#failedAt = head;
      if (this.#failuresHere >= FAILURES_BEFORE_OTHERS) {
        this.#failuresHere = 0;
        this.#leftOver = true;
        this.#passOver(entries);
        this.#batchLogs = Math.max(1, this.#batchLogs >> 1);
      }
    }
    await this.#pause(answer.kind === 'split' ? 0 : answer.retryAfterMs);
  }

  async #pause(leastMs: number): Promise<void> {
    const wait = Math.max(leastMs, backoffMs(this.#failures, this.#options.backoff, this.#options.random()));
    if (!this.#stopping && !this.#kicked) await this.#options.sleep(wait, this.#kick.signal);
    this.#kicked = false;
  }

  async #apply(entries: readonly Sending[], results: readonly LogResult[]): Promise<void> {
    const done: Sending[] = [];
    const refused: RefusedLine[] = [];
    const at = new Date(this.#options.clock()).toISOString();
    for (const [i, entry] of entries.entries()) {
      const result = results[i];
      if (!result || result.outcome === 'later') this.#leftOver = true;
      else done.push(entry);
      if (result?.outcome === 'refused') {
        const { code = 'unknown', detail = '', fields } = result;
        refused.push({ at, log_id: entry.logId, code, detail, ...(fields && { fields }), log: entry.text });
      }
    }
    if (refused.length > 0) await this.#keepRefused(refused);
    for (const [i, entry] of entries.entries()) {
      const result = results[i];
      if (!result) continue;
      this.#count(result);
      this.#tell(() => this.#options.onResult?.(entry.logId, result));
    }
    if (done.some(({ number }) => number < this.#roundEnd)) this.#barrenRounds = 0;
    await this.#options.queue.finish(done.map(({ number }) => number));
  }

  async #keepRefused(lines: readonly RefusedLine[]): Promise<void> {
    try {
      await this.#options.refused.append(lines);
    } catch (error) {
      // The verdict is final whether or not there is room to note it; the service has it in its quarantine.
      this.#report(`refused.ndjson cannot be written (${messageOf(error)})`);
    }
  }

  #count(result: LogResult): void {
    if (result.outcome === 'accepted') this.#counts.accepted += 1;
    if (result.outcome === 'duplicate') this.#counts.duplicates += 1;
    if (result.outcome !== 'refused') return;
    const code = result.code ?? 'unknown';
    // A bound on what a strange server can make us keep.
    const key = this.#refusedByCode.has(code) || this.#refusedByCode.size < 64 ? code : 'other';
    this.#refusedByCode.set(key, (this.#refusedByCode.get(key) ?? 0) + 1);
  }

  #report(detail: string): void {
    this.#trouble = detail;
    try {
      this.#options.onTrouble?.(detail);
    } catch (error) {
      this.#trouble = `${detail}; and onTrouble threw: ${messageOf(error)}`;
    }
  }

  /** A fault in the player's callback must not keep verdicts from being written down. */
  #tell(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#report(`a callback threw: ${messageOf(error)}`);
    }
  }

  #exchange(part: readonly Sending[]): Promise<Answer> {
    return this.#ask((sentAt) => ({
      path: '/api/v1/playback-logs/batch',
      body: `{"sent_at":"${sentAt}","logs":[${part.map(({ text }) => text).join(',')}]}`,
      read: (answer, now) =>
        readBatchAnswer(
          answer,
          part.map(({ logId }) => logId),
          now,
        ),
    }));
  }

  #exchangeAlone(entry: Sending): Promise<Answer> {
    return this.#ask(() => ({
      path: '/api/v1/playback-logs',
      body: entry.text,
      read: (answer, now) => readSingleAnswer(answer, entry.logId, now),
    }));
  }

  async #ask(
    make: (sentAt: string) => {
      path: string;
      body: string;
      read: (answer: Awaited<ReturnType<Transport['post']>>, now: number) => Answer;
    },
  ): Promise<Answer> {
    this.#counts.requests += 1;
    try {
      const sentAt = new Date(this.#options.clock()).toISOString();
      const { path, body, read } = make(sentAt);
      const answer = await this.#options.transport.post({
        url: this.#options.baseUrl + path,
        body,
        headers: { 'device-time': sentAt },
        timeoutMs: this.#options.timeoutMs,
        signal: this.#stop.signal,
      });
      return read(answer, this.#options.clock());
    } catch (error) {
      return { kind: 'unknown', detail: messageOf(error), retryAfterMs: 0 };
    }
  }
}

function logIdOf(text: string): string {
  try {
    const log = JSON.parse(text) as { log_id?: unknown } | null;
    return typeof log?.log_id === 'string' ? log.log_id : '';
  } catch {
    return '';
  }
}
