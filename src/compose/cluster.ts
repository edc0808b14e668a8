/** The service without anything of its own on disk: journal and feed on Kafka, archive and registry on MongoDB, analytics on ClickHouse. */
import { BehindSettlers } from '../archive/waiting-logs.ts';
import type { KafkaSettings } from '../config.ts';
import { JOURNAL_STATES } from '../journal/journal-state.ts';
import { loadKafkaClient } from '../kafka/client.ts';
import { connectionConfig } from '../kafka/settings.ts';
import { lookAtTopics } from '../kafka/topics.ts';
import { KafkaBacklog } from '../settle/kafka-backlog.ts';
import { composeDistributed, SETTLE_GROUP } from './distributed.ts';
import type { Compose } from './service.ts';

/**
 * Other nodes accept too, and what they have in flight is not seen from here. A request waits for its answer no longer than the
 * brokers' delivery timeout and the admission's bound together, far below this.
 */
const OTHERS_IN_FLIGHT_MS = 30_000;

export const composeCluster: Compose = (surroundings) => {
  const { config, logger } = surroundings;
  if (!config.engines) throw new Error('the profile cluster needs its engines');
  const { kafka } = config.engines;
  return composeDistributed(surroundings, {
    engines: config.engines,
    settleSource: { kind: 'kafka', groupId: SETTLE_GROUP, instance: config.instance },
    settleGroup: SETTLE_GROUP,
    waiting: () =>
      new BehindSettlers(
        () => openBacklog(kafka, config.rules.maxAgeMs),
        ({ message }) => logger.warn({ part: 'query' }, `whether a log waits to be settled cannot be told: ${message}`),
      ),
    journal: (counters) => JOURNAL_STATES[counters.get('journal')] ?? 'closed',
    refuses: 'Kafka does not confirm them',
    unsettled: () => null,
    certain: () => Date.now() - OTHERS_IN_FLIGHT_MS,
  });
};

/** Null: there is no journal yet. */
async function openBacklog(kafka: KafkaSettings, maxAgeMs: number): Promise<KafkaBacklog | null> {
  const journal = (await lookAtTopics(kafka, ['journal'])).get('journal');
  if (!journal) return null;
  const client = await loadKafkaClient();
  return new KafkaBacklog({ client, config: connectionConfig(kafka), topic: journal.name, groupId: SETTLE_GROUP, maxAgeMs });
}
