/**
 * Clients under load: several connections that send singles and batches, with repeats, conflicts, tampered and refused logs mixed
 * in, and that send again whatever they got no answer for. A seed decides what is sent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { call, type Reply } from './http.ts';
import { Ledger, type ToldVerdict } from './ledger.ts';
import { play, playFields, type World } from './registry.ts';
import { type SignedLog, signLog, tamper } from './signing.ts';

/** Numbers from 0 to 1 out of a seed: Marsaglia's xorshift, 32 bits. */
export function randomFrom(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}

const MAX_BATCH = 100;
const RECENT = 500;
const DAY_MS = 86_400_000;

export class Load {
  readonly ledger = new Ledger();
  readonly #world: World;
  readonly #random: () => number;
  /** Sent, and nobody knows what became of it. */
  #unknown: SignedLog[] = [];
  #recent: SignedLog[] = [];
  #stopped = false;
  #running: Promise<void>[] = [];

  constructor(world: World, seed: number) {
    this.#world = world;
    this.#random = randomFrom(seed);
  }

  /** @param url Where the service listens now; null while it does not. */
  start(connections: number, url: () => string | null): void {
    this.#stopped = false;
    this.#running = Array.from({ length: connections }, async () => {
      while (!this.#stopped) {
        const base = url();
        if (base === null) await sleep(5);
        else await this.send(base, this.#next());
      }
    });
  }

  /** Lets each connection finish what it has in flight. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  /** Sends until every log has an answer. @throws Error when the service refuses to answer. */
  async drain(url: string): Promise<void> {
    for (let rounds = 0; this.#unknown.length > 0; rounds += 1) {
      if (rounds > 2_000) throw new Error(`${this.#unknown.length} logs get no answer`);
      const before = this.#unknown.length;
      await this.send(url, this.#unknown.splice(0, MAX_BATCH));
      if (this.#unknown.length >= before) await sleep(50);
    }
  }

  /** Sends one batch of `count` good logs. */
  async sendGood(url: string, count: number): Promise<void> {
    await this.send(
      url,
      Array.from({ length: count }, () => this.#good()),
    );
  }

  /** Sends the newest `count` logs in one batch again. */
  async resend(url: string, count: number): Promise<void> {
    await this.send(url, this.ledger.entries().slice(-count));
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  #next(): SignedLog[] {
    if (this.#unknown.length > 0 && this.#random() < 0.5) return this.#unknown.splice(0, 1 + this.#below(MAX_BATCH));
    const count = this.#random() < 0.4 ? 1 : 2 + this.#below(20);
    return Array.from({ length: count }, () => this.#log());
  }

  #log(): SignedLog {
    const dice = this.#random();
    const earlier = this.#recent[this.#below(this.#recent.length)];
    if (earlier && dice < 0.15) return earlier;
    if (earlier && dice < 0.2) return this.#conflict(earlier);
    if (dice < 0.24) return tamper(this.#good(), { duration_actual: 14.999 });
    if (dice < 0.27) return play(this.#world, { device: this.#device(), endedAt: Date.now() - 2 * DAY_MS });
    if (dice < 0.3) return play(this.#world, { device: this.#device() }, { campaign_id: '0197a1c0-7b5e-7c3a-9d55-2f6b8a4e1d01' });
    const log = this.#good();
    if (this.#recent.length < RECENT) this.#recent.push(log);
    else this.#recent[this.#below(RECENT)] = log;
    return log;
  }

  #device(): number {
    return this.#below(this.#world.devices.length);
  }

  #good(): SignedLog {
    const claims = [
      { status: 'COMPLETED', duration_actual: 15 },
      { status: 'COMPLETED', duration_actual: 9 },
      { status: 'PARTIAL', duration_actual: 7.5 },
      { status: 'SKIPPED', duration_actual: 0 },
      { status: 'ERROR', duration_actual: 1.001 },
    ];
    const claim = this.#random() < 0.7 ? claims[0] : claims[this.#below(claims.length)];
    const endedAt = Date.now() - this.#below(3_600_000);
    return play(this.#world, { device: this.#device(), campaign: this.#below(2) as 0 | 1, endedAt }, claim);
  }

  /** Another content under the same log_id, well signed, by any screen. */
  #conflict({ logId }: SignedLog): SignedLog {
    const device = this.#device();
    const fields = playFields(
      this.#world,
      { device },
      { log_id: logId, status: 'PARTIAL', duration_actual: (3_000 + this.#below(1_000)) / 1_000 },
    );
    return signLog(fields, (this.#world.devices[device] as World['devices'][number]).key);
  }

  /** Sends these in one request; without an answer they are sent again later. */
  async send(url: string, logs: readonly SignedLog[]): Promise<void> {
    for (const log of logs) this.ledger.sending(log);
    const single = logs.length === 1;
    const path = single ? '/api/v1/playback-logs' : '/api/v1/playback-logs/batch';
    const body = single
      ? (logs[0] as SignedLog).body
      : `{"sent_at":"${new Date().toISOString()}","logs":[${logs.map((log) => log.body).join(',')}]}`;
    let reply: Reply;
    try {
      reply = await call(url, path, { body, token: null });
    } catch {
      // No answer: nobody knows.
      this.#unknown.push(...logs);
      return;
    }
    this.#heard(logs, reply, single);
  }

  #heard(logs: readonly SignedLog[], { status, json, text }: Reply, single: boolean): void {
    if (status >= 500) {
      if (status !== 503) throw new Error(`the service failed: ${status} ${text}`);
      this.#unknown.push(...logs);
    } else if (single) {
      this.#result(logs[0] as SignedLog, json);
    } else if (status === 202 || status === 207) {
      for (const [i, log] of logs.entries()) this.#result(log, json.results[i]);
    } else throw new Error(`a batch was answered ${status}: ${text}`);
  }

  #result(log: SignedLog, result: ToldVerdict & { readonly outcome?: string; readonly code?: string }): void {
    const { outcome, code, status, billable } = result;
    if (code === 'unavailable') this.#unknown.push(log);
    else if (outcome === 'accepted' || outcome === 'duplicate') this.ledger.heard(log, outcome, { status, billable });
    else if (code !== undefined) this.ledger.heard(log, code, null);
    else throw new Error(`an answer without outcome or code: ${JSON.stringify(result)}`);
  }
}
