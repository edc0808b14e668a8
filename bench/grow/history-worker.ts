/** Makes records of a synthetic past, a batch each time it is asked, in a thread beside the one that writes them. */
import { parentPort, workerData } from 'node:worker_threads';
import { playRecordBound, writePlayRecord } from '../../src/journal/record.ts';
import { History, type HistoryOptions } from './history.ts';

/** Records one behind the other. */
export interface HistoryBatch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where each record ends. */
  readonly ends: Uint32Array<ArrayBuffer>;
}

const BATCH = 4_000;
/** Enough for any record that History makes; proved for each. */
const RECORD_ROOM = 2_048;

const history = new History(workerData as HistoryOptions);

/** Batches are asked for one by one, so what is made and not written is bounded by what was asked. */
parentPort?.on('message', () => {
  const logs = Math.min(BATCH, history.left);
  const bytes = Buffer.from(new ArrayBuffer(logs * RECORD_ROOM));
  const ends = new Uint32Array(logs);
  let at = 0;
  for (let i = 0; i < logs; i += 1) {
    const play = history.next();
    if (at + playRecordBound(play) > bytes.length) throw new Error('a record of the synthetic past is longer than expected');
    at += writePlayRecord(bytes, at, play);
    ends[i] = at;
  }
  const batch: HistoryBatch = { bytes: new Uint8Array(bytes.buffer, 0, at), ends };
  parentPort?.postMessage(batch, [batch.bytes.buffer, ends.buffer]);
});
