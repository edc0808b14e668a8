/** One line that tells how it stands: rewritten in place on a terminal, otherwise written from time to time. */
import type { SoakState } from './soak.ts';

const WRITE_EVERY_MS = 15_000;
const MEBIBYTE = 1024 * 1024;

export class LiveLine {
  readonly #stream: NodeJS.WriteStream;
  #written = 0;

  constructor(stream: NodeJS.WriteStream = process.stdout) {
    this.#stream = stream;
  }

  show(state: SoakState): void {
    const now = performance.now();
    if (this.#stream.isTTY) this.#stream.write(`\r\u001b[K${lineOf(state)}`);
    else if (now - this.#written >= WRITE_EVERY_MS) {
      this.#stream.write(`${lineOf(state)}\n`);
      this.#written = now;
    }
  }

  /** A line that stays. */
  tell(line: string): void {
    this.#stream.write(`${this.#stream.isTTY ? '\r\u001b[K' : ''}${line}\n`);
  }
}

export function lineOf(state: SoakState): string {
  const { minutes, rate, acknowledged, unanswered, faults, now, backlog, residentBytes } = state;
  return [
    `minute ${minutes.toFixed(1)}`,
    `${Math.round(rate)} logs/s`,
    `${acknowledged} acknowledged`,
    `${unanswered} unanswered`,
    `backlog ${backlog ?? 'not known'}`,
    `${faults} faults`,
    `now ${now}`,
    `${Math.round(residentBytes / MEBIBYTE)} MiB`,
  ].join(', ');
}
