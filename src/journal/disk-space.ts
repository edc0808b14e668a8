/** Watches the free space of the data directory, so that logs are refused while there is still room to settle what was taken. */
import { statfsSync } from 'node:fs';

const EVERY_MS = 1_000;
/** On a small disk the reserve is at most this part of it. */
const MAX_PART = 0.05;

export class DiskSpace {
  readonly #directory: string;
  readonly #reserve: number;
  readonly #timer: NodeJS.Timeout;
  /** Whether less than the reserve is free. */
  low = false;

  constructor(directory: string, reserveBytes: number) {
    this.#directory = directory;
    this.#reserve = reserveBytes;
    this.look();
    this.#timer = setInterval(() => this.look(), EVERY_MS);
    this.#timer.unref();
  }

  look(): void {
    const { bavail, blocks, bsize } = statfsSync(this.#directory);
    this.low = bavail * bsize < Math.min(this.#reserve, blocks * bsize * MAX_PART);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
