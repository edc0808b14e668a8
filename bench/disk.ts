/** What each copy of a log costs on the disk, looked up in the files of a stopped service. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DATABASE_FILE } from '../src/journal/sqlite-journal.ts';
import { readPlayRecord } from '../src/journal/record.ts';

/** Bytes on the disk, of all logs together. */
export interface DiskTotals {
  readonly logs: number;
  /** Pages of `playproof.db` by the table or index that they belong to. */
  readonly trees: Readonly<Record<string, number>>;
  /** Of one record, the mean of some. */
  readonly record: { readonly whole: number; readonly canonical: number; readonly signature: number; readonly logId: number };
  /** Parts of analytics that count, by column and with what is no column's. */
  readonly analytics: { readonly whole: number; readonly columns: Readonly<Record<string, number>> };
}

export interface DiskPart {
  readonly what: string;
  /** Bytes a log. */
  readonly bytes: number;
  /** Whether it is part of the line above it. */
  readonly within: boolean;
}

const SAMPLE_ROWS = 500;
const LARGEST_COLUMNS = 4;

/** Bytes a log: first the sums, below each what it is made of. */
export function splitOf({ logs, trees, record, analytics }: DiskTotals): DiskPart[] {
  const each = (bytes: number): number => bytes / logs;
  const journal = each(trees['journal'] ?? 0);
  const owners = each(trees['owners'] ?? 0);
  const all = each(Object.values(trees).reduce((sum, bytes) => sum + bytes, 0));
  const within = (what: string, bytes: number): DiskPart => ({ what, bytes, within: true });
  const columns = Object.entries(analytics.columns).sort(([, a], [, b]) => b - a);
  const largest = columns.slice(0, LARGEST_COLUMNS).map(([name, bytes]) => within(`column ${name}`, each(bytes)));
  const others = each(analytics.whole) - largest.reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    { what: 'one row: journal, archive and feed', bytes: journal, within: false },
    within('signed bytes', record.canonical),
    within('signature', record.signature),
    within('row for analytics, key, checksum, lengths', record.whole - record.canonical - record.signature),
    within('log_id beside the record', record.logId),
    within('left free in pages, and their tree', journal - record.whole - record.logId),
    { what: 'owner index: log_id → row', bytes: owners, within: false },
    { what: 'other tables of the file', bytes: all - journal - owners, within: false },
    { what: 'analytics', bytes: each(analytics.whole), within: false },
    ...largest,
    within('other columns, keys and marks', others),
    { what: 'all of it', bytes: all + each(analytics.whole), within: false },
  ];
}

/** @param dataDir Of a service that has stopped. */
export async function readDiskTotals(dataDir: string, logs: number): Promise<DiskTotals> {
  const db = new DatabaseSync(path.join(dataDir, DATABASE_FILE), { readOnly: true });
  try {
    const pages = db.prepare('SELECT name, pgsize AS bytes FROM dbstat WHERE aggregate = TRUE').all() as { name: string; bytes: number }[];
    return {
      logs,
      trees: Object.fromEntries(pages.map(({ name, bytes }) => [name, bytes])),
      record: recordSizes(db),
      analytics: await analyticsSizes(path.join(dataDir, 'analytics')),
    };
  } finally {
    db.close();
  }
}

function recordSizes(db: DatabaseSync): DiskTotals['record'] {
  const rows = db.prepare('SELECT log_id, record FROM journal WHERE kind = 1 ORDER BY seq DESC LIMIT ?').all(SAMPLE_ROWS) as {
    log_id: Uint8Array;
    record: Uint8Array;
  }[];
  const mean = (of: (row: (typeof rows)[number]) => number): number =>
    rows.reduce((sum, row) => sum + of(row), 0) / Math.max(1, rows.length);
  const plays = rows.map(({ record }) => readPlayRecord(record));
  const meanOf = (of: (play: (typeof plays)[number]) => number): number =>
    plays.reduce((sum, play) => sum + of(play), 0) / Math.max(1, plays.length);
  return {
    whole: mean(({ record }) => record.length),
    logId: mean(({ log_id: logId }) => logId.length),
    canonical: meanOf(({ canonical }) => canonical.length),
    signature: meanOf(({ signature }) => signature.length),
  };
}

/** In a process of its own: chDB does not give back its memory. */
async function analyticsSizes(directory: string): Promise<DiskTotals['analytics']> {
  const child = fork(new URL('./analytics-disk-process.ts', import.meta.url), [directory], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  try {
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`looking into analytics ended with code ${String(code)}`);
    });
    const [sizes] = (await Promise.race([once(child, 'message'), ended])) as [DiskTotals['analytics']];
    ended.catch(() => {});
    return sizes;
  } finally {
    child.kill('SIGKILL');
  }
}
