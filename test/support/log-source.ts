/**
 * What clients send: good logs of all kinds of plays, with repeats, conflicts, tampered and refused ones mixed in. A seed decides the
 * whole sequence, whatever is answered; only the clock's part of ids and times differs.
 */
import { type PlayOptions, playFields, type World } from './registry.ts';
import { type LogFields, type SignedLog, type SigningKey, signLog, tamper } from './signing.ts';

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

export interface LogSourceOptions {
  /** The key with which a screen signs a play that ended then; its first key without it. */
  readonly keyAt?: (device: number, endedAt: number) => SigningKey;
  /** Makes log ids; at random without it. */
  readonly logId?: () => string;
}

const RECENT = 500;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const UNKNOWN_CAMPAIGN = '0197a1c0-7b5e-7c3a-9d55-2f6b8a4e1d01';
const CLAIMS = [
  { status: 'COMPLETED', duration_actual: 15 },
  { status: 'COMPLETED', duration_actual: 9 },
  { status: 'PARTIAL', duration_actual: 7.5 },
  { status: 'SKIPPED', duration_actual: 0 },
  { status: 'ERROR', duration_actual: 1.001 },
] as const;

export class LogSource {
  readonly #world: World;
  readonly #random: () => number;
  readonly #options: LogSourceOptions;
  readonly #recent: SignedLog[] = [];

  constructor(world: World, random: () => number, options: LogSourceOptions = {}) {
    this.#world = world;
    this.#random = random;
    this.#options = options;
  }

  /** The logs of one request. */
  next(): SignedLog[] {
    const count = this.#random() < 0.4 ? 1 : 2 + this.#below(20);
    return Array.from({ length: count }, () => this.#log());
  }

  good(): SignedLog {
    const claim = this.#random() < 0.7 ? CLAIMS[0] : CLAIMS[this.#below(CLAIMS.length)];
    const endedAt = Date.now() - this.#below(HOUR_MS);
    return this.#play({ device: this.#device(), campaign: this.#below(2) as 0 | 1, endedAt }, claim);
  }

  /** Another content under the same log_id, well signed, by any screen. */
  conflict({ logId }: SignedLog): SignedLog {
    const endedAt = Date.now() - 5_000;
    return this.#play(
      { device: this.#device(), endedAt },
      { log_id: logId, status: 'PARTIAL', duration_actual: (3_000 + this.#below(1_000)) / 1_000 },
    );
  }

  #log(): SignedLog {
    const dice = this.#random();
    const earlier = this.#recent[this.#below(this.#recent.length)];
    if (earlier && dice < 0.15) return earlier;
    if (earlier && dice < 0.2) return this.conflict(earlier);
    if (dice < 0.24) return tamper(this.good(), { duration_actual: 14.999 });
    if (dice < 0.27) return this.#play({ device: this.#device(), endedAt: Date.now() - 2 * DAY_MS });
    if (dice < 0.3) return this.#play({ device: this.#device(), endedAt: Date.now() - 5_000 }, { campaign_id: UNKNOWN_CAMPAIGN });
    const log = this.good();
    if (this.#recent.length < RECENT) this.#recent.push(log);
    else this.#recent[this.#below(RECENT)] = log;
    return log;
  }

  #play(options: PlayOptions & { readonly device: number; readonly endedAt: number }, changes: LogFields = {}): SignedLog {
    const { keyAt, logId } = this.#options;
    const fields = playFields(this.#world, options, { ...(logId && { log_id: logId() }), ...changes });
    const key = keyAt?.(options.device, options.endedAt) ?? this.#world.devices[options.device]?.key;
    if (!key) throw new Error(`the world has no device ${options.device}`);
    return signLog(fields, key);
  }

  #device(): number {
    return this.#below(this.#world.devices.length);
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }
}
