import type { RuleSettings } from './limits.ts';
import type { PlaybackStatus } from './play.ts';

export interface Classification {
  readonly status: PlaybackStatus;
  readonly billable: boolean;
}

/** Thresholds have at most six decimals. In millionths both sides are integers below 2^53, so 2.4 of 3 s is 80 % exactly. */
const PARTS = 1_000_000;

/**
 * What a claim comes to. Only a claim of COMPLETED that the numbers bear out is COMPLETED; every other claim stands as it is, and is
 * never billed.
 *
 * @param contentKnown Whether the catalogue has the content; where the settings require it, other plays are not billable.
 */
export function classify(
  reported: PlaybackStatus,
  actualMs: number,
  expectedMs: number,
  rules: Pick<RuleSettings, 'completionThreshold' | 'requireCatalogue'>,
  contentKnown: boolean,
): Classification {
  if (reported !== 'COMPLETED') return { status: reported, billable: false };
  if (actualMs * PARTS < Math.round(rules.completionThreshold * PARTS) * expectedMs) return { status: 'PARTIAL', billable: false };
  return { status: 'COMPLETED', billable: contentKnown || !rules.requireCatalogue };
}

/**
 * What a stored play's claim comes to now. Content outside of the catalogue may have been made not billable by a setting; the other way
 * round there is no excuse.
 */
export function classifyAgain(
  stored: { readonly billable: boolean; readonly contentKnown: boolean },
  reported: PlaybackStatus,
  actualMs: number,
  expectedMs: number,
  rules: Pick<RuleSettings, 'completionThreshold' | 'requireCatalogue'>,
): Classification {
  const { status, billable } = classify(reported, actualMs, expectedMs, rules, true);
  return { status, billable: billable && (stored.billable || stored.contentKnown) };
}
