/** The whole of what a player needs: `openDevice`, then `recordPlay` for every showing. */
import type { KeyObject } from 'node:crypto';
import type { BackoffOptions } from './backoff.ts';
import { DeviceError } from './errors.ts';
import { DurableQueue, type QueueOptions } from './queue.ts';
import { RefusedFile } from './refused-file.ts';
import { Sender, type SenderEvents, type SenderStats } from './sender.ts';
import {
  buildLog,
  checkUuid,
  loadSigningKey,
  type PlayInput,
  type SignatureAlgorithm,
  type SignedLog,
  type SigningKey,
  signLog,
} from './sign.ts';
import { createTransport, type Transport } from './transport.ts';
import { createUuid7 } from './uuid7.ts';

export interface DeviceOptions extends SenderEvents, Pick<QueueOptions, 'onWarning' | 'openFile'> {
  /** UUID under which the device is registered. */
  readonly deviceId: string;
  readonly keyId: string;
  /** RSA of 2048 to 4096 bits: PEM, or a key object. */
  readonly privateKey: string | KeyObject;
  readonly algorithm: SignatureAlgorithm;
  /** Of the service, such as `https://plays.example.com`. */
  readonly baseUrl: string;
  /** For this device alone; made when missing. */
  readonly queueDir: string;
  /** Bytes on disk; 1 GiB. When they are used up, plays are refused, none is dropped. */
  readonly maxQueueBytes?: number;
  /** 1 s to 5 min. */
  readonly backoff?: BackoffOptions;
  /** For one request; 30 s. */
  readonly timeoutMs?: number;
  /** Milliseconds since 1970, as the player believes; Date.now. */
  readonly clock?: () => number;
  /** 0 to 1, for the jitter only; Math.random. */
  readonly random?: () => number;
  /** Fills bytes for log ids; node:crypto. */
  readonly randomBytes?: (bytes: Uint8Array) => void;
  readonly transport?: Transport;
}

export interface DeviceStats extends SenderStats {
  /** Logs without a final verdict, and the bytes the queue takes. */
  readonly queued: number;
  readonly queuedBytes: number;
  readonly maxQueueBytes: number;
  readonly recorded: number;
}

export interface Device {
  /**
   * Signs a play and keeps it. Resolves when it is durable: from then on it is sent until the service gave a final verdict.
   * @throws DeviceError `invalid_play`; `queue_full` or `queue_write_failed`: the play is not kept.
   */
  recordPlay(play: PlayInput): Promise<SignedLog>;
  /** The first half of `recordPlay`: what would be recorded. */
  sign(play: PlayInput): SignedLog;
  /** The second half. */
  record(log: SignedLog): Promise<void>;
  /** Tries at once, without waiting for the back-off. @returns whether the queue was empty within `timeoutMs`. */
  flush(timeoutMs: number): Promise<boolean>;
  /** The network is back, or the clock was set: tries at once. */
  kick(): void;
  stats(): DeviceStats;
  /** Ends the sending within `graceMs` (1 s). What is queued stays on disk for the next `openDevice`. */
  close(graceMs?: number): Promise<void>;
}

const FLUSH_LOOK_MS = 20;

/** @throws DeviceError `invalid_option`, `queue_locked` when another process has `queueDir`. */
export async function openDevice(options: DeviceOptions): Promise<Device> {
  const key = loadSigningKey(options.keyId, options.algorithm, options.privateKey);
  const baseUrl = checkBaseUrl(options.baseUrl);
  checkUuid('invalid_option', 'deviceId', options.deviceId);
  const clock = options.clock ?? Date.now;
  const queue = await DurableQueue.open({
    directory: options.queueDir,
    ...(options.maxQueueBytes !== undefined && { maxBytes: options.maxQueueBytes }),
    ...(options.onWarning && { onWarning: options.onWarning }),
    ...(options.openFile && { openFile: options.openFile }),
  });
  const transport = options.transport ?? createTransport();
  const sender = new Sender({
    baseUrl,
    queue,
    refused: new RefusedFile(options.queueDir),
    transport,
    clock,
    random: options.random ?? Math.random,
    sleep,
    backoff: options.backoff ?? { minMs: 1000, maxMs: 5 * 60_000 },
    timeoutMs: options.timeoutMs ?? 30_000,
    ...(options.onResult && { onResult: options.onResult }),
    ...(options.onClockSkew && { onClockSkew: options.onClockSkew }),
    ...(options.onTrouble && { onTrouble: options.onTrouble }),
  });
  sender.start();
  return new QueuedDevice(options.deviceId, key, createUuid7(clock, options.randomBytes), queue, sender, transport);
}

class QueuedDevice implements Device {
  readonly #deviceId: string;
  readonly #key: SigningKey;
  readonly #nextLogId: () => string;
  readonly #queue: DurableQueue;
  readonly #sender: Sender;
  readonly #transport: Transport;
  #recorded = 0;
  #closing: Promise<void> | null = null;

  constructor(deviceId: string, key: SigningKey, nextLogId: () => string, queue: DurableQueue, sender: Sender, transport: Transport) {
    this.#deviceId = deviceId;
    this.#key = key;
    this.#nextLogId = nextLogId;
    this.#queue = queue;
    this.#sender = sender;
    this.#transport = transport;
  }

  async recordPlay(play: PlayInput): Promise<SignedLog> {
    const log = this.sign(play);
    await this.record(log);
    return log;
  }

  sign(play: PlayInput): SignedLog {
    return signLog(buildLog(this.#nextLogId(), this.#deviceId, this.#key.keyId, play), this.#key);
  }

  async record(log: SignedLog): Promise<void> {
    await this.#queue.append(log.text);
    this.#recorded += 1;
    this.#sender.wake();
  }

  async flush(timeoutMs: number): Promise<boolean> {
    const until = performance.now() + timeoutMs;
    this.#sender.kick();
    while (this.#queue.size > 0 && this.#closing === null) {
      const left = until - performance.now();
      if (left <= 0) return false;
      await sleep(Math.min(FLUSH_LOOK_MS, left));
    }
    return this.#queue.size === 0;
  }

  kick(): void {
    this.#sender.kick();
  }

  stats(): DeviceStats {
    return {
      ...this.#sender.stats(),
      queued: this.#queue.size,
      queuedBytes: this.#queue.bytes,
      maxQueueBytes: this.#queue.maxBytes,
      recorded: this.#recorded,
    };
  }

  close(graceMs = 1000): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    await this.#sender.stop(graceMs);
    this.#transport.close();
    await this.#queue.close();
  }
}

function checkBaseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.search !== '' || url.hash !== '') {
    throw new DeviceError('invalid_option', 'baseUrl must be an http or https address without a query, such as https://plays.example.com');
  }
  return url.href.replace(/\/+$/, '');
}

/** Ends early, without an error, when the signal aborts. */
function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
  });
}
