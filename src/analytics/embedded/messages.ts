/** What the service and its analytics process say to each other over IPC. */
import type { QueryParams } from '../../query/analytics-port.ts';
import type { LoaderStatus } from '../loader.ts';

/** The one argument of the process, as JSON. */
export interface ChildOptions {
  /** Where chDB keeps its data. */
  readonly directory: string;
  /** `playproof.db`, the feed to load; null: load nothing. */
  readonly feedFile: string | null;
}

export type ToChild =
  | { readonly type: 'query'; readonly id: number; readonly sql: string; readonly params: QueryParams }
  | { readonly type: 'stop' };

export type FromChild =
  | { readonly type: 'ready' }
  | { readonly type: 'result'; readonly id: number; readonly lines: string }
  /** `code`: ClickHouse's number of the error, where it has one. */
  | { readonly type: 'failure'; readonly id: number; readonly code: string | null; readonly message: string }
  | { readonly type: 'status'; readonly status: LoaderStatus }
  | { readonly type: 'log'; readonly message: string };
