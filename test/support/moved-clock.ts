/** The wall clock of one process, moved by a small library before libc's (test/fault/clock.c). */
import { execFileSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export class MovedClock {
  /** For the process whose clock it is. */
  readonly env: Readonly<Record<string, string>>;
  readonly #file: string;
  #offset = 0;

  /** Compiles the library into the directory; gcc has to be there. */
  constructor(directory: string) {
    const library = path.join(directory, 'clock.so');
    const source = fileURLToPath(new URL('../fault/clock.c', import.meta.url));
    execFileSync('gcc', ['-O2', '-shared', '-fPIC', '-o', library, source, '-ldl']);
    this.#file = path.join(directory, 'clock');
    this.env = { LD_PRELOAD: library, FAULT_CLOCK: this.#file };
    this.moveTo(0);
  }

  /** Milliseconds from the real one; the process sees it at once. */
  moveTo(offset: number): void {
    this.#offset = Math.round(offset);
    writeFileSync(`${this.#file}.new`, String(this.#offset));
    renameSync(`${this.#file}.new`, this.#file);
  }

  /** What the process takes for now. */
  now(): number {
    return Date.now() + this.#offset;
  }
}
