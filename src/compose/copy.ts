/** The engines between which an embedded installation is copied: SQLite here, Kafka and MongoDB there. */
import { type MongoArchive, openMongoArchive } from '../archive/mongo-archive.ts';
import { type EngineSettings } from '../config.ts';
import { copyInstallation, type CopyResult, copyRegistry, type RegistryTaken } from '../copy/copy.ts';
import { assertOwn, KafkaCopyLog, readPosition } from '../copy/kafka-copy-log.ts';
import { MongoTarget } from '../copy/mongo-target.ts';
import { type MovedMark, readMovedMark, writeMovedMark } from '../copy/moved-mark.ts';
import { CopyImpossible, SourceDamaged, type SourceCounts } from '../copy/ports.ts';
import type { Progress } from '../copy/progress.ts';
import { settleRest, sourceFiles } from '../copy/sqlite-prepare.ts';
import { SqliteSource } from '../copy/sqlite-source.ts';
import { DataDirInUse, DataDirLock } from '../data-dir.ts';
import { journalIdOf } from '../journal/sqlite-schema.ts';
import { LOG_ID_AT, LOG_ID_BYTES, recordLogId } from '../journal/record.ts';
import { loadKafkaClient } from '../kafka/client.ts';
import type { KafkaClient } from '../kafka/client-types.ts';
import { connectionConfig } from '../kafka/settings.ts';
import { TOPIC_NAMES } from '../kafka/topic-rules.ts';
import { checkInternalTopics, type InternalUses, previewInternalTopics, previewTopics, prepareTopics } from '../kafka/topics.ts';
import { edgeTransactionalId } from '../settle/edge-transaction.ts';
import { EngineSettlement } from '../settle/engine-settlement.ts';
import { named } from '../settle/kafka-begin.ts';

