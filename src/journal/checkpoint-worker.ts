/**
 * Copies the write-ahead log into the database file, in a thread and on a connection of its own, so that no append waits for
 * it. PASSIVE never blocks the writer; what it could not copy is copied the next time.
 */
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { DATABASE_FILE } from './sqlite-journal.ts';

/** What a checkpoint found: frames in the log and frames copied, or an error. */
export type CheckpointResult =
  | { readonly log: number; readonly checkpointed: number }
  | { readonly error: string; readonly errcode: number | undefined };

const { dataDir } = workerData as { dataDir: string };
const db = new DatabaseSync(path.join(dataDir, DATABASE_FILE), { timeout: 5_000 });
db.exec('PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0');

parentPort?.on('message', (message: 'run' | 'close') => {
  if (message === 'close') {
    db.close();
    parentPort?.close();
    return;
  }
  let result: CheckpointResult;
  try {
    result = db.prepare('PRAGMA wal_checkpoint(PASSIVE)').get() as { log: number; checkpointed: number };
  } catch (error) {
    const failure = error as Error & { errcode?: number };
    result = { error: failure.message, errcode: failure.errcode };
  }
  parentPort?.postMessage(result);
});
