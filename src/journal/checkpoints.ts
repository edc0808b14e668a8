/** Decides when the write-ahead log is copied into the file, and keeps it from growing without end. */
import { once } from 'node:events';
import type { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import type { CheckpointResult } from './checkpoint-worker.ts';

/** Appended bytes after which a checkpoint is worth its syncs. */
const EVERY_BYTES = 16 * 1024 * 1024;
/** Frames (4 KiB pages) from which the writer starts the log again from its beginning: about 128 MiB. */
const RESTART_FRAMES = 32_768;
/** How long the writer waits for readers then; if they are not done, it tries again after the next checkpoint. */
const RESTART_WAIT_MS = 50;

export class Checkpoints {
  readonly #db: DatabaseSync;
  readonly #worker: Worker;
  readonly #onFailure: (error: Error & { errcode?: number }) => void;
  #bytes = 0;
  #running = false;
  #gone = false;

  /** @param db The writing connection. */
  constructor(dataDir: string, db: DatabaseSync, onFailure: (error: Error & { errcode?: number }) => void) {
    this.#db = db;
    this.#onFailure = onFailure;
    this.#worker = new Worker(new URL('./checkpoint-worker.ts', import.meta.url), { name: 'checkpoint', workerData: { dataDir } });
    this.#worker.on('message', (result: CheckpointResult) => this.#done(result));
    this.#worker.on('error', (error: Error) => onFailure(error));
    this.#worker.on('exit', () => {
      this.#gone = true;
    });
  }

  wrote(bytes: number): void {
    this.#bytes += bytes;
    if (this.#running || this.#bytes < EVERY_BYTES) return;
    this.#running = true;
    this.#bytes = 0;
    this.#worker.postMessage('run');
  }

  async close(): Promise<void> {
    if (this.#gone) return;
    const exited = once(this.#worker, 'exit');
    this.#worker.postMessage('close');
    await exited;
  }

  #done(result: CheckpointResult): void {
    this.#running = false;
    if ('error' in result) {
      this.#onFailure(
        Object.assign(new Error(`a checkpoint failed: ${result.error}`), result.errcode === undefined ? {} : { errcode: result.errcode }),
      );
      return;
    }
    if (result.log < RESTART_FRAMES) return;
    try {
      this.#db.exec(`PRAGMA busy_timeout = ${RESTART_WAIT_MS}`);
      this.#db.exec('PRAGMA wal_checkpoint(RESTART)');
    } catch (error) {
      this.#onFailure(error as Error);
    } finally {
      this.#db.exec('PRAGMA busy_timeout = 5000');
    }
  }
}
