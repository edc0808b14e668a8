/** Clients under load: several connections that send as fast as they are answered, and again whatever they got no answer for. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Ledger } from './ledger.ts';
import { LogSource, randomFrom } from './log-source.ts';
import { idsFrom, type World } from './registry.ts';
import { MAX_BATCH, Sender } from './sender.ts';
import type { SignedLog } from './signing.ts';

export { randomFrom } from './log-source.ts';

/** Apart from a world that was made of the same seed. */
const LOG_IDS = 0x1000_0000;

export class Load {
  readonly ledger = new Ledger();
  readonly #sender = new Sender(this.ledger);
  readonly #source: LogSource;
  readonly #random: () => number;
  #stopped = false;
  #running: Promise<void>[] = [];

  /** @param seed Of everything that is sent, log ids too: two loads on one service need two. */
  constructor(world: World, seed: number) {
    this.#random = randomFrom(seed);
    this.#source = new LogSource(world, this.#random, { logId: idsFrom(seed + LOG_IDS) });
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
    await drain(this.#sender, () => url);
  }

  /** Sends one batch of `count` good logs. */
  async sendGood(url: string, count: number): Promise<void> {
    await this.send(
      url,
      Array.from({ length: count }, () => this.#source.good()),
    );
  }

  /** Sends the newest `count` logs in one batch again. */
  async resend(url: string, count: number): Promise<void> {
    await this.send(url, this.ledger.entries().slice(-count));
  }

  /** Sends these in one request; without an answer they are sent again later. */
  send(url: string, logs: readonly SignedLog[]): Promise<void> {
    return this.#sender.send(url, logs);
  }

  #next(): SignedLog[] {
    if (this.#sender.unknown > 0 && this.#random() < 0.5) return this.#sender.takeUnknown(1 + Math.floor(this.#random() * MAX_BATCH));
    return this.#source.next();
  }
}

const MAX_ROUNDS = 2_000;

/** Sends again until nothing is unknown. @param url May change while it waits. @throws Error when the service refuses to answer. */
export async function drain(sender: Sender, url: () => string): Promise<void> {
  for (let rounds = 0; sender.unknown > 0; rounds += 1) {
    if (rounds > MAX_ROUNDS) throw new Error(`${sender.unknown} logs get no answer`);
    const before = sender.unknown;
    await sender.send(url(), sender.takeUnknown(MAX_BATCH));
    if (sender.unknown >= before) await sleep(50);
  }
}
