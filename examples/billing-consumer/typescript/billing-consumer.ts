/**
 * Adds up the billable seconds of each advertiser from the feed: `node billing-consumer.ts BROKERS [--topic NAME] [--once]`. It prints
 * the sums whenever nothing new came for five seconds; with `--once` it ends then.
 *
 * It keeps its sums in memory, so it reads everything at each start and commits no offset. One that writes them down would commit its
 * offsets in the same transaction, or write with `log_id` as the key and commit afterwards.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { parseArgs } from 'node:util';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { topic: { type: 'string', default: 'playback-logs' }, once: { type: 'boolean', default: false } },
});

/** Only what is used here; the whole record is in docs/feed.asyncapi.json. */
interface Play {
  readonly log_id: string;
  readonly advertiser_id: string;
  readonly billable: boolean;
  readonly duration_actual: number;
}

interface Message {
  readonly value: Buffer;
}

interface Consumer {
  connect(options: object, done: (error: Error | null) => void): void;
  subscribe(topics: string[]): void;
  setDefaultConsumeTimeout(milliseconds: number): void;
  consume(count: number, done: (error: Error | null, messages: Message[]) => void): void;
  disconnect(done: () => void): void;
}

// Within this repository the client lies in a folder of its own; elsewhere: `import kafka from '@confluentinc/kafka-javascript'`.
const load = createRequire(path.resolve(import.meta.dirname, '../../../engines/kafka-client/package.json'));
const kafka = load('@confluentinc/kafka-javascript') as { KafkaConsumer: new (config: object, topic: object) => Consumer };

const consumer = new kafka.KafkaConsumer(
  {
    'bootstrap.servers': positionals[0] ?? 'localhost:9092',
    'group.id': `billing-example-${process.pid}`,
    // Without it, records of aborted transactions would be billed.
    'isolation.level': 'read_committed',
    'enable.auto.commit': false,
  },
  { 'auto.offset.reset': 'earliest' },
);

const IDLE_MS = 5_000;
const seen = new Set<string>();
const milliseconds = new Map<string, number>();

function bill({ log_id: logId, billable, advertiser_id: advertiser, duration_actual: duration }: Play): void {
  if (seen.has(logId)) return;
  seen.add(logId);
  if (billable) milliseconds.set(advertiser, (milliseconds.get(advertiser) ?? 0) + Math.round(duration * 1000));
}

function tell(): void {
  const lines = [...milliseconds].map(([advertiser, sum]) => `${advertiser} ${(sum / 1000).toFixed(3)}`);
  console.log(lines.sort().join('\n'));
}

function next(): Promise<Message[]> {
  return new Promise((resolve, reject) => {
    consumer.consume(1_000, (error, messages) => (error ? reject(error) : resolve(messages)));
  });
}

await new Promise<void>((resolve, reject) => {
  consumer.connect({ timeout: 10_000 }, (error) => (error ? reject(error) : resolve()));
});
consumer.setDefaultConsumeTimeout(500);
consumer.subscribe([values.topic]);
let last = performance.now();
let told = true;
for (;;) {
  const messages = await next();
  for (const { value } of messages) bill(JSON.parse(value.toString('utf8')) as Play);
  if (messages.length > 0) {
    last = performance.now();
    told = false;
  } else if (performance.now() - last >= IDLE_MS) {
    if (!told) tell();
    told = true;
    if (values.once) break;
  }
}
consumer.disconnect(() => process.exit(0));
