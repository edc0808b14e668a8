import { expect, test } from 'vitest';
import type { Done, KafkaClient, KafkaMessage, TopicPartition, TopicPartitionOffset } from '../../../src/kafka/client-types.ts';
import { KafkaSettleLog } from '../../../src/settle/kafka-settle-log.ts';

const ASSIGN = -175;
const REVOKE = -174;
const COMMITTED = 5;
const END = 9;

type RebalanceCallback = (error: { readonly code: number }, partitions: readonly { readonly partition: number }[]) => void;

class FakeProducer {
  connect(_options: unknown, done: Done<unknown>): void {
    done(null, undefined);
  }

  setPollInterval(): void {}

  initTransactions(_ms: number, done: Done<unknown>): void {
    done(null, undefined);
  }
}

/** A member of a group: a journal with records up to END in each partition, of which COMMITTED is the next to settle. */
class FakeConsumer {
  readonly decide: RebalanceCallback;
  /** Called in the middle of the next question for committed offsets. */
  whileAsked: (() => void) | null = null;
  readonly #at = new Map<number, number>();

  constructor({ rebalance_cb: decide }: { readonly rebalance_cb: RebalanceCallback }) {
    this.decide = decide;
    consumers.push(this);
  }

  connect(_options: unknown, done: Done<unknown>): void {
    done(null, undefined);
  }

  isConnected(): boolean {
    return true;
  }

  disconnect(done: Done<unknown>): void {
    done(null, undefined);
  }

  setDefaultConsumeTimeout(): void {}
  setDefaultIsTimeoutOnlyForFirstMessage(): void {}
  subscribe(): void {}
  on(): void {}

  assign(partitions: readonly TopicPartitionOffset[]): void {
    this.#at.clear();
    for (const { partition, offset } of partitions) this.#at.set(partition, offset);
  }

  unassign(): void {
    this.#at.clear();
  }

  committed(asked: readonly TopicPartition[], _ms: number, done: Done<TopicPartitionOffset[]>): void {
    this.whileAsked?.();
    this.whileAsked = null;
    done(
      null,
      asked.map((one) => ({ ...one, offset: COMMITTED })),
    );
  }

  /** The topic of copies is empty. */
  queryWatermarkOffsets(topic: string, _partition: number, _ms: number, done: Done<{ lowOffset: number; highOffset: number }>): void {
    done(null, { lowOffset: 0, highOffset: topic === 'j' ? END : 0 });
  }

  consume(limit: number, done: Done<KafkaMessage[]>): void {
    const messages: KafkaMessage[] = [];
    for (const [partition, from] of this.#at) {
      const until = Math.min(from + limit, END);
      for (let offset = from; offset < until; offset += 1)
        messages.push({ topic: 'j', partition, offset, value: Buffer.from('r'), size: 1 });
      this.#at.set(partition, until);
    }
    done(null, messages);
  }
}

let consumers: FakeConsumer[] = [];

const partitions = (...ids: readonly number[]) => ids.map((partition) => ({ partition }));

test('I1: a group that decides anew while the committed position is asked for: nothing is read behind what was not settled', async () => {
  consumers = [];
  const log = await KafkaSettleLog.open({
    client: { Producer: FakeProducer, KafkaConsumer: FakeConsumer } as unknown as KafkaClient,
    config: {},
    topics: { journal: 'j', feed: 'f', positions: 'p', journalId: 'id' },
    groupId: 'g',
    instance: 'one',
    onWarning: () => {},
  });
  const [consumer] = consumers as [FakeConsumer];
  consumer.decide({ code: ASSIGN }, partitions(0));
  const first = await log.read(2);
  expect(first.records.map(({ offset }) => offset)).toEqual([5, 6]);

  // The batch is dropped, so the position is asked for again.
  consumer.whileAsked = () => {
    consumer.decide({ code: REVOKE }, partitions(0));
    consumer.decide({ code: ASSIGN }, partitions(0));
  };
  const second = await log.read(2);
  expect(second.records).toEqual([]);
  const third = await log.read(2);
  expect(third.records.map(({ offset }) => offset)).toEqual([5, 6]);
});
