/** Records that keep coming must not hold up those that came before: a read ends with what is there. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RowBatch } from '../../../src/analytics/row-batch.ts';
import { feedMessage } from '../../../src/feed/kafka-message.ts';
import { KafkaFeedSource } from '../../../src/feed/kafka-source.ts';
import { settled } from '../../../src/kafka/client.ts';
import { KafkaSettleLog } from '../../../src/settle/kafka-settle-log.ts';
import type { JournalBatch } from '../../../src/settle/ports.ts';
import { playOf } from '../../support/feed-file.ts';
import { playEntry } from '../../support/journal-entries.ts';
import { playBytes } from '../../support/plays.ts';
import { startKafka } from '../support/engines.ts';
import { freshPlace, type Place } from './support.ts';

/** Many more than come while a read lasts. */
const LIMIT = 2_000;
const EVERY_MS = 4;

let kafka: Awaited<ReturnType<typeof startKafka>>;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1 });
});
afterAll(() => kafka.dispose());

/** Sends records without end. The returned function ends it. */
async function trickle({ client, config }: Place, topic: string, value: (n: number) => Buffer): Promise<() => void> {
  const producer = new client.Producer({ ...config, 'enable.idempotence': true, 'linger.ms': 0 }, { acks: -1 });
  await settled((done) => producer.connect({ timeout: 10_000 }, done));
  let n = 0;
  const timer = setInterval(() => {
    producer.produce(topic, 0, value(n), null);
    producer.poll();
    n += 1;
  }, EVERY_MS);
  return () => {
    clearInterval(timer);
    producer.disconnect();
  };
}

describe('reading while records keep coming', () => {
  it('settling takes what is in the journal now', async () => {
    const place = await freshPlace(kafka.bootstrap, 1);
    const { client, config, topics, groupId } = place;
    const log = await KafkaSettleLog.open({ client, config, topics, groupId, instance: 'one', onWarning: () => {} });
    while (log.partitions.length === 0) await log.read(LIMIT);
    const stop = await trickle(place, topics.journal, (n) => Buffer.from(playEntry(playOf(n)).record));
    try {
      let batch: JournalBatch;
      do batch = await log.read(LIMIT);
      while (batch.records.length === 0);
      expect(batch.records.length).toBeLessThan(LIMIT);
    } finally {
      stop();
      await log.close();
    }
  });

  it('analytics takes what is in the feed now', async () => {
    const place = await freshPlace(kafka.bootstrap, 1);
    const { client, config, topics } = place;
    const position = { journalId: topics.journalId, partition: 0 };
    const feed = new KafkaFeedSource({ client, config, topic: topics.feed, feedId: 'this-feed' });
    const stop = await trickle(place, topics.feed, (n) => feedMessage(topics.feed, playBytes(playOf(n)), { ...position, offset: n }).value);
    try {
      const batch = new RowBatch(LIMIT, 10_000_000);
      for (let next: ReadonlyMap<number, number> = new Map(); batch.rows === 0; ) next = (await feed.read(next, batch)).next;
      expect(batch.rows).toBeLessThan(LIMIT);
    } finally {
      stop();
      feed.close();
    }
  });
});
