/**
 * The audit of a distributed installation: journal, archive, feed and analytics, each on an engine of its own, beside running services.
 *
 * The order of the questions makes it right on a live system. What analytics says that it loaded, then how far the journals were
 * settled, then where the feed ends: each never is ahead of the next. Feed and analytics are read after that, and the archive last. A
 * log is archived before it is published and published before it is loaded, so whatever one copy has, every copy that is read later
 * has too; and what an earlier one does not have yet lies behind those positions.
 *
 * Feed, analytics and journal are collected and sorted by log_id on disk; the archive comes in that order by itself.
 */
import type { RuleSettings } from '../../domain/limits.ts';
import { type Finding, Findings, type Kind } from '../findings.ts';
import type { Progress } from '../progress.ts';
import { Sample, type SampleSize } from '../sample.ts';
import { checkJournal } from './check-journal.ts';
import { checkKept } from './check-kept.ts';
import { Collected } from './groups.ts';
import type { Cut } from './judge-log.ts';
import type { EngineAnalytics, EngineArchive, EngineFeed, EngineJournal, PartitionRange, ReadPositions, RegisteredKeys } from './ports.ts';
import { readAnalytics, readFeed } from './read-copies.ts';
import { checkSettled, nextOf, settledBy } from './settled.ts';
import { walkArchive } from './walk-archive.ts';

export interface EngineAuditInput {
  readonly journal: EngineJournal;
  readonly feed: EngineFeed;
  readonly archive: EngineArchive;
  readonly analytics: EngineAnalytics;
  readonly keys: RegisteredKeys;
  /** The thresholds that the service judges by. */
  readonly rules: RuleSettings;
  readonly signatures: SampleSize;
  readonly progress: Progress;
  /** Months of `ended_at` (`202601`, UTC) that were dropped from analytics. */
  readonly droppedMonths?: ReadonlySet<string>;
  /** Where what is sorted goes; the system's directory for temporary files. */
  readonly directory?: string;
}

/** As they stood when the audit began. */
export interface EnginePositions {
  readonly journal: {
    readonly journal_id: string;
    /** `low` ≤ offsets < `end` are there; before `settled` all are settled (null: nothing tells). */
    readonly partitions: readonly {
      readonly partition: number;
      readonly low: number;
      readonly settled: number | null;
      readonly end: number;
    }[];
  };
  readonly feed: {
    readonly topic: string;
    readonly feed_id: string;
    /** Analytics was loaded up to `loaded`, which is compared; the rest up to `end` is its lag. */
    readonly partitions: readonly { readonly partition: number; readonly low: number; readonly loaded: number; readonly end: number }[];
  };
}

export interface EngineCounts {
  /** Records of the feed. */
  readonly plays: number;
  readonly owners: number;
  /** Rows that reports count. */
  readonly analytics_rows: number;
  /** Acknowledged, and not settled when the audit began. */
  readonly waiting: number;
  /** Settled records that the journal still had: each was looked for. */
  readonly retained: number;
  /** Archived, and perhaps on their way into the feed. */
  readonly in_flight: number;
  /** Archived, and not in a feed that lost its beginning. */
  readonly not_retained: number;
  readonly quarantine: number;
  /** Plays whose signature and verdict were proven again. */
  readonly proven: number;
  /** Plays whose signature was proven again, and whose verdict an earlier version of the rules gave. */
  readonly older_rules: number;
}

export interface EngineAuditResult {
  readonly clean: boolean;
  readonly positions: EnginePositions;
  readonly counts: EngineCounts;
  /** How many of each kind, also those that are not listed. */
  readonly found: Readonly<Partial<Record<Kind, number>>>;
  readonly findings: readonly Finding[];
}

interface Start {
  readonly loaded: ReadonlyMap<number, number>;
  readonly before: ReadPositions;
  readonly journalRanges: readonly PartitionRange[];
  readonly feedRanges: readonly PartitionRange[];
}

