/** One simulated screen: the SDK with its queue on disk, and the misbehaviour that goes around it. */
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import {
  buildLog,
  createTransport,
  type Device,
  type LogResult,
  loadSigningKey,
  openDevice,
  type PlayInput,
  type SignedLog,
  type SigningKey,
  signLog,
  type Transport,
} from '@playproof/device';
import type { DirectSender } from './direct.ts';
import type { Intent, Ledger, LedgerEntry, ToldAnswer } from './ledger.ts';
import type { Step } from './plan.ts';
import type { Random } from './random.ts';
import type { ScreenSpec, World } from './world.ts';

export interface ScreenOptions {
  readonly spec: ScreenSpec;
  readonly world: World;
  readonly baseUrl: string;
  /** The queues of all screens are made under it. */
  readonly dir: string;
  readonly ledger: Ledger;
  readonly direct: DirectSender;
  readonly random: Random;
  readonly onAnswer: (entry: LedgerEntry, answer: ToldAnswer) => void;
  readonly backoff: { readonly minMs: number; readonly maxMs: number };
}

const REMEMBERED = 64;

export class FleetScreen {
  readonly #options: ScreenOptions;
  readonly #key: SigningKey;
  readonly #disabledKey: SigningKey;
  /** Its own logs of late, for replays and conflicts. */
  readonly #recent = new Map<string, { readonly text: string; readonly play: PlayInput }>();
  #device: Device | null = null;
  #behindMs = 0;
  #offlinePlays = 0;
  #clockSkews = 0;
  #troubles = 0;

  constructor(options: ScreenOptions) {
    this.#options = options;
    const { spec, world } = options;
    this.#key = loadSigningKey(spec.keyId, spec.algorithm, spec.privateKey);
    this.#disabledKey = loadSigningKey(world.disabled.keyId, world.disabled.algorithm, world.disabled.privateKey);
  }

