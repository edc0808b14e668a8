/**
 * The analytics process of the embedded profile: chDB, its loader and its queries, away from accepting (its memory, its threads and
 * its defects). Started by process.ts and by nobody else.
 */
import os from 'node:os';
import { SqliteFeedSource } from '../../feed/sqlite-source.ts';
import { Loader, type LoaderStatus } from '../loader.ts';
import { queryLines } from '../query.ts';
import { migrate } from '../schema.ts';
import { ClickHouseSink } from '../sink.ts';
import { AnalyticsDamaged, assertWhole, isDamage, markDamaged, removeDamaged } from './damage.ts';
import { type Engine, openEngine } from './engine.ts';
import type { ChildOptions, FromChild, ToChild } from './messages.ts';

/** A signal may reach the whole process group: this one ends when its parent says so, or is gone. */
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
// SIGKILL, because leaving in an orderly way waits for threads of chDB; nothing that was acknowledged is lost by it.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

/** Accepting comes first when the processor is short: each of several threads here counts a tenth of one there. */
const NICE = 10;
const STATUS_EVERY_MS = 250;
/** Of what the engine says about damage, characters. */
const MAX_TOLD = 300;

function send(message: FromChild): void {
  // A parent that is gone takes no messages; 'disconnect' ends this process.
  if (process.connected) process.send?.(message);
}

const running = new Set<Promise<void>>();

async function answer(engine: Engine, message: Extract<ToChild, { type: 'query' }>): Promise<void> {
  try {
    send({ type: 'result', id: message.id, lines: await queryLines(engine.connect, message.sql, message.params) });
  } catch (error) {
    const { code, message: text } = error as { code?: unknown; message?: unknown };
    send({ type: 'failure', id: message.id, code: typeof code === 'string' ? code : null, message: String(text) });
    if (isDamage(error))
      throw new AnalyticsDamaged(`a part of analytics cannot be read (${String(text).slice(0, MAX_TOLD)})`, { cause: error });
  }
}

/** Tells the parent what the loader does: at once when something changed in kind, otherwise a few times a second. */
function reporter(): (status: LoaderStatus) => void {
  let sent = 0;
  let last: LoaderStatus | null = null;
  return (status) => {
    const same = last?.lastError === status.lastError && last.stopped === status.stopped && last.rowsLoaded === status.rowsLoaded;
    if (same && performance.now() - sent < STATUS_EVERY_MS) return;
    if (status.lastError !== null && last?.lastError !== status.lastError) {
      send({ type: 'log', message: status.stopped ? `loading has stopped: ${status.lastError}` : `loading failed: ${status.lastError}` });
    }
    sent = performance.now();
    last = status;
    send({ type: 'status', status });
  };
}

async function main(options: ChildOptions): Promise<void> {
  let stop: (() => Promise<void>) | null = null;
  let engine: Engine | null = null;
  process.on('message', (message: ToChild) => {
    // Before everything is open there is nothing to end in order.
    if (message.type === 'stop') {
      if (!stop) process.exit(0);
      stop().catch(die);
    } else if (engine) {
      const work = answer(engine, message);
      running.add(work);
      work
        .catch((error: unknown) => {
          // Nothing is answered any more: what else is asked waits for the process that comes next.
          engine = null;
          startAgain(options, error);
        })
        .finally(() => running.delete(work));
    }
  });

  os.setPriority(NICE);
  // A directory that is read by itself has no feed to be loaded from.
  if (options.feedFile !== null && removeDamaged(options.directory)) {
    send({ type: 'log', message: 'analytics was damaged and is loaded again from the feed; reports say how far they are complete' });
  }
  const opened = await openEngine(options.directory);
  const client = opened.connect();
  await migrate(client);
  if (options.feedFile !== null) await assertWhole(client);
  await client.close();

  const stopping = new AbortController();
  const loading = options.feedFile === null ? Promise.resolve() : load(opened, options.feedFile, stopping.signal);
  stop = async () => {
    stopping.abort();
    await loading;
    await Promise.all(running);
    opened.close();
    process.exit(0);
  };
  engine = opened;
  send({ type: 'ready' });
  await loading;
}

function load(engine: Engine, feedFile: string, signal: AbortSignal): Promise<void> {
  const sink = new ClickHouseSink(engine.connect, engine.insertBatch);
  return new Loader(new SqliteFeedSource(feedFile), sink, { onStatus: reporter() }).run(signal);
}

/** Damage is removed at the next start; any other error ends this process as ever. */
function startAgain({ directory, feedFile }: ChildOptions, error: unknown): void {
  if (error instanceof AnalyticsDamaged && feedFile !== null) markDamaged(directory);
  die(error);
}

/** The parent starts a new process. */
function die(error: unknown): void {
  send({ type: 'log', message: error instanceof Error ? error.message : String(error) });
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), 100);
}

process.on('uncaughtException', die);
if (process.connected) {
  const options = JSON.parse(process.argv[2] ?? '{}') as ChildOptions;
  main(options).catch((error: unknown) => startAgain(options, error));
} else die(new Error('the analytics process is started by the service, not by hand'));
