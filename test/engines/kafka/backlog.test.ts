import { afterAll, beforeAll, expect, it } from 'vitest';
import { settled } from '../../../src/kafka/client.ts';
import { KafkaBacklog } from '../../../src/settle/kafka-backlog.ts';
import { startKafka } from '../support/engines.ts';
import { freshPlace, type Place, put, withAdmin } from './support.ts';

const MAX_AGE_MS = 86_400_000;
const MINUTE = 60_000;

let kafka: Awaited<ReturnType<typeof startKafka>>;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1 });
});
afterAll(() => kafka.dispose());

function backlogOf({ client, config, topics, groupId }: Place, now = Date.now): KafkaBacklog {
  return new KafkaBacklog({ client, config, topic: topics.journal, groupId, maxAgeMs: MAX_AGE_MS, now });
}

/** As the settlers do it. */
async function commit({ client, config, groupId, topics }: Place, offsets: readonly number[]): Promise<void> {
  const consumer = new client.KafkaConsumer({ ...config, 'group.id': groupId, 'enable.auto.commit': false }, {});
  await settled((done) => consumer.connect({ timeout: 10_000 }, done));
  consumer.commitSync(offsets.map((offset, partition) => ({ topic: topics.journal, partition, offset })));
  await settled((done) => consumer.disconnect(done));
}

it('everything is settled once the group is behind every record that was there, and not before', async () => {
  const place = await freshPlace(kafka.bootstrap, 2);
  const record = { value: Buffer.from('x') };
  const justTooOld = Date.now() - MAX_AGE_MS - 1_000;
  const empty = backlogOf(place);
  expect(await empty.isSettled(justTooOld)).toBe(true);
  await put(place, place.topics.journal, 0, [record, record]);
  await put(place, place.topics.journal, 1, [record]);
  const backlog = backlogOf(place);
  expect(await backlog.isSettled(justTooOld)).toBe(false);
  await commit(place, [2, 0]);
  const partly = backlogOf(place);
  expect(await partly.isSettled(justTooOld)).toBe(false);
  await commit(place, [2, 1]);
  const whole = backlogOf(place);
  expect(await whole.isSettled(justTooOld)).toBe(true);
  // Answered for all older ones, without asking again.
  expect(whole.isSettled(justTooOld - 10 * MINUTE)).toBe(true);
  for (const one of [empty, backlog, partly, whole]) one.close();
});

it('waits for settling that follows in a moment', async () => {
  const place = await freshPlace(kafka.bootstrap, 1);
  await put(place, place.topics.journal, 0, [{ value: Buffer.from('x') }]);
  const backlog = backlogOf(place);
  const asked = backlog.isSettled(Date.now() - MAX_AGE_MS - 1_000);
  await commit(place, [1]);
  expect(await asked).toBe(true);
  backlog.close();
});

it('what is appended since a log could last have been accepted does not matter', async () => {
  const place = await freshPlace(kafka.bootstrap, 1);
  await put(place, place.topics.journal, 0, [{ value: Buffer.from('x') }]);
  // Two hours later; the record waits all the time.
  const backlog = backlogOf(place, () => Date.now() + 120 * MINUTE);
  expect(await backlog.isSettled(Date.now() - MAX_AGE_MS - 60 * MINUTE)).toBe(true);
  expect(await backlog.isSettled(Date.now() - MAX_AGE_MS + 60 * MINUTE)).toBe(false);
  backlog.close();
});

it('looks at partitions that were added since it began as well', async () => {
  const place = await freshPlace(kafka.bootstrap, 1);
  const { journal } = place.topics;
  const backlog = backlogOf(place);
  expect(await backlog.isSettled(Date.now() - MAX_AGE_MS - 60 * MINUTE)).toBe(true);
  await withAdmin(place, (admin) => settled((done) => admin.createPartitions(journal, 2, 10_000, done)));
  const justTooOld = Date.now() - MAX_AGE_MS - 1_000;
  // The cluster may need a moment to have it everywhere.
  for (let attempt = 0; ; attempt += 1) {
    try {
      await put(place, journal, 1, [{ value: Buffer.from('x') }]);
      break;
    } catch (error) {
      if (attempt > 20) throw error;
    }
  }
  expect(await backlog.isSettled(justTooOld)).toBe(false);
  await commit(place, [0, 1]);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(await backlog.isSettled(justTooOld)).toBe(true);
  backlog.close();
});
