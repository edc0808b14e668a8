/** What the copies of one log say about each other. Pure: the walk over millions of logs asks this for each. */
import type { Play } from '../../domain/play.ts';
import { formatInstant } from '../../domain/timestamp.ts';
import { readUuid } from '../../domain/uuid.ts';
import type { Kind } from '../findings.ts';
import { rowFingerprintOf } from '../fingerprint.ts';
import type { Entry } from './entries.ts';
import { feedFingerprintOf, originOf } from './fingerprint.ts';
import type { LogGroup } from './groups.ts';

/** Up to where each copy has to be complete. */
export interface Cut {
  readonly topic: string;
  /** Of the journal that is audited. */
  readonly journalId: string;
  /** Whether the feed still has its beginning: then every settled log has to be in it. */
  readonly whole: boolean;
  /** What is known of a journal position: its record was settled, it may not have been, or nothing tells. */
  readonly settled: (position: string) => 'settled' | 'open' | 'unknown';
  /** The offset of this partition of the feed that analytics was to load next. */
  readonly loaded: (partition: number) => number;
  /** Months of `ended_at` (`202601`, UTC) that an operator dropped from analytics. */
  readonly droppedMonths: ReadonlySet<string>;
}

export interface ArchivedLog {
  readonly position: string;
  /** Null: its record is damaged, which was told. */
  readonly play: Play | null;
}

export interface Fault {
  readonly kind: Kind;
  readonly position: string | null;
  readonly detail: string;
}

export interface Judged {
  readonly faults: readonly Fault[];
  /** Settled journal records with other content than the archive's: they have to be in quarantine as conflicts. */
  readonly conflicts: readonly Entry[];
  /** Why it is not in the feed where that is no fault. */
  readonly absent: 'in flight' | 'not retained' | null;
}

export function judgeLog(log: ArchivedLog | null, group: LogGroup, cut: Cut): Judged {
  return log ? judgeArchived(log, group, cut) : { faults: unowned(group, cut), conflicts: [], absent: null };
}

export function journalPlace({ partition, offset }: Pick<Entry, 'partition' | 'offset'>, { journalId }: Pick<Cut, 'journalId'>): string {
  return `${journalId}/${partition}/${offset}`;
}

function feedPlace({ partition, offset }: Pick<Entry, 'partition' | 'offset'>, { topic }: Pick<Cut, 'topic'>): string {
  return `${topic}/${partition}/${offset}`;
}

/** Nobody can own what the archive does not have. */
function unowned({ entries, counts }: LogGroup, cut: Cut): Fault[] {
  const faults: Fault[] = entries.feed.map((entry) => ({
    kind: 'owner_missing',
    position: feedPlace(entry, cut),
    detail: `it is in the feed${counts.feed > 1 ? ` (${counts.feed} times)` : ''}, and the archive does not have its log_id`,
  }));
  const [row] = entries.analytics;
  if (row && counts.feed === 0)
    faults.push({
      kind: 'analytics_extra',
      position: feedPlace(row, cut),
      detail: 'analytics counts it, and neither feed nor archive has it',
    });
  for (const entry of entries.journal)
    faults.push({
      kind: 'settled_lost',
      position: journalPlace(entry, cut),
      detail: 'its record was settled, and the archive does not have its log_id',
    });
  return faults;
}

function judgeArchived(log: ArchivedLog, group: LogGroup, cut: Cut): Judged {
  const { play, position } = log;
  const { entries, counts } = group;
  const faults: Fault[] = [];
  const absent = counts.feed > 0 ? null : absentFrom(position, cut, faults);
  if (counts.feed > 0) faults.push(...feedFaults(log, group, cut));
  faults.push(...analyticsFaults(log, group, cut));
  const conflicts = play ? entries.journal.filter(({ contentHash }) => contentHash !== play.contentHash) : [];
  return { faults, conflicts, absent };
}

