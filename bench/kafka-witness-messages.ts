/** What the benchmark and its reader of the feed, a process of its own, tell each other. */

export type ToWitness =
  /** Reads the feed from its end, as billing would, and asks analytics for every `markEvery`th play that it saw. */
  | { readonly type: 'watch'; readonly bootstrap: string; readonly clickHouseUrl: string; readonly markEvery: number }
  /** Ends watching, once every marked play was found. */
  | { readonly type: 'freshness' }
  /** Reads the whole feed from its beginning. */
  | { readonly type: 'count'; readonly bootstrap: string };

export interface Freshness {
  readonly plays: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export type FromWitness =
  | { readonly type: 'watching' }
  /** Milliseconds from `received_at` until a play was seen there. */
  | { readonly type: 'freshness'; readonly feed: Freshness; readonly report: Freshness; readonly lost: number }
  | { readonly type: 'counted'; readonly records: number; readonly plays: number };
