/** The writer in a thread of its own. */
import { parentPort, workerData } from 'node:worker_threads';
import { Writer, type WriterData } from './writer.ts';
import type { WriterOrder } from './writer-engines.ts';

const writer = new Writer(workerData as WriterData, (message, transfer) => {
  parentPort?.postMessage(message, transfer);
  if (message.type === 'closed') parentPort?.close();
});
parentPort?.on('message', (order: WriterOrder) => writer.tell(order));
void writer.start();