  async open(): Promise<void> {
    const { spec, baseUrl, dir, random, backoff } = this.#options;
    this.#device = await openDevice({
      deviceId: spec.deviceId,
      keyId: spec.keyId,
      privateKey: spec.privateKey,
      algorithm: spec.algorithm,
      baseUrl,
      queueDir: path.join(dir, `screen-${spec.index}`),
      backoff,
      timeoutMs: 15_000,
      clock: () => Date.now() - this.#behindMs,
      random: () => random.next(),
      transport: this.#transport(),
      onResult: (logId, result) => this.#told(logId, result),
      onClockSkew: (serverTime) => {
        this.#clockSkews += 1;
        this.#behindMs = serverTime === null ? 0 : Date.now() - serverTime;
      },
      onTrouble: () => {
        this.#troubles += 1;
      },
    });
  }

  /** The network of this screen, which is away during an offline spell. */
  #transport(): Transport {
    const transport = createTransport();
    return {
      post: (request) => (this.#offlinePlays > 0 ? Promise.reject(new Error('the screen is offline')) : transport.post(request)),
      close: () => transport.close(),
    };
  }

  #told(logId: string, result: LogResult): void {
    const entry = this.#options.ledger.find(logId);
    if (entry) this.#answer(entry, result);
  }

  #answer(entry: LedgerEntry, answer: ToldAnswer, last = false): void {
    this.#options.ledger.answered(entry, answer, last);
    this.#options.onAnswer(entry, answer);
  }

  /** Does one step; resolves when its play is durable in the queue, or was answered where it goes around the SDK. */
  async perform(step: Step): Promise<void> {
    const device = this.#device;
    if (!device) throw new Error('the screen is not open');
    if (step.spell?.kind === 'offline') this.#offlinePlays = step.spell.plays;
    else if (this.#offlinePlays > 0) {
      this.#offlinePlays -= 1;
      if (this.#offlinePlays === 0) device.kick();
    }
    if (step.spell?.kind === 'clock') this.#behindMs = step.spell.behindMs;
    const play = playOf(step);
    if (step.via === 'direct') return this.#misbehave(step, play);
    const log = device.sign(play);
    this.#intend(log, step);
    this.#remember(log, play);
    await device.record(log);
  }

  #intend(log: SignedLog, step: Step, more: Partial<Intent> = {}): LedgerEntry {
    return this.#options.ledger.intend({
      logId: log.logId,
      contentHash: log.contentHash,
      deviceId: this.#options.spec.deviceId,
      campaignId: step.campaignId,
      behaviour: step.behaviour,
      expected: step.expected,
      durationActualMs: Math.round(step.durationActual * 1000),
      ...more,
    });
  }

  #remember(log: SignedLog, play: PlayInput): void {
    this.#recent.set(log.logId, { text: log.text, play });
    const oldest = this.#recent.keys().next().value;
    if (this.#recent.size > REMEMBERED && oldest !== undefined) this.#recent.delete(oldest);
  }

  /** One of the recent logs that the service has accepted. */
  #earlier(position: number): LedgerEntry | null {
    const accepted = [...this.#recent.keys()].flatMap((logId) => {
      const entry = this.#options.ledger.find(logId);
      return entry?.settled === 'accepted' ? [entry] : [];
    });
    return accepted[Math.floor(position * accepted.length)] ?? null;
  }

  async #misbehave(step: Step, play: PlayInput): Promise<void> {
    const { direct, ledger } = this.#options;
    if (step.behaviour === 'replay' || step.behaviour === 'conflict') {
      const earlier = this.#earlier(step.earlier);
      const kept = earlier && this.#recent.get(earlier.logId);
      // Nothing was accepted yet that could be sent again: this step is left out.
      if (!earlier || !kept) return;
      if (step.behaviour === 'replay') {
        const answer = await direct.post(kept.text);
        ledger.repeated(earlier, answer);
        this.#options.onAnswer(earlier, answer);
        return;
      }
      const other = { ...kept.play, startedAt: Number(kept.play.startedAt) - 1 };
      const log = signLog(buildLog(earlier.logId, this.#options.spec.deviceId, this.#key.keyId, other), this.#key);
      const entry = this.#intend(log, step, { campaignId: kept.play.campaignId });
      this.#answer(entry, await direct.post(log.text), true);
      return;
    }
    const log = this.#forge(step, play);
    const entry = this.#intend(log, step);
    this.#answer(entry, await direct.post(log.text), true);
  }

  #forge(step: Step, play: PlayInput): SignedLog {
    const { spec, world } = this.#options;
    const key = this.#key;
    const log = buildLog(randomUUID(), spec.deviceId, key.keyId, play);
    switch (step.behaviour) {
      case 'tampered': {
        const signed = signLog(log, key);
        // As a thief would: the play becomes a longer one after it was signed.
        const text = signed.text.replace(/"duration_actual":[\d.]+/, `"duration_actual":${step.durationActual + 0.5}`);
        return { ...signed, text };
      }
      case 'strange_key':
        return signLog({ ...log, key_id: 'k-stranger' }, key);
      case 'strange_device':
        return signLog({ ...log, device_id: randomUUID() }, key);
      case 'disabled_device':
        return signLog({ ...log, device_id: world.disabled.deviceId, key_id: world.disabled.keyId }, this.#disabledKey);
      case 'extra_field':
        return signLog({ ...log, price: 1 }, key);
      case 'garbled': {
        const signed = signLog(log, key);
        return { ...signed, contentHash: '', text: signed.text.slice(0, signed.text.length / 2) };
      }
      default:
        return signLog(log, key);
    }
  }

  /** The network is there and the clock is right, from now on. */
  recover(): void {
    this.#offlinePlays = 0;
    this.#behindMs = 0;
    this.#device?.kick();
  }

  kick(): void {
    this.#device?.kick();
  }

  flush(timeoutMs: number): Promise<boolean> {
    return this.#device?.flush(timeoutMs) ?? Promise.resolve(true);
  }

  get state(): { readonly queued: number; readonly offline: boolean; readonly clockSkews: number; readonly troubles: number } {
    const queued = this.#device?.stats().queued ?? 0;
    return { queued, offline: this.#offlinePlays > 0, clockSkews: this.#clockSkews, troubles: this.#troubles };
  }

  async close(): Promise<void> {
    await this.#device?.close();
  }
}

function playOf(step: Step): PlayInput {
  const endedAt = Date.now() - step.agoMs;
  return {
    campaignId: step.campaignId,
    contentId: step.contentId,
    startedAt: endedAt - step.spanMs,
    endedAt,
    durationActual: step.durationActual,
    durationExpected: step.durationExpected,
    status: step.status,
    ...(step.location && { location: step.location }),
    ...(step.screenshotHash !== null && { screenshotHash: step.screenshotHash }),
  };
}