export interface CopyOptions {
  /** Data directory of the embedded installation. */
  readonly from: string;
  readonly engines: EngineSettings;
  readonly quarantinePerDevice: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

export interface Copied extends CopyResult {
  readonly journalId: string;
  /** Records that waited in the journal and were settled first. */
  readonly settledFirst: number;
}

type Closer = () => void | Promise<void>;

/** @throws an error with a sentence; the same copy again goes on where this one stopped. */
export function copyToEngines(options: CopyOptions): Promise<Copied> {
  return closing(async (closers) => {
    const { from, engines, progress, quarantinePerDevice } = options;
    const files = sourceFiles(from);
    const lock = new DataDirLock(from);
    closers.push(() => lock.release());
    // Before anything is changed here: everything there has to be as it must be.
    const client = await loadKafkaClient();
    const topics = await prepareTopics(engines.kafka, ['feed', 'positions']);
    const feed = named(topics, 'feed');
    for (const unseen of await checkInternalTopics(engines.kafka, usesOf(journalIdOf(files.journal)))) progress.say(unseen);
    const target = new MongoTarget(engines.mongodbUrl, quarantinePerDevice);
    closers.push(() => target.close());
    const archive = await openMongoArchive(engines.mongodbUrl, { quarantinePerDevice });
    closers.push(() => archive.close());
    await target.ready();
    await archive.ready();
    const found = assertSameTarget(from, feed.id);
    const settledFirst = await settleRest(from, quarantinePerDevice, progress);
    const source = new SqliteSource(files.journal, files.registry);
    closers.push(() => source.close());
    source.assertWhole();

    let mark: MovedMark = found ?? { state: 'open', feedId: feed.id, begun: [], since: now() };
    const write = (change: Partial<MovedMark>): void => {
      mark = { ...mark, ...change };
      writeMovedMark(from, mark);
    };
    if (mark.state !== 'copied') write({ state: 'copying', feedId: feed.id, since: mark.state === 'copying' ? mark.since : now() });
    const log = await openLog(client, options, source, {
      feedTopic: feed.name,
      positionsTopic: named(topics, 'positions').name,
      begun: mark.begun.includes(feed.id),
      noteBegun: () => write({ begun: [...mark.begun, feed.id] }),
    });
    closers.push(() => log.close());
    await assertSameArchive(source, archive, await log.next());
    const plays = new EngineSettlement({ log, archive, onPoison: refuse, now: Date.now });
    const result = await copyInstallation({ ...options, source, target, plays, playsLeft: () => log.backlog() });
    if (mark.state !== 'copied') write({ state: 'copied', since: now() });
    return { journalId: source.journalId, settledFirst, ...result };
  });
}

/** A copy has no group: its position moves in the transaction itself. */
function usesOf(journalId: string): InternalUses {
  return { transaction: edgeTransactionalId(journalId) };
}

function openLog(
  client: KafkaClient,
  { engines }: CopyOptions,
  source: SqliteSource,
  rest: Pick<Parameters<typeof KafkaCopyLog.open>[0], 'feedTopic' | 'positionsTopic' | 'begun' | 'noteBegun'>,
): Promise<KafkaCopyLog> {
  return KafkaCopyLog.open({ client, config: connectionConfig(engines.kafka), source, ...rest });
}

/** In a settled feed there is no record that cannot be read; one is a damaged file, and leaving it out would lose a play. */
function refuse(position: string, error: Error): never {
  throw new SourceDamaged(
    `record ${position} of the feed is damaged (${error.message}); restore the data directory from a backup, and look at the disk`,
  );
}

/** @returns the mark, where there is one. @throws CopyImpossible when it names another target. */
function assertSameTarget(from: string, feedId: string | undefined): MovedMark | null {
  const mark = readMovedMark(from);
  if (mark === null || mark.state === 'open' || mark.feedId === feedId) return mark;
  throw new CopyImpossible(
    `${from} was ${mark.state === 'copied' ? 'moved' : 'begun to be copied'} to another feed on ${mark.since}, and two would bill the same plays; ` +
      `if that one is not billed from, take the move back with \`playproof copy --from ${from} --undo\` and copy again`,
  );
}

/** What was published stands in the archive; where it does not, MongoDB is not the one that was copied to. @throws CopyImpossible */
async function assertSameArchive(source: SqliteSource, archive: MongoArchive, next: number): Promise<void> {
  const [last] = next === 1 ? [] : source.plays(next - 1, 1);
  if (!last || (await archive.find(last.record.subarray(LOG_ID_AT, LOG_ID_AT + LOG_ID_BYTES)))) return;
  throw new CopyImpossible(
    `Kafka holds this journal up to ${next - 1}, and MongoDB does not hold its log ${recordLogId(last.record)}: it is another database, or it was emptied; ` +
      'give the one that was copied to, or begin with new topics as well',
  );
}

export interface Looked {
  readonly journalId: string;
  /** A service uses the directory: it has to be stopped first. */
  readonly running: boolean;
  readonly mark: MovedMark | null;
  readonly source: SourceCounts;
  readonly topics: { readonly missing: readonly string[]; readonly faults: readonly string[] };
  /** Plays that are there already, from this source. */
  readonly playsBefore: number;
  readonly registry: RegistryTaken;
}

/** Says what a copy would do, and changes nothing anywhere. @throws an error with a sentence where it could not be made at all. */
export function lookAtCopy(options: CopyOptions): Promise<Looked> {
  return closing(async (closers) => {
    const { from, engines, quarantinePerDevice } = options;
    const files = sourceFiles(from);
    const lock = tryLock(from);
    closers.push(() => lock?.release());
    const source = new SqliteSource(files.journal, files.registry);
    closers.push(() => source.close());
    if (lock) source.assertWhole();
    const client = await loadKafkaClient();
    const { missing, faults, ids } = await previewTopics(engines.kafka, ['feed', 'positions']);
    const internal = await previewInternalTopics(engines.kafka, usesOf(source.journalId));
    const positions = ids.has('positions') ? TOPIC_NAMES.positions : null;
    const position = positions && (await readPosition(client, connectionConfig(engines.kafka), positions, source.journalId));
    if (position) assertOwn(position, source);
    const target = new MongoTarget(engines.mongodbUrl, quarantinePerDevice);
    closers.push(() => target.close());
    const registry = await copyRegistry({ ...options, source, target }, 'look');
    const counts = source.counts();
    return {
      journalId: source.journalId,
      running: lock === null,
      mark: assertSameTarget(from, ids.get('feed')),
      source: counts,
      topics: { missing, faults: [...faults, ...internal] },
      playsBefore: position ? counts.plays - source.playsFrom(position.next) : 0,
      registry,
    };
  });
}

/** Takes the mark away: the installation may be started again. What was copied stays where it is. @returns what the mark said. */
export function takeBack(from: string): MovedMark | null {
  sourceFiles(from);
  const lock = new DataDirLock(from);
  try {
    const mark = readMovedMark(from);
    if (mark && mark.state !== 'open') writeMovedMark(from, { ...mark, state: 'open', since: now() });
    return mark;
  } finally {
    lock.release();
  }
}

function tryLock(dataDir: string): DataDirLock | null {
  try {
    return new DataDirLock(dataDir);
  } catch (error) {
    if (error instanceof DataDirInUse) return null;
    throw error;
  }
}

function now(): string {
  return new Date().toISOString();
}

async function closing<T>(work: (closers: Closer[]) => Promise<T>): Promise<T> {
  const closers: Closer[] = [];
  try {
    return await work(closers);
  } finally {
    for (const closer of closers.toReversed()) await closer();
  }
}
