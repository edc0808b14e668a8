import { afterAll, beforeAll } from 'vitest';
import { settled } from '../../../src/kafka/client.ts';
import { EngineSettlement } from '../../../src/settle/engine-settlement.ts';
import { KafkaSettleLog } from '../../../src/settle/kafka-settle-log.ts';
import type { Settlement } from '../../../src/settle/settlement.ts';
import {
  entryOf,
  type QuarantineRow,
  type SettlementHarness,
  settlementContract,
  type TestRecord,
} from '../../contract/settlement.contract.ts';
import { startKafka } from '../support/engines.ts';
import { MemoryArchive } from './memory-archive.ts';
import { deleteBefore, feedOf, forgetGroup, freshPlace, loseTopic, type Place, put } from './support.ts';

const KEEP = 4;

let kafka: Awaited<ReturnType<typeof startKafka>>;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1, config: { 'group.min.session.timeout.ms': '1000' } });
});
afterAll(() => kafka.dispose());

/** One partition, so that the feed has one order; the settler is opened when it is first asked to work. */
class KafkaHarness implements SettlementHarness {
  readonly quarantinePerDevice = KEEP;
  readonly told: string[] = [];
  readonly #place: Place;
  readonly #archive = new MemoryArchive(KEEP);
  #log: KafkaSettleLog | null = null;

  constructor(place: Place) {
    this.#place = place;
  }

  append(records: readonly TestRecord[]): Promise<void> {
    const { journal } = this.#place.topics;
    return put(
      this.#place,
      journal,
      0,
      records.map((record) => ({ value: Buffer.from(entryOf(record).record) })),
    );
  }

  settlement(): Settlement {
    return { step: (limit) => this.#step(limit) };
  }

  /** Waits for the group's decision and for records that are there; a step without any has looked at the end of the journal. */
  async #step(limit: number) {
    this.#log ??= await this.#open();
    const log = this.#log;
    const settlement = new EngineSettlement({
      log,
      archive: this.#archive,
      onPoison: (position) => this.told.push(position),
      now: () => 0,
    });
    for (;;) {
      const step = await settlement.step(limit);
      if (step.taken > 0 || (log.partitions.length > 0 && (await log.backlog()) === 0)) return step;
    }
  }

  #open(): Promise<KafkaSettleLog> {
    const { client, config, topics, groupId } = this.#place;
    return KafkaSettleLog.open({ client, config, topics, groupId, instance: 'one', sessionTimeoutMs: 6_000, onWarning: () => {} });
  }

  async reopen(): Promise<void> {
    await this.#log?.close();
    this.#log = null;
  }

  feed(): Promise<string[]> {
    return feedOf(this.#place);
  }

  archive(): Promise<string[]> {
    return Promise.resolve(this.#archive.entries());
  }

  quarantine(): Promise<QuarantineRow[]> {
    return Promise.resolve(this.#archive.rows());
  }

  async spoilPosition(how: 'absent' | 'other journal' | 'behind the end'): Promise<void> {
    await this.reopen();
    await forgetGroup(this.#place);
    const { journal, feed } = this.#place.topics;
    if (how === 'absent') {
      // Its copy would tell it, and then the feed: so the copy is lost and the feed has lost its beginning.
      await loseTopic(this.#place, 'positions');
      await deleteBefore(this.#place, feed, 0, 1);
    } else if (how === 'other journal') await this.#commit({ topic: journal, partition: 0, offset: 1, metadata: 'another' });
    else await this.#commit({ topic: journal, partition: 0, offset: 1_000 });
  }

  /** As a tool does it that sets a group's offsets by hand. */
  async #commit(offset: { topic: string; partition: number; offset: number; metadata?: string }): Promise<void> {
    const { client, config, groupId } = this.#place;
    const consumer = new client.KafkaConsumer({ ...config, 'group.id': groupId, 'enable.auto.commit': false }, {});
    await settled((done) => consumer.connect({ timeout: 10_000 }, done));
    consumer.commitSync(offset);
    await settled((done) => consumer.disconnect(done));
  }

  dispose(): Promise<void> {
    return this.reopen();
  }
}

settlementContract('Kafka', async () => new KafkaHarness(await freshPlace(kafka.bootstrap, 1)), 6);
