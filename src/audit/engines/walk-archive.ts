/** The archive in the order of its log_ids beside everything else in the same order: each log once, in one pass. */
import type { RuleSettings } from '../../domain/limits.ts';
import type { Play } from '../../domain/play.ts';
import { readUuid } from '../../domain/uuid.ts';
import {
  CorruptRecord,
  HASH_AT,
  HASH_BYTES,
  LOG_ID_AT,
  LOG_ID_BYTES,
  readPlayRecord,
  recordHash,
  recordLogId,
  recordReceivedAt,
} from '../../journal/record.ts';
import type { Findings } from '../findings.ts';
import type { Progress } from '../progress.ts';
import { recheck } from '../recheck.ts';
import type { Sample } from '../sample.ts';
import { type LogGroup, noEntries } from './groups.ts';
import { type ArchivedLog, type Cut, journalPlace, judgeLog } from './judge-log.ts';
import type { ArchivedEntry, EngineArchive, QuarantineKey, RegisteredKeys } from './ports.ts';

export interface WalkOptions {
  readonly archive: EngineArchive;
  readonly groups: Iterator<LogGroup>;
  readonly cut: Cut;
  readonly sample: Sample;
  readonly keys: RegisteredKeys;
  readonly rules: RuleSettings;
  readonly findings: Findings;
  readonly progress: Progress;
  /** About how many logs the archive has. */
  readonly expected: number;
}

export interface WalkCounts {
  owners: number;
  /** Archived, and perhaps on their way into the feed. */
  in_flight: number;
  /** Settled, and no longer or never in a feed that lost its beginning. */
  not_retained: number;
  proven: number;
  older_rules: number;
}

/** Archived logs read at once: some 2 MB. */
const PAGE = 1_000;

export async function walkArchive(options: WalkOptions): Promise<WalkCounts> {
  const { archive, groups, progress, expected } = options;
  const walk = new Walk(options);
  let group = nextOf(groups);
  for (let after: Uint8Array | null = null; ; ) {
    const page: readonly ArchivedEntry[] = await archive.entries(after, PAGE);
    for (const entry of page) {
      if (after && Buffer.compare(entry.logId, after) <= 0) throw new Error('the archive does not answer in the order of its log_ids');
      after = entry.logId;
      while (group && Buffer.compare(group.logId, entry.logId) < 0) {
        walk.judge(null, group);
        group = nextOf(groups);
      }
      if (group && Buffer.compare(group.logId, entry.logId) === 0) {
        walk.archived(entry, group);
        group = nextOf(groups);
      } else walk.archived(entry, noEntries(entry.logId));
    }
    await walk.turn();
    progress.at('archived log', walk.counts.owners, Math.max(expected, walk.counts.owners));
    if (page.length < PAGE) break;
  }
  for (; group; group = nextOf(groups)) walk.judge(null, group);
  await walk.turn();
  return walk.counts;
}

function nextOf(groups: Iterator<LogGroup>): LogGroup | null {
  const { done, value } = groups.next();
  return done ? null : value;
}

class Walk {
  readonly counts: WalkCounts = { owners: 0, in_flight: 0, not_retained: 0, proven: 0, older_rules: 0 };
  readonly #options: WalkOptions;
  /** Of this page. */
  #sampled: Play[] = [];
  #conflicts: { readonly key: QuarantineKey; readonly position: string }[] = [];
  #places = new Map<string, string>();

  constructor(options: WalkOptions) {
    this.#options = options;
  }

  archived(entry: ArchivedEntry, group: LogGroup): void {
    const { sample, findings } = this.#options;
    this.counts.owners += 1;
    const play = playOf(entry, findings);
    if (play && sample.takes(this.counts.owners)) {
      this.#sampled.push(play);
      this.#places.set(play.logId, entry.position);
    }
    this.judge({ position: entry.position, play }, group);
  }

  judge(log: ArchivedLog | null, group: LogGroup): void {
    const { cut, findings } = this.#options;
    const { faults, conflicts, absent } = judgeLog(log, group, cut);
    const logId = readUuid(group.logId, 0);
    for (const { kind, position, detail } of faults) findings.add(kind, { logId, position }, detail);
    for (const entry of conflicts)
      this.#conflicts.push({
        key: { logId, contentHash: entry.contentHash, code: 'log_id_conflict' },
        position: journalPlace(entry, cut),
      });
    if (absent === 'in flight') this.counts.in_flight += 1;
    if (absent === 'not retained') this.counts.not_retained += 1;
  }

  /** What has to ask an engine, for a whole page at once. */
  async turn(): Promise<void> {
    const { archive, findings, keys, rules } = this.#options;
    const conflicts = this.#conflicts.splice(0);
    const kept = conflicts.length > 0 ? await archive.quarantined(conflicts.map(({ key }) => key)) : [];
    for (const [i, { key, position }] of conflicts.entries())
      if (!kept[i])
        findings.add(
          'settled_lost',
          { logId: key.logId, position },
          `another content stands for its log_id, and its own, ${key.contentHash}, is not in quarantine as a conflict`,
        );
    const sampled = this.#sampled.splice(0);
    if (sampled.length > 0) await keys.prepare(sampled);
    for (const play of sampled) {
      const { doubts, older } = recheck(play, keys.keyOf, rules);
      const position = this.#places.get(play.logId) ?? null;
      for (const { kind, detail } of doubts) findings.add(kind, { logId: play.logId, position }, detail);
      if (doubts.length === 0) this.counts[older ? 'older_rules' : 'proven'] += 1;
    }
    this.#places.clear();
  }
}

/** The archived play where its record is whole and says what stands beside it; null otherwise, which is told. */
function playOf({ logId, contentHash, receivedAt, position, record }: ArchivedEntry, findings: Findings): Play | null {
  const at = { logId: readUuid(logId, 0), position };
  try {
    const play = readPlayRecord(record);
    const agree =
      recordLogId(record) === play.logId && recordHash(record) === play.contentHash && recordReceivedAt(record) === play.receivedAt;
    if (!agree) throw new CorruptRecord('the header of the record is of another log than its row');
    if (Buffer.compare(logId, record.subarray(LOG_ID_AT, LOG_ID_AT + LOG_ID_BYTES)) !== 0) {
      findings.add('owner_differs', at, `the record of the log ${play.logId} stands under its log_id`);
      return null;
    }
    if (Buffer.compare(contentHash, record.subarray(HASH_AT, HASH_AT + HASH_BYTES)) !== 0)
      findings.add(
        'owner_differs',
        at,
        `the archive decides by the content hash ${Buffer.from(contentHash).toString('hex')}, its record has ${play.contentHash}`,
      );
    if (receivedAt !== play.receivedAt)
      findings.add('owner_differs', at, `received_at is ${receivedAt} beside a record that was received at ${play.receivedAt}`);
    return play;
  } catch (error) {
    if (!(error instanceof CorruptRecord)) throw error;
    findings.add('record_damaged', at, error.message);
    return null;
  }
}
