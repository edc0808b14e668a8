/** How far a copy is, on stderr: one line that changes on a terminal, otherwise a line every 5 s, also while it waits for an engine. */
const TERMINAL_EVERY_MS = 200;
const LINE_EVERY_MS = 5_000;

export interface ProgressOut {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export class Progress {
  readonly #out: ProgressOut;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  #step: { readonly what: string; readonly total: number; readonly from: number; readonly at: number } | null = null;
  #done = 0;

  constructor(out: ProgressOut = process.stderr, now: () => number = performance.now.bind(performance)) {
    this.#out = out;
    this.#now = now;
    this.#timer = setInterval(() => this.tell(), out.isTTY ? TERMINAL_EVERY_MS : LINE_EVERY_MS);
    this.#timer.unref();
  }

  /** @param total What `done` grows to. @param from Where it begins: what was done before. */
  begin(what: string, total: number, from = 0): void {
    this.#step = { what, total, from, at: this.#now() };
    this.#done = from;
  }

  at(done: number): void {
    this.#done = done;
  }

  /** Says something of its own, on a line of its own. */
  say(text: string): void {
    this.#out.write(`${this.#out.isTTY ? '\r\u001b[K' : ''}copy: ${text}\n`);
  }

  tell(): void {
    if (!this.#step) return;
    const { what, total, from, at } = this.#step;
    const seconds = (this.#now() - at) / 1_000;
    const rate = seconds > 0 ? (this.#done - from) / seconds : 0;
    const percent = total === 0 ? 100 : Math.floor((100 * this.#done) / total);
    const left = rate > 0 ? `, ${Math.ceil((total - this.#done) / rate)} s left` : '';
    const text = `copy: ${what} ${this.#done} of ${total} (${percent} %), ${Math.round(rate)}/s${left}`;
    this.#out.write(this.#out.isTTY ? `\r\u001b[K${text}` : `${text}\n`);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#step = null;
    if (this.#out.isTTY) this.#out.write('\r\u001b[K');
  }
}
