/** The partition of a key: ours, librdkafka's and Java's, on a real topic. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { javaArguments } from '../../scripts/engines/java.ts';
import { loadKafkaClient, settled } from '../../src/kafka/client.ts';
import { javaPartition } from '../../src/kafka/murmur2.ts';
import { connectionConfig } from '../../src/kafka/settings.ts';
import { prepareTopics } from '../../src/kafka/topics.ts';
import { javaConsume, startKafka } from './support/engines.ts';
import { plainSettings } from './support/kafka-settings.ts';

const PARTITIONS = 12;
const KEYS = Array.from({ length: 300 }, () => randomUUID());
const TOPIC = 'playback-logs';

let kafka: Awaited<ReturnType<typeof startKafka>>;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.dispose());

/** Java's console producer: `key:value` lines on its standard input. */
function javaProduce(lines: readonly string[]): Promise<void> {
  const reading = ['--reader-property', 'parse.key=true', '--reader-property', 'key.separator=:'];
  const args = ['--bootstrap-server', kafka.bootstrap, '--topic', TOPIC, ...reading];
  const child = spawn('java', [...javaArguments('org.apache.kafka.tools.ConsoleProducer', 256, 'error'), ...args], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  child.stdin.end(`${lines.join('\n')}\n`);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`the console producer ended with ${code}`))));
  });
}

it("a device's logs lie on the partition that Java's client would choose", async () => {
  const settings = { ...plainSettings(kafka.bootstrap), partitions: PARTITIONS, allowWeak: true };
  await prepareTopics(settings, ['feed']);
  await javaProduce(KEYS.map((key) => `${key}:java`));

  const client = await loadKafkaClient();
  const producer = new client.Producer(connectionConfig(settings), { partitioner: 'murmur2_random' });
  await settled((done) => producer.connect({ timeout: 10_000 }, done));
  for (const key of KEYS) producer.produce(TOPIC, null, Buffer.from('native'), key);
  await settled((done) => producer.flush(10_000, done));
  await settled((done) => producer.disconnect(done));

  const seen = await javaConsume(TOPIC, { bootstrap: kafka.bootstrap, readCommitted: true, maxRecords: 2 * KEYS.length });
  const expected = KEYS.map((key) => `${key} ${javaPartition(Buffer.from(key), PARTITIONS)}`).sort();
  const of = (producedBy: string): string[] =>
    seen.flatMap(({ key, partition, value }) => (value === producedBy ? [`${key} ${partition}`] : [])).sort();
  expect(of('java')).toEqual(expected);
  expect(of('native')).toEqual(expected);
});
