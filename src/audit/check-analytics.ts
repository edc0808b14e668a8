/**
 * Analytics against the feed. Ranges of positions are compared as they are stored; a play at which anything differs is then
 * looked at as reports count it: a copy that does not count is no fault.
 */
import type { Play } from '../domain/play.ts';
import { readPlayRecord, CorruptRecord } from '../journal/record.ts';
import type { Findings } from './findings.ts';
import { rowFingerprintOf } from './fingerprint.ts';
import { type AnalyticsCopy, type AnalyticsRow, type ArchiveCopy, type AuditedPlay, MAX_COUNTED } from './ports.ts';

/** Plays that are looked at one by one. Where more differ, a person has to look at analytics as a whole. */
const MAX_SUSPECTS = 10_000;

export interface AnalyticsCheckOptions {
  readonly copy: AnalyticsCopy;
  readonly archive: Pick<ArchiveCopy, 'owned'>;
  readonly findings: Findings;
  /** Up to here everything has to be in analytics. */
  readonly loaded: number;
}

export class AnalyticsCheck {
  readonly #copy: AnalyticsCopy;
  readonly #archive: Pick<ArchiveCopy, 'owned'>;
  readonly #findings: Findings;
  readonly #loaded: number;
  readonly #suspects = new Set<string>();
  #unresolved: string[] = [];
  #rows = 0;

  constructor({ copy, archive, findings, loaded }: AnalyticsCheckOptions) {
    this.#copy = copy;
    this.#archive = archive;
    this.#findings = findings;
    this.#loaded = loaded;
  }

  /** Rows that were compared. */
  get rows(): number {
    return this.#rows;
  }

  /** Positions that are compared at once: half of what may come, so that repeats have room. */
  get span(): number {
    return Math.floor(this.#copy.maxRows / 2);
  }

  /** @param plays The plays of the feed by their positions, all from `from` to `until`. @param unread Positions whose record is damaged. */
  async range(from: number, until: number, plays: ReadonlyMap<number, AuditedPlay>, unread: ReadonlySet<number>): Promise<void> {
    if (this.#full) return;
    const rows = await this.#copy.stored(from, until);
    if (rows.length >= this.#copy.maxRows && until > from) {
      const middle = Math.floor((from + until) / 2);
      await this.range(from, middle, plays, unread);
      await this.range(middle + 1, until, plays, unread);
      return;
    }
    this.#rows += rows.length;
    const met = new Set<number>();
    for (const row of rows) {
      if (unread.has(row.offset)) continue;
      if (row.partition === 0 && isSame(row, plays.get(row.offset))) met.add(row.offset);
      else await this.#suspect(row.logId);
    }
    for (const [seq, { logId }] of plays)
      if (seq >= from && seq <= until && seq <= this.#loaded && !met.has(seq)) await this.#suspect(logId);
  }

  /** Rows behind the feed's end. @param end Asked after the rows were read: the feed may have grown. */
  async beyond(from: number, end: () => number): Promise<void> {
    const rows = await this.#copy.stored(from, null);
    const last = end();
    for (const { offset, logId } of rows) if (offset > last) await this.#suspect(logId);
  }

  /** Looks at the last suspects. */
  async finish(): Promise<void> {
    await this.#resolve();
    if (this.#full) {
      this.#findings.add(
        'analytics_differs',
        {},
        `analytics differs at more than ${MAX_SUSPECTS} plays; the rest was not compared. It can be loaded again: stop the service and delete the folder "analytics"`,
      );
    }
  }

  get #full(): boolean {
    return this.#suspects.size >= MAX_SUSPECTS;
  }

  async #suspect(logId: string): Promise<void> {
    if (this.#full || this.#suspects.has(logId)) return;
    this.#suspects.add(logId);
    this.#unresolved.push(logId);
    if (this.#unresolved.length === MAX_COUNTED) await this.#resolve();
  }

  async #resolve(): Promise<void> {
    const logIds = this.#unresolved;
    if (logIds.length === 0) return;
    this.#unresolved = [];
    const counted = Map.groupBy(await this.#copy.counted(logIds), ({ logId }) => logId);
    for (const logId of logIds) this.#judge(logId, counted.get(logId) ?? []);
  }

  #judge(logId: string, rows: readonly AnalyticsRow[]): void {
    const owned = this.#archive.owned(logId);
    const first = rows[0];
    if (!owned) {
      if (first) this.#findings.add('analytics_extra', { logId, position: first.offset }, 'analytics counts it, and it is not in the feed');
      return;
    }
    const play = playOf(owned.record);
    // Told as a damaged record already.
    if (!play) return;
    const at = { logId, position: owned.seq };
    if (!first) {
      if (owned.seq <= this.#loaded) this.#findings.add('analytics_missing', at, 'it is in the feed, and analytics does not count it');
      return;
    }
    if (rows.length > 1) {
      const places = rows.map(({ offset, endedAt }) => `${offset} (ended_at ${endedAt})`).join(', ');
      this.#findings.add('analytics_doubled', at, `analytics counts it ${rows.length} times, from the positions ${places}`);
    }
    const other = rows.find((row) => !isSame(row, play));
    if (other) this.#findings.add('analytics_differs', at, difference(other, play));
  }
}

/** What has to agree. */
export function auditedPlay(play: Play): AuditedPlay {
  const { logId, contentHash, status, billable, endedAt } = play;
  return { logId, contentHash, status, billable, endedAt, fingerprint: rowFingerprintOf(play).toString('hex') };
}

/** Null where the record is damaged. */
function playOf(record: Uint8Array): AuditedPlay | null {
  try {
    return auditedPlay(readPlayRecord(record));
  } catch (error) {
    if (error instanceof CorruptRecord) return null;
    throw error;
  }
}

function isSame(row: AnalyticsRow, play: AuditedPlay | undefined): boolean {
  return play !== undefined && row.fingerprint === play.fingerprint;
}

function difference(row: AnalyticsRow, play: AuditedPlay): string {
  const [has, ought] = [textOf(row), textOf(play)];
  if (has === ought) return `analytics has it with the same content hash and verdict (${has}), and another column differs from the feed`;
  return `the feed has ${ought}, analytics has ${has}`;
}

function textOf({ contentHash, status, billable, endedAt }: Omit<AuditedPlay, 'status' | 'logId'> & { readonly status: string }): string {
  return `${status}, ${billable ? 'billable' : 'not billable'}, content ${contentHash}, ended_at ${endedAt}`;
}
