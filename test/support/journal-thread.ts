/** Opens a journal in a thread that then ends, as the service does, and says why it was refused: its connections are closed with it. */
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { SqliteJournal } from '../../src/journal/sqlite-journal.ts';

/** @returns the sentence of the refusal; null where the journal was opened and closed in order. */
export async function refusalInThread(directory: string): Promise<string | null> {
  const thread = new Worker(new URL(import.meta.url), { workerData: { directory } });
  const exited = once(thread, 'exit');
  const [refusal] = (await once(thread, 'message')) as [string | null];
  await exited;
  return refusal;
}

if (!isMainThread && parentPort && typeof workerData?.directory === 'string') {
  let refusal: string | null = null;
  try {
    new SqliteJournal(workerData.directory).close();
  } catch (error) {
    refusal = (error as Error).message;
  }
  parentPort.postMessage(refusal);
}
