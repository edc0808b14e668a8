/**
 * The whole audit: proves that nothing is counted twice or lost (I1) and that feed, archive and analytics hold the same plays (I3).
 * It reads bit by bit in bounded memory and never writes. What was settled does not change, so it may run beside a service:
 * everything is audited up to the position at which the feed ended when the audit began.
 */
import type { RuleSettings } from '../domain/limits.ts';
import type { MarkState } from '../journal/mark.ts';
import { AnalyticsCheck } from './check-analytics.ts';
import { checkOwners, checkQuarantine } from './check-archive.ts';
import { checkFeed, checkWaiting } from './check-feed.ts';
import { checkPositions, type Positions } from './check-positions.ts';
import { type Finding, Findings, type Kind } from './findings.ts';
import type { AnalyticsCopy, ArchiveCopy, FeedCopy } from './ports.ts';
import type { Progress } from './progress.ts';
import type { KeyLookup } from './recheck.ts';
import { Sample, type SampleSize } from './sample.ts';

export interface AuditInput {
  readonly copies: FeedCopy & ArchiveCopy;
  readonly analytics: AnalyticsCopy;
  readonly readMark: () => MarkState | null;
  readonly keyOf: KeyLookup;
  /** The thresholds that the service judges by. */
  readonly rules: RuleSettings;
  readonly signatures: SampleSize;
  readonly progress: Progress;
}

export interface AuditResult {
  readonly clean: boolean;
  /** Null where the journal has none. */
  readonly positions: Positions | null;
  readonly counts: {
    /** In the feed. */
    readonly plays: number;
    readonly owners: number;
    /** Rows of analytics that were compared. */
    readonly analytics_rows: number;
    /** Acknowledged, not settled yet. */
    readonly waiting: number;
    readonly quarantine: number;
    /** Plays whose signature and verdict were proven again. */
    readonly proven: number;
    /** Plays whose signature was proven again, and whose verdict an earlier version of the rules gave. */
    readonly older_rules: number;
  };
  /** How many of each kind, also those that are not listed. */
  readonly found: Readonly<Partial<Record<Kind, number>>>;
  readonly findings: readonly Finding[];
}

/** A running service writes the mark all the time: it may be met half written, but not again and again. */
const MARK_ATTEMPTS = 5;

export async function audit(input: AuditInput): Promise<AuditResult> {
  const { copies, progress, keyOf, rules } = input;
  const findings = new Findings();
  // In this order: each of the first two never is ahead of the next.
  const feeds = await input.analytics.loaded();
  const mark = markOf(input, findings);
  const positions = checkPositions(copies.positions(), mark, feeds, findings);
  const counts = { plays: 0, owners: 0, analytics_rows: 0, waiting: 0, quarantine: 0, proven: 0, older_rules: 0 };
  if (positions) {
    const { settle, loaded } = positions;
    const analytics = new AnalyticsCheck({ copy: input.analytics, archive: copies, findings, loaded });
    const sample = new Sample(input.signatures, settle, Math.random);
    Object.assign(counts, await checkFeed({ feed: copies, settle, analytics, sample, keyOf, rules, findings, progress }));
    await analytics.beyond(settle + 1, () => copies.positions().settle?.seq ?? settle);
    await analytics.finish();
    counts.analytics_rows = analytics.rows;
    counts.waiting = checkWaiting(copies, findings);
    counts.owners = await checkOwners(copies, findings, progress, counts.plays);
    counts.quarantine = await checkQuarantine(copies, findings);
  }
  progress.end();
  return {
    clean: findings.total === 0,
    positions,
    counts,
    found: Object.fromEntries(findings.byKind),
    findings: findings.listed,
  };
}

function markOf({ readMark }: AuditInput, findings: Findings): MarkState | null {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return readMark();
    } catch (error) {
      if (attempt < MARK_ATTEMPTS) continue;
      findings.add('position_wrong', {}, error instanceof Error ? error.message : String(error));
      return null;
    }
  }
}
