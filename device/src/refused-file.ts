/**
 * `refused.ndjson`: the logs that were refused for good, with the reason, for whoever looks after the screen. Bounded: at half
 * of its limit the file becomes `refused.1.ndjson`, which replaces the one before. Every line is durable before its log leaves
 * the queue.
 */
import { open, rename } from 'node:fs/promises';
import path from 'node:path';

export interface RefusedLine {
  readonly at: string;
  readonly log_id: string;
  readonly code: string;
  readonly detail: string;
  readonly fields?: readonly string[];
  /** The log as it was sent. */
  readonly log: string;
}

export class RefusedFile {
  readonly #file: string;
  readonly #older: string;
  readonly #maxBytes: number;

  constructor(directory: string, maxBytes = 16 * 1024 * 1024) {
    this.#file = path.join(directory, 'refused.ndjson');
    this.#older = path.join(directory, 'refused.1.ndjson');
    this.#maxBytes = maxBytes;
  }

  async append(lines: readonly RefusedLine[]): Promise<void> {
    const handle = await open(this.#file, 'a');
    let size: number;
    try {
      await handle.appendFile(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
      await handle.datasync();
      size = (await handle.stat()).size;
    } finally {
      await handle.close();
    }
    if (size * 2 > this.#maxBytes) await rename(this.#file, this.#older);
  }
}
