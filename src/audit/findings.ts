/** What an audit found. Counted without end, listed up to a bound. */

/** Kinds of faults. Each sentence of a finding says what stands where. */
export const KINDS = {
  record_damaged: 'a record is not what was written',
  record_missing: 'a log has an owner and no record',
  record_doubled: 'a log_id is in the feed more than once',
  owner_missing: 'a record of the feed has no owner',
  owner_differs: 'an owner points at the record of another log',
  refusal_in_feed: 'a refusal stands among the settled records',
  position_wrong: 'a position does not fit what is stored',
  journal_gap: 'an acknowledged record that waits to be settled is gone',
  analytics_missing: 'a play of the feed is not in analytics',
  analytics_extra: 'analytics counts a play that is not in the feed',
  analytics_doubled: 'analytics counts a play more than once',
  analytics_differs: 'analytics has a play otherwise than the feed',
  signature_invalid: 'a stored play is not proven by the key of its device',
  verdict_differs: 'a stored verdict does not follow from what was signed',
  quarantine_damaged: 'a refusal in quarantine cannot be read',
  feed_missing: 'a log that is archived and settled is not in the feed',
  feed_differs: 'the feed has a play with other content or another verdict than the archive',
  settled_lost: 'an acknowledged record was settled, and neither archive nor quarantine has it',
} as const;

export type Kind = keyof typeof KINDS;

export interface Finding {
  readonly kind: Kind;
  /** Lower-case UUID; null where nobody can tell. */
  readonly log_id: string | null;
  /**
   * Of the journal and feed; of quarantine for quarantine_damaged. On the distributed engines `<topic>/<partition>/<offset>` of the feed,
   * or `<journal_id>/<partition>/<offset>`. Null where there is none.
   */
  readonly position: number | string | null;
  readonly detail: string;
}

const MAX_LISTED = 1_000;

export class Findings {
  readonly listed: Finding[] = [];
  readonly byKind = new Map<Kind, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  add(
    kind: Kind,
    { logId = null, position = null }: { readonly logId?: string | null; readonly position?: number | string | null },
    detail: string,
  ): void {
    this.#total += 1;
    this.byKind.set(kind, (this.byKind.get(kind) ?? 0) + 1);
    if (this.listed.length < MAX_LISTED) this.listed.push({ kind, log_id: logId, position, detail });
  }
}
