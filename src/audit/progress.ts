/** Where an audit is, on stderr: one line that changes on a terminal, otherwise a line every 5 s. */
const TERMINAL_EVERY_MS = 200;
const LINE_EVERY_MS = 5_000;

/** Where it is told: a stream such as stderr. */
export interface ProgressOut {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export class Progress {
  readonly #out: ProgressOut;
  #told: number;

  constructor(out: ProgressOut = process.stderr) {
    this.#out = out;
    this.#told = performance.now();
  }

  /** @param total What `done` grows to. */
  at(what: string, done: number, total: number): void {
    const now = performance.now();
    if (now - this.#told < (this.#out.isTTY ? TERMINAL_EVERY_MS : LINE_EVERY_MS)) return;
    this.#told = now;
    const text = `audit: ${what} ${done} of ${total} (${total === 0 ? 100 : Math.floor((100 * done) / total)} %)`;
    this.#out.write(this.#out.isTTY ? `\r\u001b[K${text}` : `${text}\n`);
  }

  /** Clears the line. */
  end(): void {
    if (this.#out.isTTY) this.#out.write('\r\u001b[K');
  }
}
