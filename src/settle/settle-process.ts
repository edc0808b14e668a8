/**
 * The settling process of the profiles edge and cluster, started by the service and by nobody else. A process of its own, because the
 * Kafka client loads once in each, and because being fenced means that a process has to end.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { journalIdOf } from '../journal/sqlite-schema.ts';
import { loadKafkaClient } from '../kafka/client.ts';
import type { KafkaClient } from '../kafka/client-types.ts';
import { connectionConfig } from '../kafka/settings.ts';
import { checkInternalTopics, prepareTopics } from '../kafka/topics.ts';
import { EdgeSettleLog } from './edge-settle-log.ts';
import { edgeTransactionalId } from './edge-transaction.ts';
import { settleUntil } from './engine-loop.ts';
import { EngineSettlement } from './engine-settlement.ts';
import { beginKafkaJournal, kafkaTopics, named } from './kafka-begin.ts';
import { KafkaSettleLog } from './kafka-settle-log.ts';
import { type ArchiveWriter, Fenced, type SettleLog } from './ports.ts';
import { EXIT_LEFT, type FromSettler, type SettleOptions, type SettleStatus, type ToSettler } from './settle-messages.ts';
import { PositionLost } from './settlement.ts';

/** A signal may reach the whole process group: this one ends when its parent says so, or is gone. */
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

const STATUS_EVERY_MS = 500;
const RETRY_MS = 1_000;
/** An orderly end waits this long for engines that do not answer. */
const CLOSE_MS = 6_000;

interface Archive extends ArchiveWriter {
  close(): Promise<void>;
}

const stopping = new AbortController();
let status: SettleStatus = {
  state: 'starting',
  backlog: null,
  taken: 0,
  owners: 0,
  duplicates: 0,
  conflicts: 0,
  quarantined: 0,
  failures: 0,
  lastError: null,
};

function send(message: FromSettler): void {
  // A parent that is gone takes no messages; 'disconnect' ends this process.
  if (process.connected) process.send?.(message);
}

function log(level: 'warn' | 'error', message: string): void {
  send({ type: 'log', level, message });
}

function update(change: Partial<SettleStatus>): void {
  const before = status;
  status = { ...status, ...change };
  if (status.lastError !== null && status.lastError !== before.lastError) log('error', `settling failed: ${status.lastError}`);
  if (status.lastError !== before.lastError || status.state !== before.state) send({ type: 'status', status });
}

function failed(error: Error): void {
  update({ failures: status.failures + 1, lastError: error.message, ...(error instanceof Fenced && { state: 'fenced' }) });
}

/** Repeats what needs an engine until it is there. */
async function eventually<T>(open: () => Promise<T>): Promise<T | null> {
  while (!stopping.signal.aborted) {
    try {
      return await open();
    } catch (error) {
      if (error instanceof PositionLost) throw error;
      failed(error instanceof Error ? error : new Error(String(error)));
      await sleep(RETRY_MS, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }
  return null;
}

async function openLog(client: KafkaClient, { kafka, topicNames = {}, source }: SettleOptions): Promise<SettleLog> {
  const config = connectionConfig(kafka);
  if (source.kind === 'edge') {
    const ensured = await prepareTopics(kafka, ['feed', 'positions'], { names: topicNames });
    await checkInternal(kafka, { transaction: edgeTransactionalId(journalIdOf(source.file)) });
    return EdgeSettleLog.open({
      client,
      config,
      file: source.file,
      feedTopic: named(ensured, 'feed').name,
      positionsTopic: named(ensured, 'positions').name,
      settledUpTo: (seq) => send({ type: 'settled-up-to', seq }),
    });
  }
  const topics = kafkaTopics(await prepareTopics(kafka, ['journal', 'feed', 'positions'], { names: topicNames }));
  const { groupId, instance } = source;
  await checkInternal(kafka, { group: groupId, transaction: `${groupId}-${instance}` });
  await beginKafkaJournal(client, config, topics);
  return KafkaSettleLog.open({ client, config, topics, groupId, instance, onWarning: (message) => log('warn', message) });
}

async function checkInternal(kafka: SettleOptions['kafka'], uses: Parameters<typeof checkInternalTopics>[1]): Promise<void> {
  for (const unseen of await checkInternalTopics(kafka, uses)) log('warn', unseen);
}

async function openArchive({ mongodbUrl, quarantinePerDevice }: SettleOptions): Promise<Archive> {
  const { openMongoArchive } = await import('../archive/mongo-archive.ts');
  return openMongoArchive(mongodbUrl, { quarantinePerDevice });
}

/** Tells the parent a few times a second, with the backlog as it is then. */
async function report(settleLog: SettleLog): Promise<void> {
  while (!stopping.signal.aborted) {
    // An unknown backlog is said as such; why is in the failures of settling itself.
    const backlog = await settleLog.backlog().catch(() => null);
    status = { ...status, backlog };
    send({ type: 'status', status });
    await sleep(STATUS_EVERY_MS, undefined, { signal: stopping.signal }).catch(() => {});
  }
}

async function settle(settleLog: SettleLog, archive: Archive): Promise<void> {
  const settlement = new EngineSettlement({
    log: settleLog,
    archive,
    onPoison: (position, error) => log('error', `journal record ${position} is damaged and was set aside in quarantine: ${error.message}`),
    now: Date.now,
  });
  update({ state: 'settling', lastError: null });
  void report(settleLog);
  const end = await settleUntil(stopping.signal, {
    settlement,
    onStep: ({ taken, owners, duplicates, conflicts, quarantined }) =>
      update({
        taken: status.taken + taken,
        owners: status.owners + owners,
        duplicates: status.duplicates + duplicates,
        conflicts: status.conflicts + conflicts,
        quarantined: status.quarantined + quarantined,
        lastError: null,
      }),
    onFailure: failed,
  });
  if (end === 'left') leave(EXIT_LEFT);
  if (end === 'position-lost') await stayDown();
  setTimeout(() => leave(0), CLOSE_MS).unref();
  await settleLog.close();
  await archive.close();
  leave(0);
}

/** Nothing is settled before a person has looked, and the process stays, to say so. */
async function stayDown(): Promise<void> {
  update({ state: 'position-lost' });
  await new Promise((resolve) => stopping.signal.addEventListener('abort', resolve, { once: true }));
}

/** Told to the parent first. Without the client's own end: it would wait for brokers that may not answer. */
function leave(code: number): void {
  send({ type: 'status', status });
  setImmediate(() => process.exit(code));
}

async function main(options: SettleOptions): Promise<void> {
  const client = await loadKafkaClient();
  const archive = await eventually(() => openArchive(options));
  const settleLog = archive && (await eventually(() => openLog(client, options)));
  if (archive && settleLog) await settle(settleLog, archive);
  else leave(0);
}

process.on('message', (message: ToSettler) => {
  if (message.type === 'stop') stopping.abort();
  else {
    main(message.options).catch(async (error: unknown) => {
      failed(error instanceof Error ? error : new Error(String(error)));
      if (error instanceof PositionLost) await stayDown();
      leave(1);
    });
  }
});
