/** A playback log that was judged and accepted, with everything that was decided and looked up for it. */
import type { GeoPoint, SignatureAlgorithm } from './facts.ts';

export const STATUSES = ['COMPLETED', 'PARTIAL', 'SKIPPED', 'ERROR'] as const;
export type PlaybackStatus = (typeof STATUSES)[number];

export interface Play {
  /** Ids: lower-case UUIDs. */
  readonly logId: string;
  readonly deviceId: string;
  readonly campaignId: string;
  readonly contentId: string;
  /** Enrichment, as the registry stood when the log was judged. */
  readonly storeId: string;
  readonly supplierId: string;
  readonly advertiserId: string;
  readonly region: string | null;
  readonly storeLocation: GeoPoint;
  /** Lower-case hex of SHA-256 over `canonical`. */
  readonly contentHash: string;
  /** Instants: milliseconds since 1970 UTC. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly receivedAt: number;
  readonly durationActualMs: number;
  readonly durationExpectedMs: number;
  /** The verdict. */
  readonly status: PlaybackStatus;
  readonly reportedStatus: PlaybackStatus;
  readonly billable: boolean;
  readonly distanceM: number | null;
  readonly contentKnown: boolean;
  readonly clockChecked: boolean;
  readonly ruleVersion: number;
  /** The key that verified it, as it stood then. */
  readonly keyId: string;
  readonly keyAlgorithm: SignatureAlgorithm;
  readonly keyValidFrom: number | null;
  readonly keyValidUntil: number | null;
  /** What was signed (RFC 8785, without `signature`), and the signature. */
  readonly canonical: Uint8Array;
  readonly signature: Uint8Array;
}

/** The part of the content that was shown, 0 to 1. Computed from whole milliseconds. */
export function completionOf(durationActualMs: number, durationExpectedMs: number): number {
  return Math.min(1, durationActualMs / durationExpectedMs);
}
