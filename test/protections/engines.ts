import type { Protection } from './protection.ts';

const ENGINES = 'vitest.engines.config.ts';

/** On a real Kafka and a MongoDB-compatible server. */
export const DISTRIBUTED: readonly Protection[] = [
  {
    name: 'edge-fenced',
    holds: 'a settler that was stopped and comes back; a copied data directory',
    without: 'each start of an edge box has a transactional.id of its own',
    file: 'src/kafka/transactions.ts',
    find: "'transactional.id': options.transactionalId,",
    replace: "'transactional.id': `${options.transactionalId}-${Math.random()}`,",
    test: 'test/engines/kafka/edge.test.ts',
    config: ENGINES,
    named: 'the copy of a data directory fences',
  },
  {
    name: 'read-committed',
    holds: 'I3: what was taken back is not loaded',
    without: 'analytics reads records of transactions that were aborted',
    file: 'src/feed/kafka-source.ts',
    find: "'isolation.level': 'read_committed',",
    replace: "'isolation.level': 'read_uncommitted',",
    test: 'test/engines/kafka/feed.test.ts',
    config: ENGINES,
    named: 'gives every committed play once',
  },
  {
    name: 'position-with-records',
    holds: 'I1: kill -9 of a settler',
    without: 'the read position does not move with the transaction that publishes',
    file: 'src/settle/kafka-settle-log.ts',
    find: 'await this.#transactions.run(messages(), { consumer: this.#consumer, offsets });',
    replace: 'await this.#transactions.run(messages(), offsets.length < 0 ? { consumer: this.#consumer, offsets } : null);',
    test: 'test/engines/kafka/settlement.test.ts',
    config: ENGINES,
  },
  {
    name: 'journalled-majority',
    holds: 'I1: the archive keeps what it acknowledged',
    without: 'writes to MongoDB are acknowledged before they are journalled',
    file: 'src/mongo/mongo-connection.ts',
    find: "writeConcern: { w: 'majority', journal: true },",
    replace: 'writeConcern: { w: 1 },',
    test: 'test/engines/mongo/archive.test.ts',
    config: ENGINES,
    named: 'asks for a majority',
  },
  {
    name: 'own-position-is-owner',
    holds: 'I1, I3: a crash between archive and feed',
    without: 'what was claimed before a crash is taken for a repeat',
    file: 'src/archive/mongo-claims.ts',
    find: "if (stands.position === claim.position) return 'owner';",
    replace: "if (stands === claim) return 'owner';",
    test: 'test/engines/mongo/settlement.test.ts',
    config: ENGINES,
    named: 'a crash between the archive and the feed',
  },
];
