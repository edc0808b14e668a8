/**
 * The writer thread: all judged logs of a process pass here. They come in over a port from each judge thread, go through rule 4
 * into the journal, and are answered to the HTTP thread once they are durable.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { Counters } from '../counters.ts';
import { JournalBroken } from '../journal/journal.ts';
import { release } from '../memory.ts';
import { Allowance } from './allowance.ts';
import type { Answers, Judged } from './messages.ts';
import { Recorder } from './recorder.ts';
import { SeenWindow } from './seen.ts';
import type { OpenWriterEngines, WriterEngineOptions, WriterEngines, WriterOrder } from './writer-engines.ts';

export interface WriterWorkerData {
  readonly judges: readonly MessagePort[];
  readonly counters: SharedArrayBuffer;
  readonly options: WriterEngineOptions;
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

const OPENERS: Readonly<Record<WriterEngineOptions['profile'], () => Promise<OpenWriterEngines>>> = {
  embedded: async () => (await import('../compose/writer-embedded.ts')).openEmbedded,
  edge: async () => (await import('../compose/writer-edge.ts')).openEdge,
  cluster: async () => (await import('../compose/writer-cluster.ts')).openCluster,
};

/** How long an acknowledged log is remembered, so that a repeat is answered as one. */
const SEEN_MS = 600_000;

const data = workerData as WriterWorkerData;
const counters = new Counters(data.counters);
const seen = new SeenWindow(SEEN_MS);
const born = Date.now();

function note(message: WriterNote): void {
  parentPort?.postMessage(message);
}

async function start(): Promise<void> {
  const open = await OPENERS[data.options.profile]();
  const engines = await open({
    options: data.options,
    counters,
    rememberedSince: () => Math.max(born, Date.now() - SEEN_MS),
    onSettled: () => note({ type: 'settled' }),
    log: (level, message) => note({ type: 'log', level, message }),
    fatal: (message) => note({ type: 'fatal', message }),
  });
  const recorder = recorderOn(engines);
  for (const port of data.judges) {
    port.on('message', (judged: Judged) => {
      take(recorder, engines, judged).catch((error: unknown) => note({ type: 'fatal', message: `the writer failed: ${String(error)}` }));
    });
  }
  parentPort?.on('message', (order: WriterOrder) => {
    if (order.type === 'stop') void stop(engines);
    else engines.told(order);
  });
  note({ type: 'ready', journalId: engines.journal.journalId });
}

function recorderOn({ journal, settled }: WriterEngines): Recorder {
  return new Recorder({
    journal,
    settled,
    seen,
    allowance: new Allowance(data.options.quarantinePerDevice),
    counters,
    clock: () => performance.now(),
    onArchiveFailure: seldom((error) => note({ type: 'log', level: 'error', message: `asking the archive failed: ${messageOf(error)}` })),
    onJournalFailure: (error) => {
      if (error instanceof JournalBroken) note({ type: 'fatal', message: error.message });
      else tellFull(error);
    },
  });
}

const tellFull = seldom((error) => note({ type: 'log', level: 'warn', message: messageOf(error) }));

async function take(recorder: Recorder, engines: WriterEngines, judged: Judged): Promise<void> {
  const { answers, bytes } = await recorder.record(judged);
  release(new Uint8Array(judged.bytes));
  counters.set('seen', seen.size);
  // Before the answer: whoever sees that nothing is in flight any more must find the end behind it (query/completeness.ts).
  counters.set('end', engines.journal.end);
  const message: Answers = { type: 'answers', job: judged.job, answers, bytes };
  parentPort?.postMessage(message, [bytes]);
  engines.appended();
}

async function stop(engines: WriterEngines): Promise<void> {
  await engines.close();
  note({ type: 'closed' });
  for (const port of data.judges) port.close();
  parentPort?.close();
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

start().catch((error: unknown) => note({ type: 'fatal', message: messageOf(error) }));
