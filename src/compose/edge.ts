/** One box in a back office: it journals on its own disk and publishes to engines elsewhere. */
import path from 'node:path';
import { EdgeWaiting } from '../archive/edge-waiting.ts';
import { assertNotMoved } from '../copy/moved-mark.ts';
import { DataDirLock } from '../data-dir.ts';
import { JOURNAL_STATES } from '../journal/journal-state.ts';
import { DATABASE_FILE } from '../journal/sqlite-journal.ts';
import { journalIdOf } from '../journal/sqlite-schema.ts';
import { KeptLog } from '../journal/sqlite-kept-log.ts';
import { positionIsNotedLost } from '../settle/edge-settle-log.ts';
import { composeDistributed } from './distributed.ts';
import type { Compose } from './service.ts';

export const composeEdge: Compose = async (surroundings) => {
  const { config } = surroundings;
  if (!config.engines) throw new Error('the profile edge needs its engines');
  const lock = new DataDirLock(config.dataDir);
  assertNotMoved(config.dataDir);
  const file = path.join(config.dataDir, DATABASE_FILE);
  const composition = await composeDistributed(surroundings, {
    engines: config.engines,
    settleSource: { kind: 'edge', file },
    settleGroup: null,
    waiting: (counters) => (config.roles.has('accept') ? new EdgeWaiting(file, () => counters.get('settled')) : null),
    journal: (counters) => JOURNAL_STATES[counters.get('journal')] ?? 'closed',
    refuses: 'the disk is full',
    // The settler's own word is missing just when it matters: while Kafka is away, or its position is lost.
    unsettled: (counters) => Math.max(0, counters.get('end') - counters.get('settled')),
    ownJournal: () => ({ journalId: journalIdOf(file), positionLost: positionIsNotedLost(file) }),
    // Only when nothing waits: then whatever was received before now, and is not in flight, is in the feed.
    certain: (dispatcher, counters) => {
      if (!dispatcher) return null;
      const oldest = dispatcher.oldestReceivedAt ?? Date.now();
      return counters.get('settled') >= counters.get('end') ? oldest : null;
    },
  });
  const log = config.roles.has('accept') ? new KeptLog(config.dataDir) : null;
  return {
    ...composition,
    close: async () => {
      await composition.close();
      log?.release();
      lock.release();
    },
  };
};
