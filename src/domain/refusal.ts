/** A log that was refused and is kept: what was wrong, and what was sent. */
import type { Code } from './codes.ts';

export interface Refusal {
  readonly code: Code;
  readonly detail: string;
  /** JSON Pointers, for `invalid_field`. */
  readonly fields: readonly string[] | null;
  /** Whether the signature was verified before the log was refused for something else. */
  readonly proven: boolean;
  /** Lower-case UUIDs where they could be read; store, supplier and advertiser where the registry told them. */
  readonly logId: string | null;
  readonly deviceId: string | null;
  readonly storeId: string | null;
  readonly supplierId: string | null;
  readonly advertiserId: string | null;
  /** Milliseconds since 1970 UTC. */
  readonly receivedAt: number;
  /** Lower-case hex of SHA-256 over the canonical form, or over the bytes as sent where there is none. */
  readonly contentHash: string;
  /** The canonical form where the signature was proven, otherwise the bytes as sent. */
  readonly body: Uint8Array;
  /** Empty where it was not proven (it is inside `body` then). */
  readonly signature: Uint8Array;
}
