/** What the processes that make a synthetic past are told, and what they tell. */
import type { HistoryOptions } from './history.ts';

export interface JournalOrder {
  readonly dataDir: string;
  readonly history: HistoryOptions;
}

export interface AnalyticsOrder {
  readonly dataDir: string;
  /** How many logs there will be. */
  readonly logs: number;
}

export type GrowMessage =
  /** So many logs are in journal, archive and feed. */
  | { readonly type: 'stored'; readonly logs: number }
  /** So many are in analytics. */
  | { readonly type: 'loaded'; readonly logs: number }
  /** Parts of analytics that are being merged still. */
  | { readonly type: 'merging'; readonly parts: number };