/** @throws AuditImpossible, or another error with a sentence. */
export async function auditEngines(input: EngineAuditInput): Promise<EngineAuditResult> {
  const findings = new Findings();
  const collected = new Collected(undefined, input.directory);
  try {
    const start = await begin(input, findings);
    const counts = await compare(input, start, collected, findings);
    return {
      clean: findings.total === 0,
      positions: positionsOf(input, start),
      counts,
      found: Object.fromEntries(findings.byKind),
      findings: findings.listed,
    };
  } finally {
    input.progress.end();
    collected.close();
  }
}

async function begin({ journal, feed, analytics }: EngineAuditInput, findings: Findings): Promise<Start> {
  const loadedFeeds = await analytics.loaded();
  const before = await feed.positions();
  const durable = durableOf(journal, findings);
  const journalRanges = await journal.ranges();
  const feedRanges = await feed.ranges();
  const loaded = loadedFeeds.get(feed.feedId) ?? new Map<number, number>();
  for (const [feedId] of loadedFeeds)
    if (feedId !== feed.feedId)
      findings.add('position_wrong', {}, `analytics was loaded from another feed, ${feedId}; this one is ${feed.feedId}`);
  for (const [partition, next] of loaded) {
    const end = feedRanges.find((range) => range.partition === partition)?.end ?? 0;
    if (next > end)
      findings.add(
        'position_wrong',
        { position: `${feed.topic}/${partition}/${next}` },
        `analytics says that it was loaded up to here, and the feed ends at ${end}`,
      );
  }
  const end = journalRanges[0]?.end ?? 0;
  if (durable !== null && durable >= end)
    findings.add('position_wrong', {}, `the journal was durable up to ${durable} and ends at ${end - 1}: acknowledged logs are lost`);
  return { loaded, before, journalRanges, feedRanges };
}

function durableOf(journal: EngineJournal, findings: Findings): number | null {
  try {
    return journal.durableEnd();
  } catch (error) {
    findings.add('position_wrong', {}, error instanceof Error ? error.message : String(error));
    return null;
  }
}

async function compare(input: EngineAuditInput, start: Start, collected: Collected, findings: Findings): Promise<EngineCounts> {
  const { journal, feed, archive, analytics, progress } = input;
  const { loaded, before, journalRanges, feedRanges } = start;
  const { journalId } = journal;
  const settled = (partition: number): number | null => nextOf(before, `${journalId}/${partition}`);
  const read = { collected, findings, progress };
  const { waiting, retained, ranges } = await checkJournal({ ...read, journal, ranges: journalRanges, settled, archive });
  const { plays, published } = await readFeed(feed, feedRanges, read);
  const rows = await readAnalytics(analytics, read);
  const after = await feed.positions();
  checkSettled({ journalId, ranges, before, after, published }, findings);
  const cut: Cut = {
    topic: feed.topic,
    journalId,
    whole: feedRanges.every(({ low }) => low === 0),
    settled: settledBy(before, after, published),
    loaded: (partition) => loaded.get(partition) ?? 0,
    droppedMonths: input.droppedMonths ?? new Set(),
  };
  const expected = await archive.count();
  const sample = new Sample(input.signatures, Math.max(1, expected), Math.random);
  const walked = await walkArchive({ ...input, groups: collected.groups(), cut, sample, findings, expected });
  const quarantine = await checkKept(archive, findings, progress);
  return { plays, analytics_rows: rows, waiting, retained, quarantine, ...walked };
}

function positionsOf({ journal, feed }: EngineAuditInput, { loaded, before, journalRanges, feedRanges }: Start): EnginePositions {
  return {
    journal: {
      journal_id: journal.journalId,
      partitions: journalRanges.map(({ partition, low, end }) => ({
        partition,
        low,
        settled: nextOf(before, `${journal.journalId}/${partition}`),
        end,
      })),
    },
    feed: {
      topic: feed.topic,
      feed_id: feed.feedId,
      partitions: feedRanges.map(({ partition, low, end }) => ({ partition, low, loaded: loaded.get(partition) ?? 0, end })),
    },
  };
}
