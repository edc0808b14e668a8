/** The stages behind judging: rule 4, journal, settling, checkpoints, analytics, and reading the feed. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Allowance } from '../src/accept/allowance.ts';
import { Recorder } from '../src/accept/recorder.ts';
import { SeenWindow } from '../src/accept/seen.ts';
import { openEngine } from '../src/analytics/embedded/engine.ts';
import { Loader } from '../src/analytics/loader.ts';
import { RowBatch } from '../src/analytics/row-batch.ts';
import { migrate } from '../src/analytics/schema.ts';
import { ClickHouseSink } from '../src/analytics/sink.ts';
import { SqliteReader } from '../src/archive/sqlite-reader.ts';
import { Counters } from '../src/counters.ts';
import { SqliteFeedSource } from '../src/feed/sqlite-source.ts';
import type { Journal, JournalEntry } from '../src/journal/journal.ts';
import { DATABASE_FILE, SqliteJournal } from '../src/journal/sqlite-journal.ts';
import { SqliteSettlement } from '../src/settle/sqlite-settlement.ts';
import type { JudgedStages } from './stages-judge.ts';
import { cpuMicros, cpuOf, type StageCost } from './stages.ts';

const STEP_ROWS = 1_000;
const FEED_PAGE = 1_000;
const EVERYTHING = { supplierId: null, advertiserId: null };

export async function storageStages(
  { judged }: JudgedStages,
  dataDir: string,
  logs: number,
  tell: (text: string) => void,
): Promise<StageCost[]> {
  const costs: StageCost[] = [];
  const measure = async (name: string, where: StageCost['where'], inSum: boolean, of: number, work: () => unknown): Promise<void> => {
    tell(`stage: ${name}`);
    costs.push({ name, where, cpuMicros: (await cpuOf(work)) / of, inSum });
  };

  const entries: JournalEntry[] = [];
  const collect: Journal = {
    journalId: '',
    end: 0,
    close: () => {},
    append: (more) => {
      entries.push(...more);
      return Promise.resolve();
    },
  };
  // The same logs a second time are not repeats for a recorder that has not seen them: the first one warms the code up.
  await recordAll(recorderOn(collect), judged);
  entries.length = 0;
  await measure('seen before, answers', 'writer', true, logs, () => recordAll(recorderOn(collect), judged));

  const dir = (name: string): string => {
    const made = path.join(dataDir, name);
    mkdirSync(made);
    return made;
  };
  await appendBy(dir('warm'), entries, 500);
  await measure('journal, 100 rows a sync', 'writer', false, logs, () => appendBy(dir('hundred'), entries, 100));
  const kept = dir('kept');
  const journal = new SqliteJournal(kept);
  const settlement = settlementOf(journal);
  await measure('journal, 500 rows a sync', 'writer', true, logs, () => append(journal, entries, 500));
  await measure('settle, 1 000 rows a step', 'writer', true, logs, async () => {
    while (settlement.position() < journal.end) await settlement.step(STEP_ROWS);
  });
  const file = path.join(kept, DATABASE_FILE);
  await measure('checkpoint', 'checkpoint', true, logs, () => {
    const db = new DatabaseSync(file);
    db.exec('PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(PASSIVE)');
    db.close();
  });
  tell('stage: reading the feed');
  const forAnalytics = await cpuMicros(logs, () => readForAnalytics(file));
  costs.push({ name: 'read the feed for analytics', where: 'analytics', cpuMicros: forAnalytics, inSum: false });
  await loadStage(dir('analytics'), file, logs, measure);
  costs.push({ name: 'read the feed as NDJSON', where: 'reader', cpuMicros: await cpuMicros(logs, () => readFeed(file)), inSum: false });
  journal.close();
  return costs;
}

function recorderOn(journal: Journal): Recorder {
  return new Recorder({
    journal,
    settled: { find: () => Promise.resolve(null) },
    seen: new SeenWindow(),
    allowance: new Allowance(100),
    counters: new Counters(),
    clock: performance.now.bind(performance),
    onArchiveFailure: fail,
    onJournalFailure: fail,
  });
}

/** It proves the checksums of what it finds at its start, as after a crash: so it is made before anything is appended. */
function settlementOf(journal: SqliteJournal): SqliteSettlement {
  const { journalId } = journal;
  return new SqliteSettlement(journal.db, {
    journalId,
    end: () => journal.end,
    quarantinePerDevice: 100,
    onPoison: (_position, error) => fail(error),
    now: Date.now,
  });
}

function fail(error: unknown): never {
  throw error;
}

async function recordAll(recorder: Recorder, judged: JudgedStages['judged']): Promise<void> {
  for (const job of judged) await recorder.record(job);
}

async function appendBy(dataDir: string, entries: readonly JournalEntry[], rows: number): Promise<void> {
  const journal = new SqliteJournal(dataDir);
  await append(journal, entries, rows);
  journal.close();
}

async function append(journal: SqliteJournal, entries: readonly JournalEntry[], rows: number): Promise<void> {
  for (let at = 0; at < entries.length; at += rows) await journal.append(entries.slice(at, at + rows));
}

type Measure = (name: string, where: StageCost['where'], inSum: boolean, of: number, work: () => unknown) => Promise<void>;

async function loadStage(directory: string, feedFile: string, logs: number, measure: Measure): Promise<void> {
  const engine = await openEngine(directory);
  const client = engine.connect();
  await migrate(client);
  await client.close();
  const sink = new ClickHouseSink(engine.connect, engine.insertBatch);
  const loader = new Loader(new SqliteFeedSource(feedFile), sink);
  await measure('load into analytics, with reading the feed', 'analytics', true, logs, async () => {
    while (loader.status.rowsLoaded < logs) await loader.step();
  });
  await sink.discard();
  engine.close();
}

async function readForAnalytics(file: string): Promise<void> {
  const source = new SqliteFeedSource(file);
  const batch = new RowBatch(32_768, 8 * 1024 * 1024);
  let next: ReadonlyMap<number, number> = new Map();
  for (let more = true; more; ) {
    batch.clear();
    ({ next, more } = await source.read(next, batch));
  }
  source.close();
}

async function readFeed(file: string): Promise<void> {
  const reader = new SqliteReader(file);
  for (let after = 0, count = 1; count > 0; ) {
    const page = await reader.feed(after, FEED_PAGE, EVERYTHING);
    count = page.count;
    const lines = Buffer.from(page.lines).toString('utf8');
    after = Number(/"position":"(\d+)"\}\n$/.exec(lines)?.[1] ?? after);
  }
  reader.close();
}
