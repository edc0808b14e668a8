/**
 * How far the clocks of the devices are off, as their send times say: kept for people to look at, never judged by. Only of
 * requests whose logs were all proven, so that nobody can speak for another's device.
 */
import { isUuid } from '../domain/uuid.ts';
import { parseTimestamp } from '../domain/timestamp.ts';

export interface SentAt {
  /** The device's clock less ours, when we received it; positive: ahead. */
  readonly offsetMs: number;
  /** Milliseconds since 1970 UTC, by our clock. */
  readonly seenAt: number;
}

export interface Sighting extends SentAt {
  readonly deviceId: string;
}

/** Where an SDK writes the send time and its first log: at the beginning. */
const LOOKED_AT_BYTES = 2_048;
/** Looking takes a microsecond or two; under load not every request is looked at. */
const LOOK_EVERY_MS = 2;
const MAX_DEVICES = 20_000;

const DEVICE = /"device_id"\s*:\s*"([0-9a-fA-F-]{36})"/;
const SENT = /"sent_at"\s*:\s*"([0-9TZ:.+-]{20,35})"/;

export class SendTimes {
  readonly #byDevice = new Map<string, SentAt>();
  #lookedAt = 0;

  /** Before the body is handed on. Null: nothing to be seen, or not looked. */
  look(body: Uint8Array, header: string | null, batch: boolean, receivedAt: number): Sighting | null {
    if (receivedAt - this.#lookedAt < LOOK_EVERY_MS) return null;
    this.#lookedAt = receivedAt;
    const text = Buffer.from(body.buffer, body.byteOffset, Math.min(body.length, LOOKED_AT_BYTES)).toString('latin1');
    const sent = header ?? (batch ? SENT.exec(text)?.[1] : undefined);
    const deviceId = DEVICE.exec(text)?.[1]?.toLowerCase();
    if (sent === undefined || deviceId === undefined || !isUuid(deviceId)) return null;
    const instant = parseTimestamp(sent);
    return instant === undefined ? null : { deviceId, offsetMs: instant - receivedAt, seenAt: receivedAt };
  }

  /** @param status of the answer: 200 and 202 say that every log of the request was proven. */
  answered(sighting: Sighting | null, status: number): void {
    if (sighting === null || (status !== 200 && status !== 202)) return;
    const { deviceId, offsetMs, seenAt } = sighting;
    // The one that was heard longest ago makes room: a Map keeps the order of insertion.
    this.#byDevice.delete(deviceId);
    this.#byDevice.set(deviceId, { offsetMs, seenAt });
    const oldest = this.#byDevice.keys().next().value;
    if (this.#byDevice.size > MAX_DEVICES && oldest !== undefined) this.#byDevice.delete(oldest);
  }

  of(deviceId: string): SentAt | null {
    return this.#byDevice.get(deviceId) ?? null;
  }
}
