/** Settling on an edge box: its journal is SQLite, its read position and the feed are on Kafka. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { SqliteJournal } from '../../../src/journal/sqlite-journal.ts';
import { EdgeSettleLog } from '../../../src/settle/edge-settle-log.ts';
import { EngineSettlement } from '../../../src/settle/engine-settlement.ts';
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
import { feedOf, freshPlace, loseTopic, type Place, put } from './support.ts';

const KEEP = 4;

let kafka: Awaited<ReturnType<typeof startKafka>>;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1 });
});
afterAll(() => kafka.dispose());

/** The settler is opened when it is first asked to work: with it every earlier one is fenced. */
class EdgeHarness implements SettlementHarness {
  readonly quarantinePerDevice = KEEP;
  readonly told: string[] = [];
  readonly #place: Place;
  readonly #directory = mkdtempSync(path.join(os.tmpdir(), 'playproof-edge-settle-'));
  readonly #archive = new MemoryArchive(KEEP);
  #journal = new SqliteJournal(this.#directory);
  #log: EdgeSettleLog | null = null;

  constructor(place: Place) {
    this.#place = place;
  }

  async append(records: readonly TestRecord[]): Promise<void> {
    await this.#journal.append(records.map(entryOf));
  }

  settlement(): Settlement {
    return { step: (limit) => this.#step(limit) };
  }

  async #step(limit: number) {
    this.#log ??= await this.#open();
    const settlement = new EngineSettlement({
      log: this.#log,
      archive: this.#archive,
      onPoison: (position) => this.told.push(position),
      now: () => 0,
    });
    return settlement.step(limit);
  }

  #open(): Promise<EdgeSettleLog> {
    const { client, config, topics } = this.#place;
    const file = path.join(this.#directory, 'playproof.db');
    return EdgeSettleLog.open({ client, config, file, feedTopic: topics.feed, positionsTopic: topics.positions });
  }

  async #close(): Promise<void> {
    await this.#log?.close();
    this.#log = null;
    this.#journal.close();
  }

  async reopen(): Promise<void> {
    await this.#close();
    this.#journal = new SqliteJournal(this.#directory);
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
    if (how === 'absent') {
      await loseTopic(this.#place, 'positions');
      return;
    }
    // A position is another journal's when the record before it is not the one that was settled.
    const position = { next: how === 'behind the end' ? 1_000 : 2, last_record: 'a'.repeat(64) };
    const message = { key: this.#journal.journalId, value: Buffer.from(JSON.stringify(position)) };
    await put(this.#place, this.#place.topics.positions, 0, [message]);
  }

  async dispose(): Promise<void> {
    await this.#close();
    rmSync(this.#directory, { recursive: true });
  }
}

settlementContract('an edge box', async () => new EdgeHarness(await freshPlace(kafka.bootstrap, 1, false)), 10);
