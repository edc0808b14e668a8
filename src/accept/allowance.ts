/**
 * Bounds what a device can have kept without a proven signature, so that nobody who knows a device_id can fill the disk: so
 * many refusals an hour for each device. Quarantine itself keeps the newest of them (settle/sqlite-settlement.ts).
 */
const WINDOW_MS = 3_600_000;
const MAX_DEVICES = 100_000;

export class Allowance {
  readonly #perDevice: number;
  readonly #taken = new Map<string, { count: number; until: number }>();

  constructor(perDevice: number) {
    this.#perDevice = perDevice;
  }

  /** Whether one more refusal of this device may be kept now. */
  take(deviceId: string, now: number): boolean {
    let entry = this.#taken.get(deviceId);
    if (!entry || now >= entry.until) {
      // The oldest goes first: with more devices than this misbehaving at once, a window may begin anew for one of them.
      if (!entry && this.#taken.size >= MAX_DEVICES) this.#taken.delete(this.#taken.keys().next().value ?? '');
      entry = { count: 0, until: now + WINDOW_MS };
      this.#taken.delete(deviceId);
      this.#taken.set(deviceId, entry);
    }
    if (entry.count >= this.#perDevice) return false;
    entry.count += 1;
    return true;
  }
}