function absentFrom(position: string, { settled, whole, topic }: Cut, faults: Fault[]): Judged['absent'] {
  const state = settled(position);
  if (state === 'open') return 'in flight';
  // Whether it was ever there nobody can tell.
  if (!whole) return 'not retained';
  const why = state === 'settled' ? 'its journal was settled beyond it' : 'no read position tells how far its journal was settled';
  faults.push({ kind: 'feed_missing', position, detail: `the archive has it, ${why}, and it is not in "${topic}"` });
  return null;
}

function feedFaults({ play, position }: ArchivedLog, { entries: { feed }, counts }: LogGroup, cut: Cut): Fault[] {
  const faults: Fault[] = [];
  const origin = originOf(position);
  const published = feed.find((entry) => isSame(entry.origin, origin));
  const first = published ?? feed[0];
  if (!first) return [];
  if (!published)
    faults.push({
      kind: 'owner_differs',
      position: feedPlace(first, cut),
      detail: `it does not say that it was published from the journal position ${position}, which owns its log_id`,
    });
  for (const entry of feed)
    if (entry !== first)
      faults.push({
        kind: 'record_doubled',
        position: feedPlace(entry, cut),
        detail: `it is in the feed ${counts.feed} times, also at ${feedPlace(first, cut)}`,
      });
  if (!play) return faults;
  const fingerprint = feedFingerprintOf(play);
  for (const entry of feed)
    if (!isSame(entry.fingerprint, fingerprint))
      faults.push({ kind: 'feed_differs', position: feedPlace(entry, cut), detail: difference('the feed', entry, play) });
  return faults;
}

/** Analytics has to have what was loaded; what else it has must be right all the same. */
function analyticsFaults({ play }: ArchivedLog, { logId, entries, counts }: LogGroup, cut: Cut): Fault[] {
  const due = entries.feed.find(({ partition, offset }) => offset < cut.loaded(partition));
  const rows = entries.analytics;
  const [row] = rows;
  if (!row) {
    if (!due || (play && cut.droppedMonths.has(monthOf(play.endedAt)))) return [];
    return [
      {
        kind: 'analytics_missing',
        position: feedPlace(due, cut),
        detail: `analytics was loaded up to ${cut.loaded(due.partition)} of this partition, and does not count it`,
      },
    ];
  }
  const faults: Fault[] = [];
  if (counts.analytics > 1)
    faults.push({
      kind: 'analytics_doubled',
      position: feedPlace(row, cut),
      detail: `analytics counts ${readUuid(logId, 0)} ${counts.analytics} times, from ${rows.map((entry) => feedPlace(entry, cut)).join(', ')}`,
    });
  const fingerprint = play && rowFingerprintOf(play);
  const other = fingerprint && rows.find((entry) => !isSame(entry.fingerprint, fingerprint));
  if (play && other)
    faults.push({ kind: 'analytics_differs', position: feedPlace(other, cut), detail: difference('analytics', other, play) });
  return faults;
}

/** As ClickHouse's toYYYYMM, by which the table is partitioned. */
function monthOf(endedAt: number): string {
  return formatInstant(endedAt).slice(0, 7).replace('-', '');
}

function isSame(found: Uint8Array | null, expected: Uint8Array): boolean {
  return found !== null && Buffer.compare(found, expected) === 0;
}

function difference(copy: string, entry: Entry, play: Play): string {
  const [has, ought] = [textOf(entry), textOf(play)];
  if (has === ought) return `${copy} has it with the same content hash and verdict (${has}), and another field differs from the archive`;
  return `${copy} has ${has}, the archive has ${ought}`;
}

function textOf({ status, billable, contentHash, receivedAt }: Pick<Entry, 'status' | 'billable' | 'contentHash' | 'receivedAt'>): string {
  const when = Number.isSafeInteger(receivedAt) ? formatInstant(receivedAt) : String(receivedAt);
  return `${status}, ${billable ? 'billable' : 'not billable'}, content ${contentHash}, received ${when}`;
}
