/** Fixed limits of the contract. What an operator can set is in config.ts. */
export const MAX_LOG_BYTES = 16 * 1024;
export const MAX_BATCH_BYTES = 2 * 1024 * 1024;
export const MAX_JSON_DEPTH = 8;
export const MAX_DURATION_MS = 86_400_000;
/** Registry facts older than this are not judged by, unless an operator allows more (`PLAYPROOF_REGISTRY_MAX_AGE_SECONDS`). */
export const REGISTRY_MAX_AGE_MS = 5_000;
/** A final refusal rests on facts no older than this. */
export const REGISTRY_FRESH_MS = 1_000;
/** A play may claim this much more than the time between its start and end. */
export const DURATION_TOLERANCE_MS = 1_000;

/** Thresholds of the rules. Every judged log carries the version of the rules that it was judged by. */
export interface RuleSettings {
  /** 0 to 1: from which completion a claim of COMPLETED stands. */
  readonly completionThreshold: number;
  readonly maxAheadMs: number;
  readonly maxAgeMs: number;
  readonly maxDistanceM: number;
  readonly requireCatalogue: boolean;
  readonly requireScreenshot: boolean;
}

export const DEFAULT_RULES: RuleSettings = {
  completionThreshold: 0.8,
  maxAheadMs: 10 * 60_000,
  maxAgeMs: 24 * 3_600_000,
  maxDistanceM: 5_000,
  requireCatalogue: false,
  requireScreenshot: false,
};

/** Raised by one whenever a rule of this package changes what it decides. */
export const RULE_VERSION = 1;
