/** An embedded installation, made ready to be copied: looked at, and what waits in its journal settled. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { DATABASE_FILE, SqliteJournal } from '../journal/sqlite-journal.ts';
import { openForReading } from '../journal/sqlite-schema.ts';
import { REGISTRY_FILE } from '../registry/database.ts';
import { SqliteSettlement } from '../settle/sqlite-settlement.ts';
import { CopyImpossible, SourceDamaged } from './ports.ts';
import type { Progress } from './progress.ts';

const STEP_ROWS = 1_000;

export interface SourceFiles {
  readonly journal: string;
  readonly registry: string;
}

/** @throws CopyImpossible where no embedded installation is; SourceDamaged where half of one is. */
export function sourceFiles(dataDir: string): SourceFiles {
  const journal = path.join(dataDir, DATABASE_FILE);
  const registry = path.join(dataDir, REGISTRY_FILE);
  if (!existsSync(journal)) {
    throw new CopyImpossible(`there is no ${journal} to copy; give the data directory of an embedded installation with --from`);
  }
  if (!existsSync(registry)) {
    throw new SourceDamaged(`${registry} is gone: without it nobody knows whose the plays are; restore it from a backup`);
  }
  const db = openForReading(journal);
  try {
    if (db.prepare("SELECT 1 FROM positions WHERE name = 'edge'").get()) {
      throw new CopyImpossible(`${dataDir} belongs to the profile edge: its logs go to Kafka by themselves, start it there`);
    }
  } finally {
    db.close();
  }
  return { journal, registry };
}

/**
 * Settles what waits, as the service would; the caller holds the lock of the directory.
 *
 * @param dataDir Looked at by `sourceFiles` before.
 * @returns how many records were settled.
 * @throws PositionLost, or another Error with a sentence, where the journal is not whole.
 */
export async function settleRest(dataDir: string, quarantinePerDevice: number, progress: Progress): Promise<number> {
  const journal = new SqliteJournal(dataDir);
  try {
    const settlement = new SqliteSettlement(journal.db, {
      journalId: journal.journalId,
      end: () => journal.end,
      quarantinePerDevice,
      onPoison: (position, error) =>
        progress.say(`journal record ${position} is damaged and was set aside in quarantine: ${error.message}`),
      now: Date.now,
    });
    const waiting = journal.end - settlement.position();
    progress.begin('settling what waits', waiting);
    for (let settled = 0; ; ) {
      const { taken } = await settlement.step(STEP_ROWS);
      if (taken === 0) return waiting;
      settled += taken;
      progress.at(settled);
    }
  } finally {
    journal.close();
  }
}
