/** Sends logs as devices do, writes into the ledger what is told, and remembers what has to be sent again because nobody knows. */
import { call, type Reply } from './http.ts';
import type { Ledger, ToldVerdict } from './ledger.ts';
import type { SignedLog } from './signing.ts';

export const MAX_BATCH = 100;
/** Told of a request or a log that was not judged: it is sent again. */
const NOT_JUDGED: ReadonlySet<unknown> = new Set(['unavailable', 'overloaded', 'clock_skew', 'request_timeout']);

interface Result extends ToldVerdict {
  readonly outcome?: string;
  readonly code?: string;
}

export class Sender {
  readonly ledger: Ledger;
  readonly #timeoutMs: number | undefined;
  /** Sent, and nobody knows what became of it. Oldest first. */
  #unknown: SignedLog[] = [];

  /** @param timeoutMs How long an answer is waited for; as long as it takes without it. */
  constructor(ledger: Ledger, timeoutMs?: number) {
    this.ledger = ledger;
    this.#timeoutMs = timeoutMs;
  }

  get unknown(): number {
    return this.#unknown.length;
  }

  /** The oldest logs that are to be sent again; whoever takes them sends them. */
  takeUnknown(count: number): SignedLog[] {
    return this.#unknown.splice(0, count);
  }

  /** Sends these in one request. @throws Error for an answer that may never be given: a 5xx other than 503, or no verdict at all. */
  async send(url: string, logs: readonly SignedLog[]): Promise<void> {
    for (const log of logs) this.ledger.sending(log);
    const single = logs.length === 1;
    const path = single ? '/api/v1/playback-logs' : '/api/v1/playback-logs/batch';
    const body = single
      ? (logs[0] as SignedLog).body
      : `{"sent_at":"${new Date().toISOString()}","logs":[${logs.map((log) => log.body).join(',')}]}`;
    let reply: Reply;
    try {
      reply = await call(url, path, { body, token: null, ...(this.#timeoutMs !== undefined && { timeoutMs: this.#timeoutMs }) });
    } catch {
      // No answer: nobody knows.
      this.#unknown.push(...logs);
      return;
    }
    this.#heard(logs, reply, single);
  }

  #heard(logs: readonly SignedLog[], { status, json, text }: Reply, single: boolean): void {
    if (status >= 500 && status !== 503) throw new Error(`the service failed: ${status} ${text}`);
    if (status === 503 || NOT_JUDGED.has(json?.code)) this.#unknown.push(...logs);
    else if (single) this.#result(logs[0] as SignedLog, json as Result);
    else if (status === 202 || status === 207) {
      for (const [i, log] of logs.entries()) this.#result(log, json.results[i] as Result);
    } else throw new Error(`a batch was answered ${status}: ${text}`);
  }

  #result(log: SignedLog, result: Result): void {
    const { outcome, code, status, billable } = result;
    if (NOT_JUDGED.has(code)) this.#unknown.push(log);
    else if (outcome === 'accepted' || outcome === 'duplicate') this.ledger.heard(log, outcome, { status, billable });
    else if (code !== undefined) this.ledger.heard(log, code, null);
    else throw new Error(`an answer without outcome or code: ${JSON.stringify(result)}`);
  }
}
