/**
 * Clients that send at a steady rate, whatever comes back: what is sent does not depend on what is answered. Logs without an answer are
 * sent again beside that. Both are bounded: with too much open or unanswered the clients wait, which is counted.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { drain } from '../support/load.ts';
import type { LogSource } from '../support/log-source.ts';
import { MAX_BATCH, type Sender } from '../support/sender.ts';
import type { SignedLog } from '../support/signing.ts';

export interface SteadyLoadOptions {
  readonly source: LogSource;
  readonly sender: Sender;
  /** Logs a second. */
  readonly rate: number;
  /** Where the next request goes; null while nobody listens. */
  readonly url: () => string | null;
}

const TICK_MS = 20;
const MAX_OPEN_REQUESTS = 64;
const MAX_UNKNOWN = 20_000;
/** A batch of unanswered logs is sent again this often. */
const RESEND_MS = 100;
const MAX_FAILURES = 20;
const DRAIN_URL_MS = 60_000;

export class SteadyLoad {
  readonly sender: Sender;
  /** Answers that may never be given, a sentence each. */
  readonly failures: string[] = [];
  readonly #options: SteadyLoadOptions;
  readonly #open = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | null = null;
  #sent = 0;
  #due = 0;
  #last = 0;
  #resentAt = 0;
  #waitedMs = 0;

  constructor(options: SteadyLoadOptions) {
    this.#options = options;
    this.sender = options.sender;
  }

  /** Logs sent by the steady rate alone. */
  get sent(): number {
    return this.#sent;
  }

  /** How long the clients waited because too much was open or unanswered. */
  get waitedMs(): number {
    return Math.round(this.#waitedMs);
  }

  start(): void {
    this.#last = performance.now();
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  /** Sends nothing more and waits for what is open. */
  async pause(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    while (this.#open.size > 0) await Promise.all(this.#open);
  }

  /** Sends in one request, as the steady clients do. Never rejects: what must not be answered is a failure. */
  async send(url: string, logs: readonly SignedLog[]): Promise<void> {
    try {
      await this.sender.send(url, logs);
    } catch (error) {
      this.fail((error as Error).message);
    }
  }

  fail(sentence: string): void {
    if (this.failures.length < MAX_FAILURES) this.failures.push(sentence);
  }

  /** Until every log has an answer. @throws Error when the service refuses to answer. */
  async drain(): Promise<void> {
    const until = performance.now() + DRAIN_URL_MS;
    while (this.#options.url() === null && performance.now() < until) await sleep(TICK_MS);
    await drain(this.sender, () => this.#options.url() ?? '');
  }

  #tick(): void {
    const now = performance.now();
    const passed = now - this.#last;
    this.#last = now;
    const url = this.#options.url;
    if (url() === null || this.#open.size >= MAX_OPEN_REQUESTS || this.sender.unknown >= MAX_UNKNOWN) this.#waitedMs += passed;
    else this.#due += (passed * this.#options.rate) / 1_000;
    while (this.#due >= 1 && this.#open.size < MAX_OPEN_REQUESTS) {
      const to = url();
      if (to === null) break;
      const logs = this.#options.source.next();
      this.#due -= logs.length;
      this.#sent += logs.length;
      this.#track(this.send(to, logs));
    }
    if (this.sender.unknown > 0 && now - this.#resentAt >= RESEND_MS && this.#open.size < MAX_OPEN_REQUESTS) {
      const to = url();
      if (to === null) return;
      this.#resentAt = now;
      this.#track(this.send(to, this.sender.takeUnknown(MAX_BATCH)));
    }
  }

  #track(sending: Promise<void>): void {
    const tracked = sending.finally(() => this.#open.delete(tracked));
    this.#open.add(tracked);
  }
}
