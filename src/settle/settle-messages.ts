/** What the service and its settling process say to each other over IPC. */
import type { KafkaSettings } from '../config.ts';
import type { TopicRole } from '../kafka/topic-rules.ts';

/** What the process is to do; the first message that it gets, since it may hold passwords that an argument would show. */
export interface SettleOptions {
  readonly kafka: KafkaSettings;
  /** Names other than the usual ones, for tests. */
  readonly topicNames?: Readonly<Partial<Record<TopicRole, string>>>;
  readonly mongodbUrl: string;
  /** Unproven refusals kept for each device. */
  readonly quarantinePerDevice: number;
  readonly source:
    | { readonly kind: 'kafka'; readonly groupId: string; readonly instance: string }
    /** `playproof.db`, which the writer has made already. */
    | { readonly kind: 'edge'; readonly file: string };
}

export interface SettleStatus {
  /** `fenced`: another took over, or a transaction took too long; the process ends, and the next one finds out. */
  readonly state: 'starting' | 'settling' | 'fenced' | 'position-lost';
  /** Records that wait, where it is known. */
  readonly backlog: number | null;
  /** Since this process started. */
  readonly taken: number;
  readonly owners: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly quarantined: number;
  readonly failures: number;
  /** Why the last attempt failed; null after one that succeeded. */
  readonly lastError: string | null;
}

export type ToSettler = { readonly type: 'start'; readonly options: SettleOptions } | { readonly type: 'stop' };

export type FromSettler =
  | { readonly type: 'status'; readonly status: SettleStatus }
  | { readonly type: 'log'; readonly level: 'warn' | 'error'; readonly message: string }
  /** Edge: rows of the journal with `seq` ≤ this are settled, and the position is known to be of this very journal. */
  | { readonly type: 'settled-up-to'; readonly seq: number };

/** Exit codes. 0: told to stop. LEFT: fenced, or a connection that is spent; the parent may start another after a pause. */
export const EXIT_LEFT = 3;
