import type { SettledLogs } from '../archive/archive.ts';
import type { Counters } from '../counters.ts';
import type { EngineSettings } from '../config.ts';
import type { Journal } from '../journal/journal.ts';

/** What the writer thread writes to; one composition for each profile (`src/compose/writer-*.ts`). */
export interface WriterEngines {
  readonly journal: Journal;
  readonly settled: SettledLogs;
  /** Called after every answered job: time to settle, to checkpoint, to bring the gauges up to date. */
  appended(): void;
  /** Called when an append found no room. */
  full(): void;
  /** Told by the HTTP thread, e.g. how far another process has settled. */
  told(message: WriterOrder): void;
  /** Settles what it settles itself, and closes the files. Nothing is appended any more. */
  close(): Promise<void>;
}

/** From the HTTP thread to the writer. */
export type WriterOrder =
  | { readonly type: 'stop' }
  /** Everything up to this position is settled by the settle process; the profile edge removes it, but for the last, from its journal. */
  | { readonly type: 'settled-up-to'; readonly seq: number };

/** How to open them; plain data, since it crosses a thread border. */
export interface WriterEngineOptions {
  readonly profile: 'embedded' | 'edge' | 'cluster';
  readonly dataDir: string;
  readonly quarantinePerDevice: number;
  readonly diskReserveBytes: number;
  /** How old a play may be when its log is accepted. */
  readonly maxAgeMs: number;
  readonly engines: EngineSettings | null;
}

export interface WriterSurroundings {
  readonly options: WriterEngineOptions;
  readonly counters: Counters;
  /** What was received since then is remembered by this thread. Milliseconds since 1970 UTC. */
  readonly rememberedSince: () => number;
  /** Whether logs are on their way here. */
  readonly moreComes: () => boolean;
  readonly onSettled: () => void;
  readonly log: (level: 'warn' | 'error', message: string) => void;
  /** The service must stop acknowledging and exit. */
  readonly fatal: (message: string) => void;
}

/** @throws Error with a sentence when the journal is not whole or cannot be durable. */
export type OpenWriterEngines = (surroundings: WriterSurroundings) => Promise<WriterEngines>;
