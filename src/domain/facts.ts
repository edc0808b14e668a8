/**
 * What the registry knows and the rules need: facts about one device, campaign or content as they stand when a log is judged.
 * Instants are milliseconds since 1970 UTC; ids are lower-case UUIDs.
 */
export interface GeoPoint {
  readonly lat: number;
  readonly lng: number;
}

export interface StoreFacts {
  readonly storeId: string;
  readonly supplierId: string;
  readonly location: GeoPoint;
  readonly region: string | null;
}

/** From `since` on (null: from the beginning) the device stands in `store` and is active or not. */
export interface Assignment {
  readonly store: StoreFacts;
  readonly active: boolean;
  readonly since: number | null;
}

export type SignatureAlgorithm = 'RS256' | 'PS256';

/** Valid for `validFrom` <= t < `validUntil`; null is open. Nothing received at or after `compromisedAt` is believed. */
export interface DeviceKey {
  readonly keyId: string;
  readonly algorithm: SignatureAlgorithm;
  /** SPKI PEM. */
  readonly publicKey: string;
  readonly validFrom: number | null;
  readonly validUntil: number | null;
  readonly compromisedAt: number | null;
}

export interface DeviceFacts {
  readonly deviceId: string;
  /** In the order of `since`. */
  readonly assignments: readonly Assignment[];
  readonly keys: readonly DeviceKey[];
}

export interface CampaignFacts {
  readonly campaignId: string;
  readonly advertiserId: string;
  /** Plays that ended at or after this do not belong to the campaign any more. */
  readonly retiredAt: number | null;
}

export interface ContentFacts {
  readonly contentId: string;
  readonly durationMs: number;
}

/** Looked up synchronously while judging; null: not registered. */
export interface FactSource {
  device(deviceId: string): DeviceFacts | null;
  campaign(campaignId: string): CampaignFacts | null;
  content(contentId: string): ContentFacts | null;
}
