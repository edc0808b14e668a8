/** Decides when the write-ahead log is copied into the file, and keeps it from growing without end. */
import { once } from 'node:events';
import type { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import type { CheckpointResult } from './checkpoint-worker.ts';

/** Appended bytes after which a checkpoint is worth its syncs. Small, because an append that is synced meanwhile waits for the same disk. */
const EVERY_BYTES = 8 * 1024 * 1024;
/**
 * Bytes of the log from which the writer starts it again from its beginning. A log that is written over costs less to sync than one that
 * grows: no blocks are given to it, and its sync waits for nobody else's blocks.
 */
const RESTART_BYTES = 32 * 1024 * 1024;
/** How long the writer waits for readers then; if they are not done, it tries again after the next checkpoint. */
const RESTART_WAIT_MS = 5;

export class Checkpoints {
  readonly #db: DatabaseSync;
  readonly #worker: Worker;
  readonly #restartFrames: number;
  readonly #onFailure: (error: Error & { errcode?: number }) => void;
  #bytes = 0;
  #running = false;
  #gone = false;

  /** @param db The writing connection. */
  constructor(dataDir: string, db: DatabaseSync, onFailure: (error: Error & { errcode?: number }) => void) {
    this.#db = db;
    const { page_size: pageSize } = db.prepare('PRAGMA page_size').get() as { page_size: number };
    this.#restartFrames = Math.floor(RESTART_BYTES / pageSize);
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
    if (result.log < this.#restartFrames) return;
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
