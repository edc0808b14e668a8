/** The reader thread: answers for archive, feed and quarantine, so that reading never holds up the HTTP thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { SqliteReader } from '../archive/sqlite-reader.ts';
import { DamagedRecord, type PlayArchive } from './archive-port.ts';

export interface ReaderCall {
  readonly id: number;
  readonly method: keyof PlayArchive;
  readonly args: readonly unknown[];
}

export type ReaderResult =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string; readonly damaged: boolean };

const reader = new SqliteReader((workerData as { file: string }).file);

parentPort?.on('message', ({ id, method, args }: ReaderCall) => {
  const run = reader[method] as (...given: readonly unknown[]) => Promise<unknown>;
  run.apply(reader, args as unknown[]).then(
    (value) => parentPort?.postMessage({ id, value } satisfies ReaderResult),
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      parentPort?.postMessage({ id, error: message, damaged: error instanceof DamagedRecord } satisfies ReaderResult);
    },
  );
});
