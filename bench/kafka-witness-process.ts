/** Reads the feed as a consumer of billing would (committed records alone), and says how old plays were when it saw them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { loadKafkaClient, settled } from '../src/kafka/client.ts';
import type { ClusterMetadata, KafkaConsumer, KafkaMessage, Watermarks } from '../src/kafka/client-types.ts';
import { TOPIC_NAMES } from '../src/kafka/topic-rules.ts';
import type { Freshness, FromWitness, ToWitness } from './kafka-witness-messages.ts';

const CALL_MS = 10_000;
/** How long a read waits for more: it bounds how late a play is seen. */
const CONSUME_MS = 5;
const CONSUME_ROWS = 2_000;
const ASK_EVERY_MS = 100;
/** Plays asked for at once; further marks are left out until some were found. */
const MARKS = 1_000;
const LAST_WAIT_MS = 30_000;
const COUNT_WITHIN_MS = 180_000;
const HIGHEST_MS = 600_000;

const histogram = (): RecordableHistogram => createHistogram({ lowest: 1, highest: HIGHEST_MS, figures: 3 });

function tell(message: FromWitness): void {
  process.send?.(message);
}

/** @param from Where each partition is begun. */
async function openFeed(bootstrap: string, from: 'beginning' | 'end'): Promise<{ consumer: KafkaConsumer; partitions: number[] }> {
  const client = await loadKafkaClient();
  const consumer = new client.KafkaConsumer(
    {
      'bootstrap.servers': bootstrap,
      'group.id': 'bench-witness',
      'isolation.level': 'read_committed',
      'enable.auto.commit': false,
      'enable.partition.eof': true,
      'fetch.queue.backoff.ms': 10,
    },
    {},
  );
  const topic = TOPIC_NAMES.feed;
  await settled((done) => consumer.connect({ timeout: CALL_MS }, done));
  const { topics } = await settled<ClusterMetadata>((done) => consumer.getMetadata({ topic, timeout: CALL_MS }, done));
  const starts: { topic: string; partition: number; offset: number }[] = [];
  for (const { id } of topics.find(({ name }) => name === topic)?.partitions ?? []) {
    const { lowOffset, highOffset } = await settled<Watermarks>((done) => consumer.queryWatermarkOffsets(topic, id, CALL_MS, done));
    starts.push({ topic, partition: id, offset: from === 'end' ? highOffset : lowOffset });
  }
  consumer.assign(starts);
  consumer.setDefaultConsumeTimeout(CONSUME_MS);
  consumer.setDefaultIsTimeoutOnlyForFirstMessage(true);
  return { consumer, partitions: starts.map(({ partition }) => partition) };
}

function headerOf({ headers }: KafkaMessage, name: string): string {
  return headers?.find((header) => name in header)?.[name]?.toString() ?? '';
}

/** Plays that were seen in the feed and are asked for in analytics. */
class Marks {
  readonly #url: string;
  readonly #waiting = new Map<string, number>();
  readonly ages = histogram();

  constructor(url: string) {
    this.#url = url;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  add(logId: string, receivedAt: number): void {
    if (this.#waiting.size < MARKS) this.#waiting.set(logId, receivedAt);
  }

  async ask(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const ids = [...this.#waiting.keys()].map((id) => `'${id}'`).join(',');
    const response = await fetch(this.#url, {
      method: 'POST',
      body: `SELECT log_id FROM playproof.plays WHERE log_id IN (${ids}) FORMAT TSV`,
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`analytics answered ${response.status}: ${text}`);
    const now = Date.now();
    for (const id of text.split('\n')) {
      const receivedAt = this.#waiting.get(id);
      if (receivedAt === undefined) continue;
      this.#waiting.delete(id);
      this.ages.record(Math.max(1, now - receivedAt));
    }
  }
}

let ending: (() => Promise<void>) | null = null;

async function watch({ bootstrap, clickHouseUrl, markEvery }: Extract<ToWitness, { type: 'watch' }>): Promise<void> {
  const { consumer } = await openFeed(bootstrap, 'end');
  const ages = histogram();
  const marks = new Marks(clickHouseUrl);
  const stop = new AbortController();
  let seen = 0;
  const reading = (async () => {
    while (!stop.signal.aborted) {
      const messages = await settled<KafkaMessage[]>((done) => consumer.consume(CONSUME_ROWS, done));
      const now = Date.now();
      for (const message of messages) {
        const receivedAt = Date.parse(headerOf(message, 'ce_time'));
        ages.record(Math.max(1, now - receivedAt));
        if (seen % markEvery === 0) marks.add(headerOf(message, 'ce_id'), receivedAt);
        seen += 1;
      }
    }
  })();
  const asking = (async () => {
    for (let until = Number.POSITIVE_INFINITY; performance.now() < until; ) {
      await marks.ask();
      await sleep(ASK_EVERY_MS);
      if (!stop.signal.aborted) continue;
      if (marks.waiting === 0) break;
      if (until === Number.POSITIVE_INFINITY) until = performance.now() + LAST_WAIT_MS;
    }
  })();
  ending = async () => {
    stop.abort();
    await reading;
    await asking;
    consumer.disconnect();
    tell({ type: 'freshness', feed: freshness(ages), report: freshness(marks.ages), lost: marks.waiting });
  };
  tell({ type: 'watching' });
}

function freshness(ages: RecordableHistogram): Freshness {
  if (ages.count === 0) return { plays: 0, p50: 0, p99: 0, max: 0 };
  return { plays: ages.count, p50: ages.percentile(50), p99: ages.percentile(99), max: ages.max };
}

async function count({ bootstrap }: Extract<ToWitness, { type: 'count' }>): Promise<void> {
  const { consumer, partitions } = await openFeed(bootstrap, 'beginning');
  const unread = new Set(partitions);
  // Told when everything committed was handed out; behind it may lie marks that end transactions, which no reader is handed.
  consumer.on('partition.eof', ({ partition }: { partition: number }) => unread.delete(partition));
  const plays = new Set<string>();
  let records = 0;
  for (const until = performance.now() + COUNT_WITHIN_MS; unread.size > 0; ) {
    const messages = await settled<KafkaMessage[]>((done) => consumer.consume(CONSUME_ROWS, done));
    for (const message of messages) plays.add(headerOf(message, 'ce_id'));
    records += messages.length;
    if (performance.now() > until) throw new Error(`the feed was not read within ${COUNT_WITHIN_MS / 1000} s`);
  }
  consumer.disconnect();
  tell({ type: 'counted', records, plays: plays.size });
}

process.on('message', (message: ToWitness) => {
  const done = message.type === 'watch' ? watch(message) : message.type === 'count' ? count(message) : ending?.();
  done?.catch((error: unknown) => {
    console.error('the reader of the feed failed:', error);
    process.exit(1);
  });
});
process.on('disconnect', () => process.exit(0));
