/**
 * The writer thread: the one writer of `playproof.db`. Judged logs come in over a port from each judge thread, go through rule
 * 4 into the journal, are answered to the HTTP thread, and are settled between two groups.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { SqliteSettledLogs } from '../archive/sqlite-archive.ts';
import { Counters } from '../counters.ts';
import { Checkpoints } from '../journal/checkpoints.ts';
import { DiskSpace } from '../journal/disk-space.ts';
import { JournalBroken } from '../journal/journal.ts';
import { isDiskFull, SqliteJournal } from '../journal/sqlite-journal.ts';
import { SettleLoop } from '../settle/settle-loop.ts';
import { PositionLost } from '../settle/settlement.ts';
import { SqliteSettlement } from '../settle/sqlite-settlement.ts';
import { Allowance } from './allowance.ts';
import type { Answers, Judged } from './messages.ts';
import { Recorder } from './recorder.ts';
import { SeenWindow } from './seen.ts';

export interface WriterWorkerData {
  readonly dataDir: string;
  readonly judges: readonly MessagePort[];
  readonly counters: SharedArrayBuffer;
  readonly quarantinePerDevice: number;
  readonly diskReserveBytes: number;
}

/** From the writer to the HTTP thread, beside Answers. */
export type WriterNote =
  | { readonly type: 'ready'; readonly journalId: string }
  /** Positions moved; the numbers are in the shared counters. */
  | { readonly type: 'settled' }
  | { readonly type: 'log'; readonly level: 'warn' | 'error'; readonly message: string }
  /** The service must stop acknowledging and exit. */
  | { readonly type: 'fatal'; readonly message: string }
  | { readonly type: 'closed' };

/** How long an acknowledged log is remembered, so that a repeat is answered as one. */
const SEEN_MS = 600_000;

const data = workerData as WriterWorkerData;
const counters = new Counters(data.counters);
const seen = new SeenWindow(SEEN_MS);
const born = Date.now();

function note(message: WriterNote): void {
  parentPort?.postMessage(message);
}

function start(): void {
  const disk = new DiskSpace(data.dataDir, data.diskReserveBytes);
  const journal = new SqliteJournal(data.dataDir, () => !disk.low);
  const settlement = new SqliteSettlement(journal.db, {
    journalId: journal.journalId,
    end: () => journal.end,
    quarantinePerDevice: data.quarantinePerDevice,
    onPoison: (position, error) =>
      note({
        type: 'log',
        level: 'error',
        message: `journal record ${position} is damaged and was set aside in quarantine: ${error.message}`,
      }),
    now: Date.now,
  });
  counters.set('end', journal.end);
  counters.set('settled', settlement.position());
  const checkpoints = new Checkpoints(data.dataDir, journal.db, (error) => failed('a checkpoint', error));
  const loop = new SettleLoop({
    settlement,
    backlog: () => journal.end - settlement.position(),
    counters,
    onStep: ({ taken }) => {
      counters.add('settled', taken);
      if (taken > 0) note({ type: 'settled' });
    },
    onFailure: (error) => failed('settling', error),
  });
  const recorder = new Recorder({
    journal,
    settled: new SqliteSettledLogs(journal.db, () => Math.max(born, Date.now() - SEEN_MS)),
    seen,
    allowance: new Allowance(data.quarantinePerDevice),
    counters,
    clock: () => performance.now(),
    onArchiveFailure: seldom((error) => failed('asking the archive', error instanceof Error ? error : new Error(String(error)))),
    onJournalFailure: (error) => {
      if (error instanceof JournalBroken) note({ type: 'fatal', message: error.message });
      else note({ type: 'log', level: 'warn', message: error instanceof Error ? error.message : String(error) });
    },
  });

  async function take(judged: Judged): Promise<void> {
    const { answers, bytes } = await recorder.record(judged);
    counters.set('end', journal.end);
    counters.set('seen', seen.size);
    checkpoints.wrote(journal.takeWritten());
    const message: Answers = { type: 'answers', job: judged.job, answers, bytes };
    parentPort?.postMessage(message, [bytes]);
    loop.nudge();
  }

  async function stop(): Promise<void> {
    loop.stop();
    await loop.drain().catch((error: Error) => failed('settling', error));
    await checkpoints.close();
    disk.close();
    journal.close();
    note({ type: 'closed' });
    for (const port of data.judges) port.close();
    parentPort?.close();
  }

  for (const port of data.judges) {
    port.on('message', (judged: Judged) => {
      take(judged).catch((error: unknown) => note({ type: 'fatal', message: `the writer failed: ${String(error)}` }));
    });
  }
  parentPort?.on('message', (message: 'stop') => {
    if (message === 'stop') void stop();
  });
  note({ type: 'ready', journalId: journal.journalId });
  loop.nudge();
}

/** A log line for each of a flood of logs helps nobody: one a second does. */
function seldom(tell: (error: unknown) => void): (error: unknown) => void {
  let quietUntil = 0;
  return (error) => {
    if (performance.now() < quietUntil) return;
    quietUntil = performance.now() + 1_000;
    tell(error);
  };
}

/** A full disk passes; a lost position stops settling alone; after any other fault of the file nobody knows what it holds. */
function failed(what: string, error: Error & { errcode?: number }): void {
  const fatal = error instanceof PositionLost ? false : error.errcode !== undefined && !isDiskFull(error) && isFileFault(error.errcode);
  if (fatal) note({ type: 'fatal', message: `${what} failed: ${error.message}` });
  else note({ type: 'log', level: 'error', message: `${what} failed: ${error.message}` });
}

/** SQLite's IOERR, CORRUPT, CANTOPEN and NOTADB. */
function isFileFault(errcode: number): boolean {
  return [10, 11, 14, 26].includes(errcode & 0xff);
}

try {
  start();
} catch (error) {
  note({ type: 'fatal', message: error instanceof Error ? error.message : String(error) });
}
