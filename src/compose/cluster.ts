/** The service without anything of its own on disk: journal and feed on Kafka, archive and registry on MongoDB, analytics on ClickHouse. */
import { AcknowledgedHere } from '../archive/waiting-logs.ts';
import { JOURNAL_STATES } from '../journal/journal-state.ts';
import { composeDistributed, SETTLE_GROUP } from './distributed.ts';
import type { Compose } from './service.ts';

/**
 * Other nodes accept too, and what they have in flight is not seen from here. A request waits for its answer no longer than the
 * brokers' delivery timeout and the admission's bound together, far below this.
 */
const OTHERS_IN_FLIGHT_MS = 30_000;

export const composeCluster: Compose = (surroundings) => {
  const { config } = surroundings;
  if (!config.engines) throw new Error('the profile cluster needs its engines');
  return composeDistributed(surroundings, {
    engines: config.engines,
    settleSource: { kind: 'kafka', groupId: SETTLE_GROUP, instance: config.instance },
    settleGroup: SETTLE_GROUP,
    waiting: (dispatcher) => new AcknowledgedHere((logId) => dispatcher.acknowledged(logId)),
    journal: (counters) => JOURNAL_STATES[counters.get('journal')] ?? 'closed',
    refuses: 'Kafka does not confirm them',
    unsettled: () => null,
    certain: () => Date.now() - OTHERS_IN_FLIGHT_MS,
  });
};
