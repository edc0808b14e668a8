/** The writer thread on `playproof.db`: it appends, and settles between two commits. */
import type { OpenWriterEngines, WriterEngines, WriterSurroundings } from '../accept/writer-engines.ts';
import { SqliteSettledLogs } from '../archive/sqlite-archive.ts';
import { Checkpoints } from '../journal/checkpoints.ts';
import { DiskSpace } from '../journal/disk-space.ts';
import { JOURNAL_STATES } from '../journal/journal-state.ts';
import { isDiskFull, SqliteJournal } from '../journal/sqlite-journal.ts';
import { SettleLoop } from '../settle/settle-loop.ts';
import { PositionLost } from '../settle/settlement.ts';
import { SqliteSettlement } from '../settle/sqlite-settlement.ts';

export const openEmbedded: OpenWriterEngines = async (surroundings) => openOnJournal(surroundings, enginesOn);

/** Opens the journal and what works on it. Where that fails, the journal is closed in order, or the next start would refuse it. */
export async function openOnJournal(
  surroundings: WriterSurroundings,
  engines: (surroundings: WriterSurroundings, journal: SqliteJournal, disk: DiskSpace) => Promise<WriterEngines>,
): Promise<WriterEngines> {
  const { counters } = surroundings;
  const { dataDir, diskReserveBytes } = surroundings.options;
  const state = (low: boolean): void => counters.set('journal', JOURNAL_STATES.indexOf(low ? 'refusing' : 'open'));
  const disk = new DiskSpace(dataDir, diskReserveBytes, state);
  const journal = new SqliteJournal(dataDir, { hasRoom: () => !disk.low, moreComes: surroundings.moreComes });
  try {
    return await engines(surroundings, journal, disk);
  } catch (error) {
    disk.close();
    journal.close();
    throw error;
  }
}

async function enginesOn(surroundings: WriterSurroundings, journal: SqliteJournal, disk: DiskSpace): Promise<WriterEngines> {
  const { options, counters, log, onSettled, rememberedSince } = surroundings;
  const settlement = new SqliteSettlement(journal.db, {
    journalId: journal.journalId,
    end: () => journal.end,
    quarantinePerDevice: options.quarantinePerDevice,
    onPoison: (position, error) => log('error', `journal record ${position} is damaged and was set aside in quarantine: ${error.message}`),
    now: Date.now,
  });
  counters.set('end', journal.end);
  counters.set('settled', settlement.position());
  const checkpoints = new Checkpoints(options.dataDir, journal.db, (error) => fileFailed(surroundings, 'a checkpoint', error));
  const loop = new SettleLoop({
    settlement,
    backlog: () => journal.end - settlement.position(),
    counters,
    onStep: ({ taken }) => {
      // A group can be settled before its answers went out; the end is never shown behind what is settled.
      counters.set('end', journal.end);
      counters.add('settled', taken);
      if (taken > 0) onSettled();
    },
    onFailure: (error) => fileFailed(surroundings, 'settling', error),
  });
  loop.nudge();
  return {
    journal,
    settled: new SqliteSettledLogs(journal.db, rememberedSince),
    appended: () => {
      counters.set('end', journal.end);
      checkpoints.wrote(journal.takeWritten());
      loop.nudge();
    },
    full: () => disk.ranOut(),
    told: () => {},
    close: async () => {
      loop.stop();
      await loop.drain().catch((error: Error) => fileFailed(surroundings, 'settling', error));
      await checkpoints.close();
      disk.close();
      journal.close();
    },
  };
}

/** A full disk passes; a lost position stops settling alone; after any other fault of the file nobody knows what it holds. */
export function fileFailed({ fatal, log }: WriterSurroundings, what: string, error: Error & { errcode?: number }): void {
  const gone = !(error instanceof PositionLost) && error.errcode !== undefined && !isDiskFull(error) && isFileFault(error.errcode);
  if (gone) fatal(`${what} failed: ${error.message}`);
  else log('error', `${what} failed: ${error.message}`);
}

/** SQLite's IOERR, CORRUPT, CANTOPEN and NOTADB. */
function isFileFault(errcode: number): boolean {
  return [10, 11, 14, 26].includes(errcode & 0xff);
}
