import { afterAll, beforeAll, expect, it } from 'vitest';
import { CommittedReader } from '../../../src/kafka/committed-reader.ts';
import { KafkaSettleLog } from '../../../src/settle/kafka-settle-log.ts';
import { KafkaTrim } from '../../../src/settle/kafka-trim.ts';
import type { JournalBatch } from '../../../src/settle/ports.ts';
import { playOf } from '../../support/feed-file.ts';
import { playEntry } from '../../support/journal-entries.ts';
import { startKafka } from '../support/engines.ts';
import { freshPlace, type Place, put } from './support.ts';

let kafka: Awaited<ReturnType<typeof startKafka>>;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1 });
});
afterAll(() => kafka.dispose());

async function range({ client, config, topics }: Place): Promise<{ low: number; end: number }> {
  const reader = await CommittedReader.open(client, config);
  try {
    const { low, end } = await reader.range(topics.journal, 0);
    return { low, end };
  } finally {
    await reader.close();
  }
}

function appendPlays(place: Place, count: number): Promise<void> {
  const messages = Array.from({ length: count }, (_, n) => ({ value: Buffer.from(playEntry(playOf(n)).record) }));
  return put(place, place.topics.journal, 0, messages);
}

it('the journal keeps what was read and is not published; what is settled is deleted, as far as the last publication', async () => {
  const place = await freshPlace(kafka.bootstrap, 1);
  const { client, config, topics, groupId } = place;
  await appendPlays(place, 5);
  const log = await KafkaSettleLog.open({ client, config, topics, groupId, instance: 'one', trimEveryMs: 0, onWarning: () => {} });
  try {
    let batch: JournalBatch;
    do batch = await log.read(5);
    while (batch.records.length === 0);
    const records = [...batch.records];
    expect(records.map(({ offset }) => offset)).toEqual(records.map((_, i) => i));
    expect(await range(place)).toEqual({ low: 0, end: 5 });
    // The last one of them is a duplicate: a position that is found again from the feed lies before it, and must be inside the journal.
    const owners = records.slice(0, -1).map((record, n) => ({ record, deviceId: playOf(n).deviceId }));
    await log.publish(batch, owners);
    expect((await range(place)).low).toBe(owners.length);
  } finally {
    await log.close();
  }
});

it('deletes at its times only, and says where it could not', async () => {
  const place = await freshPlace(kafka.bootstrap, 1);
  const { client, config, topics } = place;
  await appendPlays(place, 3);
  const warnings: string[] = [];
  const options = { client, config, topic: topics.journal, onWarning: (message: string) => warnings.push(message) };
  const seldom = new KafkaTrim({ ...options, everyMs: 3_600_000 });
  seldom.published(0, 2);
  await seldom.run();
  expect((await range(place)).low).toBe(0);
  const often = new KafkaTrim({ ...options, everyMs: 0 });
  await often.run();
  expect((await range(place)).low).toBe(0);
  often.published(0, 2);
  await often.run();
  expect((await range(place)).low).toBe(2);
  expect(warnings).toEqual([]);
  const elsewhere = new KafkaTrim({ ...options, topic: 'there-is-no-such-topic', everyMs: 0 });
  elsewhere.published(0, 1);
  await elsewhere.run();
  expect(warnings).toEqual([expect.stringContaining('could not be deleted yet')]);
});
