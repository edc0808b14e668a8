/**
 * The writer: all judged logs of a process pass here. They come in over a port from each judge thread, go through rule 4 into the
 * journal, and are answered once they are durable. It has a thread of its own (writer-worker.ts), except where its journal is on
 * Kafka, whose client works in the main thread only.
 */
import type { MessagePort } from 'node:worker_threads';
import { Counters } from '../counters.ts';
import { JournalBroken } from '../journal/journal.ts';
import { release } from '../memory.ts';
import { Allowance } from './allowance.ts';
import type { Answers, Judged } from './messages.ts';
import { Recorder } from './recorder.ts';
import { SeenWindow } from './seen.ts';
import { Underway } from './underway.ts';
import type { OpenWriterEngines, WriterEngineOptions, WriterEngines, WriterOrder } from './writer-engines.ts';

export interface WriterData {
  readonly judges: readonly MessagePort[];
  readonly counters: SharedArrayBuffer;
  readonly underway: SharedArrayBuffer;
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

/** To the HTTP thread. */
export type Post = (message: Answers | WriterNote, transfer: ArrayBuffer[]) => void;

export class Writer {
  readonly #data: WriterData;
  readonly #post: Post;
  readonly #counters: Counters;
  readonly #seen = new SeenWindow(SEEN_MS);
  readonly #underway: Underway;
  readonly #born = Date.now();
  #engines: WriterEngines | null = null;

  constructor(data: WriterData, post: Post) {
    this.#data = data;
    this.#post = post;
    this.#counters = new Counters(data.counters);
    this.#underway = new Underway(data.underway);
  }

  /** Opens the engines, and takes what the judges send from then on. Says `ready`, or `fatal` where it cannot. */
  async start(): Promise<void> {
    try {
      const open = await OPENERS[this.#data.options.profile]();
      const engines = await open({
        options: this.#data.options,
        counters: this.#counters,
        rememberedSince: () => Math.max(this.#born, Date.now() - SEEN_MS),
        moreComes: () => this.#underway.any,
        onSettled: () => this.#note({ type: 'settled' }),
        log: (level, message) => this.#note({ type: 'log', level, message }),
        fatal: (message) => this.#note({ type: 'fatal', message }),
      });
      this.#engines = engines;
      const recorder = this.#recorderOn(engines);
      for (const port of this.#data.judges) {
        port.on('message', (judged: Judged) => {
          this.#underway.arrived();
          this.#take(recorder, engines, judged).catch((error: unknown) =>
            this.#note({ type: 'fatal', message: `the writer failed: ${messageOf(error)}` }),
          );
        });
      }
      this.#note({ type: 'ready', journalId: engines.journal.journalId });
    } catch (error) {
      this.#note({ type: 'fatal', message: messageOf(error) });
    }
  }

  tell(order: WriterOrder): void {
    if (order.type === 'stop') void this.#stop();
    else this.#engines?.told(order);
  }

  #recorderOn(engines: WriterEngines): Recorder {
    const { journal, settled } = engines;
    const tell = seldom((error) => this.#note({ type: 'log', level: 'warn', message: messageOf(error) }));
    return new Recorder({
      journal,
      settled,
      seen: this.#seen,
      allowance: new Allowance(this.#data.options.quarantinePerDevice),
      counters: this.#counters,
      clock: () => performance.now(),
      onArchiveFailure: seldom((error) =>
        this.#note({ type: 'log', level: 'error', message: `asking the archive failed: ${messageOf(error)}` }),
      ),
      onJournalFailure: (error) => {
        if (error instanceof JournalBroken) return this.#note({ type: 'fatal', message: error.message });
        engines.full();
        tell(error);
      },
    });
  }

  async #take(recorder: Recorder, engines: WriterEngines, judged: Judged): Promise<void> {
    const { answers, bytes } = await recorder.record(judged);
    release(new Uint8Array(judged.bytes));
    this.#counters.set('seen', this.#seen.size);
    // Before the answer: whoever sees that nothing is in flight any more must find the end behind it (query/completeness.ts).
    this.#counters.set('end', engines.journal.end);
    this.#post({ type: 'answers', job: judged.job, answers, bytes }, [bytes]);
    engines.appended();
  }

  async #stop(): Promise<void> {
    try {
      await this.#engines?.close();
    } catch (error) {
      this.#note({ type: 'fatal', message: messageOf(error) });
    }
    this.#note({ type: 'closed' });
    for (const port of this.#data.judges) port.close();
  }

  #note(message: WriterNote): void {
    this.#post(message, []);
  }
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
