/** Signed requests, made beforehand as far as memory is given for it, and otherwise when they are needed. */
import { closeSync, openSync, writevSync } from 'node:fs';
import type { Fleet } from './fleet.ts';

export interface LoadRequest {
  readonly body: Buffer;
  readonly logs: number;
  /** The log_id of one log in it. */
  readonly logId: string;
}

const NEW_LINE = Buffer.from('\n');

export class Requests {
  readonly #fleet: Fleet;
  #ready: LoadRequest[] = [];
  /** Logs signed because nothing was ready. */
  signedLate = 0;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  /** Drops what was left and makes requests for `logs` logs, or as many as fit into `bytes`. Returns how many logs are ready. */
  prepare(batch: number, logs: number, bytes: number): number {
    this.#ready = [];
    this.signedLate = 0;
    let made = 0;
    for (let used = 0; made < logs && used < bytes; made += batch) {
      const request = this.#make(batch);
      used += request.body.length;
      this.#ready.push(request);
    }
    // Taken from the end, the ids still come in the order in which they were made.
    this.#ready.reverse();
    return made;
  }

  /** Makes requests for `logs` logs and writes their bodies, one a line, the files taking turns. Nothing of it is kept in memory. */
  write(batch: number, logs: number, files: readonly string[]): void {
    const open = files.map((file) => openSync(file, 'w'));
    try {
      for (let made = 0, turn = 0; made < logs; made += batch, turn += 1) {
        const { body } = this.#make(batch);
        writevSync(open[turn % open.length] as number, [body, NEW_LINE]);
      }
    } finally {
      for (const file of open) closeSync(file);
    }
  }

  take(batch: number): LoadRequest {
    const ready = this.#ready.pop();
    if (ready) return ready;
    this.signedLate += batch;
    return this.#make(batch);
  }

  #make(batch: number): LoadRequest {
    const ids: string[] = [];
    const text = batch === 1 ? this.#fleet.single(ids) : this.#fleet.batch(batch, ids);
    return { body: Buffer.from(text, 'latin1'), logs: batch, logId: ids[0] as string };
  }
}
