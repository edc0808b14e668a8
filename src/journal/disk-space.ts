/** Watches the free space of the data directory, so that logs are refused while there is still room to settle what was taken. */
import { statfsSync } from 'node:fs';

const EVERY_MS = 1_000;
/** On a small disk the reserve is at most this part of it. */
const MAX_PART = 0.05;

export class DiskSpace {
  readonly #directory: string;
  readonly #reserve: number;
  readonly #timer: NodeJS.Timeout;
  readonly #onLook: (low: boolean) => void;
  #low = false;

  /** @param onLook Told each second, and whenever room ran out, whether there is too little. */
  constructor(directory: string, reserveBytes: number, onLook: (low: boolean) => void = () => {}) {
    this.#directory = directory;
    this.#reserve = reserveBytes;
    this.#onLook = onLook;
    this.#look();
    this.#timer = setInterval(() => this.#look(), EVERY_MS);
    this.#timer.unref();
  }

  /** Whether less than the reserve is free. */
  get low(): boolean {
    return this.#low;
  }

  /** A write found no room, whatever the file system says of its free blocks (a quota, a reserve of its own): low until the next look. */
  ranOut(): void {
    this.#set(true);
  }

  #look(): void {
    const { bavail, blocks, bsize } = statfsSync(this.#directory);
    this.#set(bavail * bsize < Math.min(this.#reserve, blocks * bsize * MAX_PART));
  }

  #set(low: boolean): void {
    this.#low = low;
    this.#onLook(low);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
