/** Whether what the clients were told is what the copies hold. A wrong count fails the benchmark; slowness never does. */
import { globSync, statSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { LoadResult } from './load/messages.ts';
import type { BenchService } from './service.ts';

export interface DiskUse {
  /** Bytes a log, after a stop in order. Journal, archive and feed are one file. */
  readonly archiveAndFeed: number;
  /** The write-ahead log as it was before the stop, in bytes; it does not grow with what is stored. */
  readonly walBytes: number;
  /** With parts that were merged away and not yet removed. */
  readonly analytics: number;
}

const DAY_MS = 86_400_000;

/** @param total Logs that were answered `accepted` on this data directory, the warm-up's included. */
export async function checkRun(service: Pick<BenchService, 'progress' | 'get'>, result: LoadResult, total: number): Promise<string[]> {
  const faults: string[] = [];
  if (result.rejected > 0 || result.duplicates > 0) {
    faults.push(`${result.rejected} logs were refused and ${result.duplicates} called duplicates; all of them were sound and new`);
  }
  // What was not answered may have been taken all the same, so only then the counts have to be equal.
  const sure = Object.keys(result.failures).every((status) => status === '503' || status === '429');
  const wrong = (count: number): boolean => (sure ? count !== total : count < total);
  const progress = await service.progress();
  if (wrong(progress.settledPlays)) faults.push(`${total} logs were accepted and ${progress.settledPlays} settled`);
  const from = new Date(Date.now() - DAY_MS).toISOString();
  const to = new Date(Date.now() + DAY_MS).toISOString();
  const report = await service.get(`/reports/plays?by=status&from=${from}&to=${to}`);
  const { rows = [] } = report.body as { rows?: { plays: number }[] };
  const plays = rows.reduce((sum, row) => sum + row.plays, 0);
  if (wrong(plays)) faults.push(`${total} logs were accepted and the report counts ${plays} plays`);
  for (const logId of result.sample) {
    const { status, body } = await service.get(`/playback-logs/${logId}`);
    const { verdict } = body as { verdict?: { outcome?: string } };
    if (status !== 200 || verdict?.outcome !== 'accepted') faults.push(`${logId} was answered "accepted" and its evidence is ${status}`);
  }
  return faults;
}

/**
 * Looks into the file once the service has stopped.
 *
 * @param total Logs that it must hold. @param before How many of them were there before: an audit has looked at those, and reading
 * thirty gigabytes once more would take minutes.
 */
export function checkCopies(dataDir: string, total: number, before = 0): string[] {
  const db = new DatabaseSync(path.join(dataDir, 'playproof.db'), { readOnly: true });
  try {
    const count = (sql: string): number => (db.prepare(sql).get() as { n: number }).n;
    const plays = before + count(`SELECT count(*) AS n FROM journal WHERE kind = 1 AND seq > ${before}`);
    const owners = count('SELECT count(*) AS n FROM owners');
    const settled = count("SELECT seq AS n FROM positions WHERE name = 'settle'");
    const end = count("SELECT seq AS n FROM positions WHERE name = 'end'");
    const faults: string[] = [];
    if (plays < total || owners !== plays) faults.push(`${total} logs were accepted; the archive holds ${plays} with ${owners} owners`);
    if (settled !== end) faults.push(`the journal ends at ${end} and is settled up to ${settled}`);
    return faults;
  } finally {
    db.close();
  }
}

export function walSize(dataDir: string): number {
  return statSync(path.join(dataDir, 'playproof.db-wal'), { throwIfNoEntry: false })?.size ?? 0;
}

export function diskUse(dataDir: string, logs: number, walBytes: number): DiskUse {
  const bytes = (pattern: string): number => {
    let sum = 0;
    for (const file of globSync(pattern, { cwd: dataDir })) {
      const stat = statSync(path.join(dataDir, file));
      if (stat.isFile()) sum += stat.size;
    }
    return sum;
  };
  return {
    archiveAndFeed: Math.round(bytes('playproof.db*') / logs),
    walBytes,
    analytics: Math.round(bytes('analytics/**/*') / logs),
  };
}
