import type { Play } from '../domain/play.ts';
import type { Scope } from '../server/access.ts';

export interface FoundPlay {
  readonly play: Play;
  /** Positions as texts: `<journal_id>/<partition>/<offset>` and the feed's own. */
  readonly positions: { readonly journal: string; readonly feed: string };
}

export interface FeedPage {
  /** Lines of NDJSON: feed records with their `position`. */
  readonly lines: Uint8Array;
  readonly count: number;
  /** Up to here everything was looked at, also what is not within the scope: where the next look begins. */
  readonly through: number;
}

/** A stored record is not what was written: the disk or somebody changed it. The message says where it stands. */
export class DamagedRecord extends Error {
  override readonly name = 'DamagedRecord';
}

export interface QuarantineQuery {
  readonly scope: Scope;
  readonly code: string | null;
  readonly deviceId: string | null;
  readonly limit: number;
  /** The number of the last item seen; null: from the newest. */
  readonly before: number | null;
}

/** One refused log as it is shown. `body` and `signature` in base64. */
export interface QuarantineItem {
  readonly quarantine_id: number;
  readonly log_id: string | null;
  readonly device_id: string | null;
  readonly store_id: string | null;
  readonly supplier_id: string | null;
  readonly advertiser_id: string | null;
  readonly code: string;
  readonly detail: string;
  readonly retryable: boolean;
  readonly fields: readonly string[] | null;
  /** Whether the signature was verified before it was refused. */
  readonly signature_proven: boolean;
  readonly received_at: string;
  readonly last_received_at: string;
  /** How often this very refusal was given. */
  readonly count: number;
  readonly content_hash: string;
  readonly body: string;
  readonly signature: string | null;
}

export interface QuarantineGroupsQuery {
  readonly scope: Scope;
  readonly code: string | null;
  readonly deviceId: string | null;
}

/** The refusals of one device for one reason. */
export interface QuarantineGroup {
  readonly code: string;
  readonly device_id: string | null;
  /** Where the device of the newest one stood. */
  readonly store_id: string | null;
  /** Different logs, and how often they were refused altogether. */
  readonly logs: number;
  readonly refusals: number;
  readonly last_received_at: string;
  /** What the newest one was told. */
  readonly detail: string;
  readonly retryable: boolean;
  readonly fields: readonly string[] | null;
}

export interface QuarantineGroups {
  /** Most refusals first. */
  readonly groups: readonly QuarantineGroup[];
  /** Kept refusals that were looked at, the newest; `whole`: there are no others. */
  readonly examined: number;
  readonly whole: boolean;
}

/**
 * Archive, feed and quarantine as they are read. All reject with a Problem: `unavailable` when
 * they cannot be asked, `internal` when what is asked for is damaged.
 */
export interface PlayArchive {
  /** 'unsettled': acknowledged, or nobody can say yet that it is not, and its owner is not decided. Null: not here, or not within the scope. */
  play(logId: string, scope: Scope): Promise<FoundPlay | 'unsettled' | null>;
  /** Plays of the feed behind position `after`, at most `limit`, in the order of the feed. */
  feed(after: number, limit: number, scope: Scope): Promise<FeedPage>;
  /** Refused logs, newest first. */
  quarantine(query: QuarantineQuery): Promise<readonly QuarantineItem[]>;
  /** The newest refusals (a bounded number of them), by reason and device. */
  quarantineGroups(query: QuarantineGroupsQuery): Promise<QuarantineGroups>;
}
