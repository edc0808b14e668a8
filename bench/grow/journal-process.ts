/**
 * Writes a synthetic past into `playproof.db` through the service's own journal and settlement, and says how far it is.
 *
 * While it writes, nothing is synced: what does not survive a power cut is made again. At the end the write-ahead log is copied
 * into the file with `synchronous=FULL`, which syncs all of it, and the journal is closed in order.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { LOG_ID_AT, LOG_ID_BYTES, RECORD_PLAY } from '../../src/journal/record.ts';
import type { JournalEntry } from '../../src/journal/journal.ts';
import { SqliteJournal } from '../../src/journal/sqlite-journal.ts';
import { SqliteSettlement } from '../../src/settle/sqlite-settlement.ts';
import type { HistoryBatch } from './history-worker.ts';
import type { GrowMessage, JournalOrder } from './messages.ts';

/** Rows of one transaction, and of one step of settling. */
const ROWS = 20_000;
/** Batches that may be made ahead of those that are written. */
const AHEAD = 6;
/** Bytes appended after which the write-ahead log is copied into the file and begins anew. */
const CHECKPOINT_BYTES = 256 * 1024 * 1024;

async function write({ dataDir, history }: JournalOrder): Promise<void> {
  const journal = new SqliteJournal(dataDir);
  const settlement = new SqliteSettlement(journal.db, {
    journalId: journal.journalId,
    end: () => journal.end,
    quarantinePerDevice: 0,
    onPoison: (_position, error) => {
      throw error;
    },
    now: Date.now,
  });
  journal.db.exec('PRAGMA synchronous = OFF');
  for await (const entries of recordsOf(history)) {
    await journal.append(entries);
    while (settlement.position() < journal.end) await settlement.step(ROWS);
    tell({ type: 'stored', logs: journal.end });
    checkpointNow(journal);
  }
  journal.db.exec('PRAGMA synchronous = FULL');
  journal.close();
}

let written = 0;

function checkpointNow(journal: SqliteJournal): void {
  written += journal.takeWritten();
  if (written < CHECKPOINT_BYTES) return;
  written = 0;
  // A reader in the middle of a page keeps the log from beginning anew; the next time will do.
  journal.db.exec('PRAGMA wal_checkpoint(RESTART)');
}

/** About `ROWS` at a time, made in another thread. */
async function* recordsOf(history: JournalOrder['history']): AsyncGenerator<JournalEntry[]> {
  const worker = new Worker(new URL('./history-worker.ts', import.meta.url), { workerData: history });
  const made: HistoryBatch[] = [];
  worker.on('message', (batch: HistoryBatch) => made.push(batch));
  for (let i = 0; i < AHEAD; i += 1) worker.postMessage('next');
  let entries: JournalEntry[] = [];
  for (let left = history.logs; left > 0; ) {
    while (made.length === 0) await once(worker, 'message');
    const batch = made.shift() as HistoryBatch;
    worker.postMessage('next');
    left -= batch.ends.length;
    entriesOf(batch, entries);
    if (entries.length < ROWS && left > 0) continue;
    yield entries;
    entries = [];
  }
  await worker.terminate();
}

function entriesOf({ bytes, ends }: HistoryBatch, into: JournalEntry[]): void {
  let start = 0;
  for (const end of ends) {
    const logId = bytes.subarray(start + LOG_ID_AT, start + LOG_ID_AT + LOG_ID_BYTES);
    into.push({ kind: RECORD_PLAY, logId, record: bytes.subarray(start, end) });
    start = end;
  }
}

function tell(message: GrowMessage): void {
  process.send?.(message);
}

process.on('disconnect', () => process.exit(1));
process.once('message', (order: JournalOrder) => {
  write(order).then(
    () => process.exit(0),
    (error: unknown) => {
      console.error('the synthetic past was not written:', error);
      process.exit(1);
    },
  );
});
