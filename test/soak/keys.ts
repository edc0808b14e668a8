/** The keys of the screens as they change during a soak, in the registry and for whoever signs. */
import type { World } from '../support/registry.ts';
import type { SigningKey } from '../support/signing.ts';
import type { Admin } from './admin.ts';

interface Held {
  readonly key: SigningKey;
  readonly from: number;
  readonly until: number;
}

export type KeyMaker = (device: number, keyId: string) => SigningKey;

export class KeyRing {
  readonly #world: World;
  readonly #makeKey: KeyMaker;
  /** Of each screen, oldest first. */
  readonly #held: Held[][];
  #made = 0;

  constructor(world: World, makeKey: KeyMaker) {
    this.#world = world;
    this.#makeKey = makeKey;
    this.#held = world.devices.map(({ key }) => [{ key, from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY }]);
  }

  /** What the screen signs a play with that ended then; its newest key where none was valid. */
  keyAt(device: number, endedAt: number): SigningKey {
    const held = this.#held[device] ?? [];
    const found = held.findLast(({ from, until }) => from <= endedAt && endedAt < until) ?? held.at(-1);
    if (!found) throw new Error(`the world has no device ${device}`);
    return found.key;
  }

  /** A new key from now on; the old one stays good for what ended before. Plays on their way may be refused. */
  async rotate(admin: Admin, device: number): Promise<void> {
    const now = Date.now();
    const old = this.#held[device]?.at(-1) as Held;
    const key = this.#make(device);
    await admin.post(`${this.#address(device)}/${old.key.keyId}/revoke`, { at: new Date(now).toISOString() });
    await admin.post(this.#address(device), { ...body(key), valid_from: new Date(now).toISOString() });
    this.#held[device]?.splice(-1, 1, { ...old, until: now }, { key, from: now, until: Number.POSITIVE_INFINITY });
  }

  /** All keys of the screen are told to be stolen, and a new one holds for every play. */
  async compromise(admin: Admin, device: number): Promise<void> {
    const key = this.#make(device);
    await admin.post(this.#address(device), body(key));
    const stolen = this.#held[device] ?? [];
    this.#held[device] = [{ key, from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY }];
    for (const { key: one } of stolen) {
      await admin.post(`${this.#address(device)}/${one.keyId}/revoke`, { compromised: true });
    }
  }

  #make(device: number): SigningKey {
    this.#made += 1;
    return this.#makeKey(device, `made-${this.#made}`);
  }

  #address(device: number): string {
    return `/api/v1/devices/${this.#world.devices[device]?.deviceId}/keys`;
  }
}

function body({ keyId, algorithm, publicKey }: SigningKey): object {
  return { key_id: keyId, algorithm, public_key: publicKey };
}
