/** What the benchmark and its load generator, a process of its own, tell each other. */
import type { FleetOptions, FleetRegistry } from './fleet.ts';

export interface Load {
  /** Where to send, e.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Logs in a request; 1 sends to the single endpoint. */
  readonly batch: number;
  readonly connections: number;
  readonly seconds: number;
  /** Logs a second that are sent whatever comes back; null: each connection sends again as soon as it has its answer. */
  readonly rate: number | null;
}

export type ToGenerator =
  | { readonly type: 'fleet'; readonly options: FleetOptions }
  /** Signs requests beforehand, as many as fit: signing then costs the run nothing. */
  | { readonly type: 'prepare'; readonly batch: number; readonly logs: number; readonly megabytes: number }
  /** Writes signed bodies for another load generator, one a line, the files taking turns. */
  | { readonly type: 'write'; readonly batch: number; readonly logs: number; readonly files: readonly string[] }
  | { readonly type: 'run'; readonly load: Load };

export type FromGenerator =
  | { readonly type: 'fleet'; readonly registry: FleetRegistry }
  | { readonly type: 'prepared'; readonly logs: number; readonly seconds: number }
  | { readonly type: 'written' }
  | { readonly type: 'second'; readonly second: Second }
  | { readonly type: 'done'; readonly result: LoadResult };

/** One second of a run: for the live line and the chart. Latencies are in milliseconds. */
export interface Second {
  readonly second: number;
  readonly logs: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly failed: number;
}

export interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

export interface LoadResult {
  /** Of requests, in milliseconds; where there is a rate, from the instant at which the request was due. */
  readonly latency: Latency;
  readonly requests: number;
  /** By what the answers said. */
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
  /** Requests answered otherwise or not at all, by status (0: no answer) and how often. */
  readonly failures: Readonly<Record<string, number>>;
  /** Of those answered 429 or 503, how many did not say when to come again. */
  readonly withoutRetryAfter: number;
  /** Requests that were due and not sent, because too many were out already. */
  readonly notSent: number;
  /** Logs that had to be signed during the run. */
  readonly signedLate: number;
  /** Until the last answer. */
  readonly seconds: number;
  /** When the first request was sent, milliseconds since 1970 UTC. */
  readonly startedAt: number;
  readonly cpuSeconds: number;
  readonly maxRssBytes: number;
  readonly series: readonly Second[];
  /** Some log_ids that were answered `accepted`. */
  readonly sample: readonly string[];
}
