/** The writer thread of an edge box: it appends to `playproof.db`; another process settles, and what it settled is removed here. */
import type { StatementSync } from 'node:sqlite';
import type { OpenWriterEngines, WriterEngines, WriterSurroundings } from '../accept/writer-engines.ts';
import { EdgeBacklog } from '../archive/edge-backlog.ts';
import { openMongoArchive } from '../archive/mongo-archive.ts';
import { SettledOrWaiting } from '../archive/settled-or-waiting.ts';
import { Checkpoints } from '../journal/checkpoints.ts';
import type { DiskSpace } from '../journal/disk-space.ts';
import type { SqliteJournal } from '../journal/sqlite-journal.ts';
import { fileFailed, openOnJournal } from './writer-embedded.ts';

/** Rows removed in one transaction, so that appends wait for a few milliseconds at the most. */
const REMOVE_ROWS = 1_000;

export const openEdge: OpenWriterEngines = async (surroundings) => openOnJournal(surroundings, enginesOn);

async function enginesOn(surroundings: WriterSurroundings, journal: SqliteJournal, disk: DiskSpace): Promise<WriterEngines> {
  const { options, counters } = surroundings;
  if (!options.engines) throw new Error('the profile edge needs its engines');
  const archive = await openMongoArchive(options.engines.mongodbUrl);
  const checkpoints = new Checkpoints(options.dataDir, journal.db, (error) => fileFailed(surroundings, 'a checkpoint', error));
  const remove: StatementSync = journal.db.prepare(
    'DELETE FROM journal WHERE seq <= ? AND seq IN (SELECT seq FROM journal ORDER BY seq LIMIT ?)',
  );
  let settledUpTo = 0;
  let removing = false;
  counters.set('end', journal.end);
  // Until the settler has read its position: what was removed was settled.
  const { first } = journal.db.prepare('SELECT min(seq) AS first FROM journal').get() as { first: number | null };
  counters.set('settled', (first ?? 1) - 1);

  function removeSettled(): void {
    removing = false;
    try {
      // The last settled record stays: at the next start it proves that this is the journal that was read.
      if (Number(remove.run(settledUpTo - 1, REMOVE_ROWS).changes) === REMOVE_ROWS) later();
    } catch (error) {
      fileFailed(surroundings, 'removing what is settled', error instanceof Error ? error : new Error(String(error)));
    }
  }
  function later(): void {
    if (removing) return;
    removing = true;
    setImmediate(removeSettled);
  }

  return {
    journal,
    settled: new SettledOrWaiting(archive, new EdgeBacklog(journal.db, () => settledUpTo, surroundings.rememberedSince)),
    appended: () => {
      counters.set('end', journal.end);
      checkpoints.wrote(journal.takeWritten());
    },
    full: () => disk.ranOut(),
    told: (order) => {
      if (order.type !== 'settled-up-to') return;
      settledUpTo = Math.max(settledUpTo, order.seq);
      later();
    },
    close: async () => {
      await archive.close();
      await checkpoints.close();
      disk.close();
      journal.close();
    },
  };
}
