/** What one step of settling did. */
export interface SettleStep {
  /** Journal records taken, whatever became of them. */
  readonly taken: number;
  readonly owners: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly quarantined: number;
}

/** Makes each acknowledged log count once. */
export interface Settlement {
  /**
   * Settles at most `limit` records behind the read position: the first of a log_id becomes its owner and is published, a
   * repeat is dropped, another content under the same log_id and every refusal goes to quarantine.
   *
   * Publishing and moving the read position are one transaction: a step that failed, or that a crash cut short, has done
   * nothing that a repeat would do twice. Rejects when an engine cannot be reached; calling again is safe.
   */
  step(limit: number): Promise<SettleStep>;
}

/** The read position is missing, of another journal, or outside it: going on would bill again or lose logs. Never retried. */
export class PositionLost extends Error {
  override readonly name = 'PositionLost';
}
