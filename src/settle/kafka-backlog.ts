/** What waits in the journal on Kafka, as a node asks that does not settle. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backlog } from '../archive/settled-or-waiting.ts';
import type { SettledSoFar } from '../archive/waiting-logs.ts';
import { settled } from '../kafka/client.ts';
import type { KafkaClient, KafkaConsumer, RdKafkaConfig, TopicPartitionOffset, Watermarks } from '../kafka/client-types.ts';
import { partitionsOf } from '../kafka/partitions.ts';

export interface KafkaBacklogOptions {
  readonly client: KafkaClient;
  readonly config: RdKafkaConfig;
  readonly topic: string;
  /** The group of the settlers. */
  readonly groupId: string;
  /** How old a play may be when its log is accepted. */
  readonly maxAgeMs: number;
  readonly now?: () => number;
}

/** From the receipt to the broker's stamp: waiting, the brokers' confirmation, and clocks of nodes and brokers that differ. */
const LATE_MS = 120_000;
/** Everything settled up to so long ago is what is found mostly: then most questions are answered for good. */
const RECENT_MS = 10_000;
/** Settling follows within this time, unless something is wrong. */
const PATIENCE_MS = 2_000;
const LOOK_EVERY_MS = 100;
const CALL_MS = 2_000;
/** A device that asks again at once hears the same. */
const SAME_ANSWER_MS = 1_000;

/**
 * An instant is settled when the settlers' committed offsets lie behind every record that brokers stamped before it. Records are
 * stamped as they are appended, so a later question never undoes that.
 */
export class KafkaBacklog implements Backlog, SettledSoFar {
  readonly #options: KafkaBacklogOptions;
  readonly #now: () => number;
  #consumer: KafkaConsumer | null = null;
  /** Everything appended before this is settled. Milliseconds since 1970 UTC. */
  #settledUntil = Number.NEGATIVE_INFINITY;
  #unsettled = { since: Number.POSITIVE_INFINITY, until: 0 };
  #tail: Promise<unknown> = Promise.resolve();
  /** Has not begun to ask yet: whoever comes now is answered by it too. */
  #coming: Promise<boolean> | null = null;

  constructor(options: KafkaBacklogOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  isSettled(endedAt: number): boolean | Promise<boolean> {
    const instant = endedAt + this.#options.maxAgeMs + LATE_MS;
    return this.#known(instant) ?? this.#next(instant);
  }

  upToNow(): Promise<boolean> {
    if (this.#coming) return this.#coming;
    const answer = this.#tail.then(() => {
      this.#coming = null;
      return this.#known(Number.POSITIVE_INFINITY) ?? this.#ask(Number.POSITIVE_INFINITY);
    });
    this.#coming = answer;
    this.#tail = answer.catch(() => {});
    return answer;
  }

  close(): void {
    this.#consumer?.disconnect();
    this.#consumer = null;
  }

  #known(instant: number): boolean | null {
    if (instant <= this.#settledUntil) return true;
    return instant >= this.#unsettled.since && performance.now() < this.#unsettled.until ? false : null;
  }

  /** One question at a time: the next one may find its answer in that of the one before. */
  #next(instant: number): Promise<boolean> {
    const answer = this.#tail.then(() => this.#known(instant) ?? this.#ask(instant));
    this.#tail = answer.catch(() => {});
    return answer;
  }

  async #ask(instant: number): Promise<boolean> {
    try {
      const asked = this.#now();
      const consumer = (this.#consumer ??= await this.#open());
      // Asked each time: partitions may be added while this runs, and a log may wait in one of them.
      const partitions = await partitionsOf(consumer, this.#options.topic, CALL_MS);
      const recent = asked - RECENT_MS;
      if (instant < recent && (await this.#behind(consumer, await this.#offsetsAt(consumer, partitions, recent)))) {
        this.#settledUntil = Math.max(this.#settledUntil, recent);
        return true;
      }
      // A log that is too old by less than LATE_MS may have come just now: everything before this question has to be settled.
      const targets = instant < asked ? await this.#offsetsAt(consumer, partitions, instant) : await this.#ends(consumer, partitions);
      const until = performance.now() + PATIENCE_MS;
      while (!(await this.#behind(consumer, targets))) {
        if (performance.now() > until) {
          this.#unsettled = { since: instant, until: performance.now() + SAME_ANSWER_MS };
          return false;
        }
        await sleep(LOOK_EVERY_MS);
      }
      this.#settledUntil = Math.max(this.#settledUntil, Math.min(instant, asked));
      return true;
    } catch (error) {
      this.#unsettled = { since: instant, until: performance.now() + SAME_ANSWER_MS };
      throw error;
    }
  }

  /** A member of no group's work: it reads nothing, and asks for offsets in the group's name. */
  async #open(): Promise<KafkaConsumer> {
    const { client, config, groupId } = this.#options;
    const consumer = new client.KafkaConsumer({ ...config, 'group.id': groupId, 'enable.auto.commit': false }, {});
    try {
      await settled((done) => consumer.connect({ timeout: CALL_MS }, done));
    } catch (error) {
      if (consumer.isConnected()) consumer.disconnect();
      throw error;
    }
    return consumer;
  }

  /** Of each partition the first record stamped at `instant` or later; its end where there is none. */
  async #offsetsAt(consumer: KafkaConsumer, partitions: readonly number[], instant: number): Promise<ReadonlyMap<number, number>> {
    const { topic } = this.#options;
    const asked = partitions.map((partition) => ({ topic, partition, offset: Math.max(0, Math.floor(instant)) }));
    const found = await settled<TopicPartitionOffset[]>((done) => consumer.offsetsForTimes(asked, CALL_MS, done));
    const offsets = new Map<number, number>();
    for (const { partition, offset, error } of found) {
      if (error) throw error;
      offsets.set(partition, offset >= 0 ? offset : await this.#end(consumer, partition));
    }
    return offsets;
  }

  async #ends(consumer: KafkaConsumer, partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const ends = new Map<number, number>();
    for (const partition of partitions) ends.set(partition, await this.#end(consumer, partition));
    return ends;
  }

  async #end(consumer: KafkaConsumer, partition: number): Promise<number> {
    const { topic } = this.#options;
    return (await settled<Watermarks>((done) => consumer.queryWatermarkOffsets(topic, partition, CALL_MS, done))).highOffset;
  }

  /** Whether the settlers are behind all of these. A partition without a committed offset was never settled from. */
  async #behind(consumer: KafkaConsumer, targets: ReadonlyMap<number, number>): Promise<boolean> {
    const { topic } = this.#options;
    const asked = [...targets.keys()].map((partition) => ({ topic, partition }));
    const committed = await settled<TopicPartitionOffset[]>((done) => consumer.committed(asked, CALL_MS, done));
    return committed.every(({ partition, offset, error }) => {
      if (error) throw error;
      const next = Number.isInteger(offset) && offset >= 0 ? offset : 0;
      return next >= (targets.get(partition) ?? Number.POSITIVE_INFINITY);
    });
  }
}
