/** Settling with the archive on MongoDB; journal and feed are a file that is written as one, so that a crash cuts between them. */
import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MongoArchive } from '../../../src/archive/mongo-archive.ts';
import { MongoReader } from '../../../src/archive/mongo-reader.ts';
import { recordHash, recordLogId } from '../../../src/journal/record.ts';
import { SCOPE_ALL } from '../../../src/server/access.ts';
import { EngineSettlement } from '../../../src/settle/engine-settlement.ts';
import type { JournalBatch, Publication, SettleLog } from '../../../src/settle/ports.ts';
import { PositionLost } from '../../../src/settle/settlement.ts';
import { entryOf, type SettlementHarness, settleAll, settlementContract, type TestRecord } from '../../contract/settlement.contract.ts';
import { playOf } from '../../support/feed-file.ts';
import { refusalOf } from '../../support/plays.ts';
import { startMongo } from '../support/engines.ts';
import { databaseUrl, type Server, startServer, until } from './support.ts';

const KEEP = 4;

interface Kept {
  readonly journalId: string;
  readonly journal: string[];
  position: { readonly journalId: string; readonly next: number } | null;
  readonly feed: string[];
}

/** Publishing and moving the position are one rename. */
class FileLog implements SettleLog {
  readonly journalId: string;
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
    this.journalId = this.kept().journalId;
  }

  kept(): Kept {
    return JSON.parse(readFileSync(this.#file, 'utf8')) as Kept;
  }

  write(kept: Kept): void {
    writeFileSync(`${this.#file}.new`, JSON.stringify(kept));
    renameSync(`${this.#file}.new`, this.#file);
  }

  async read(limit: number): Promise<JournalBatch> {
    const { journal, position, journalId } = this.kept();
    const lost = 'see docs/operations.md, "The read position is lost"';
    if (!position) throw new PositionLost(`the read position is missing; ${lost}`);
    if (position.journalId !== journalId) throw new PositionLost(`the read position is of another journal; ${lost}`);
    if (position.next > journal.length) throw new PositionLost(`the read position lies outside the journal; ${lost}`);
    const records = journal.slice(position.next, position.next + limit).map((text, i) => ({
      partition: 0,
      offset: position.next + i,
      bytes: Buffer.from(text, 'base64'),
    }));
    return { records, token: position.next };
  }

  async publish(batch: JournalBatch, publications: readonly Publication[]): Promise<void> {
    const kept = this.kept();
    if (kept.position?.next !== batch.token) throw new Error('a batch that was read before another was published');
    kept.feed.push(...publications.map(({ record }) => `${recordLogId(record.bytes)} ${recordHash(record.bytes)}`));
    kept.position = { journalId: kept.journalId, next: (batch.token as number) + batch.records.length };
    this.write(kept);
  }

  async backlog(): Promise<number> {
    const { journal, position } = this.kept();
    return journal.length - (position?.next ?? 0);
  }

  async close(): Promise<void> {}
}

class MongoHarness implements SettlementHarness {
  readonly quarantinePerDevice = KEEP;
  readonly told: string[] = [];
  readonly directory: string;
  readonly log: FileLog;
  readonly #url: string;
  readonly #reader: MongoReader;
  writer: MongoArchive;

  constructor(directory: string, url: string) {
    this.directory = directory;
    const file = path.join(directory, 'log.json');
    const journalId = randomUUID();
    writeFileSync(file, JSON.stringify({ journalId, journal: [], position: { journalId, next: 0 }, feed: [] } satisfies Kept));
    this.log = new FileLog(file);
    this.#url = url;
    this.#reader = new MongoReader(url);
    this.writer = new MongoArchive(url, { quarantinePerDevice: KEEP });
  }

  async append(records: readonly TestRecord[]): Promise<void> {
    const kept = this.log.kept();
    for (const record of records) kept.journal.push(Buffer.from(entryOf(record).record).toString('base64'));
    this.log.write(kept);
  }

  settlement(): EngineSettlement {
    const { log, writer, told } = this;
    return new EngineSettlement({ log, archive: writer, onPoison: (position) => told.push(position), now: () => 0 });
  }

  async reopen(): Promise<void> {
    await this.writer.close();
    this.writer = new MongoArchive(this.#url, { quarantinePerDevice: KEEP });
  }

  async feed(): Promise<string[]> {
    return this.log.kept().feed;
  }

  async archive(): Promise<string[]> {
    return (await this.writer.entries(null, 10_000)).map(({ record }) => `${recordLogId(record)} ${recordHash(record)}`);
  }

  async quarantine() {
    const items = await this.#reader.quarantine({ scope: SCOPE_ALL, code: null, deviceId: null, limit: 1_000, before: null });
    return items.toReversed().map(({ log_id, content_hash, code, count }) => ({ logId: log_id, hash: content_hash, code, count }));
  }

  async spoilPosition(how: 'absent' | 'other journal' | 'behind the end'): Promise<void> {
    const kept = this.log.kept();
    const { journalId } = kept;
    kept.position = { absent: null, 'other journal': { journalId: 'x', next: 0 }, 'behind the end': { journalId, next: 1_000 } }[how];
    this.log.write(kept);
  }

  async dispose(): Promise<void> {
    await this.writer.close();
    await this.#reader.close();
    await rm(this.directory, { recursive: true });
  }
}

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

async function openHarness(): Promise<MongoHarness> {
  return new MongoHarness(await mkdtemp(path.join(tmpdir(), 'playproof-settle-')), databaseUrl(server));
}

settlementContract('MongoDB', openHarness);

describe('settling with the archive on MongoDB', () => {
  it('I1, I3: a crash between the archive and the feed publishes the same owners once, and counts nothing twice', async () => {
    const harness = await openHarness();
    const { log } = harness;
    const records = [1, 2, 1, 3].map((n): TestRecord => ({ play: playOf(n) }));
    const conflict = { play: playOf(1, { contentHash: 'e'.repeat(64) }) };
    await harness.append([...records, conflict, { refusal: refusalOf(9) }, conflict]);
    for (const limit of [7, 3, 5]) {
      const publish = log.publish.bind(log);
      log.publish = async () => {
        throw new Error('killed before the transaction');
      };
      await expect(harness.settlement().step(limit)).rejects.toThrow('killed');
      log.publish = publish;
      await harness.reopen();
    }
    await settleAll(harness, 2);
    expect(await harness.feed()).toEqual([1, 2, 3].map((n) => `${playOf(n).logId} ${playOf(n).contentHash}`));
    expect(await harness.archive()).toEqual(await harness.feed());
    expect(
      (await harness.quarantine()).map(({ code, count }) => [code, count]).toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
    ).toEqual([
      ['log_id_conflict', 2],
      ['too_old', 1],
    ]);
    await harness.dispose();
  });

  it('kill -9 of the server while it settles: everything is settled when it is back, once', { timeout: 240_000 }, async () => {
    const own = await startMongo();
    const harness = new MongoHarness(await mkdtemp(path.join(tmpdir(), 'playproof-settle-')), databaseUrl(own));
    const plays = Array.from({ length: 3_000 }, (_, n) => playOf(n % 2_000, n % 500 === 499 ? { contentHash: 'e'.repeat(64) } : {}));
    await harness.append(plays.map((play) => ({ play })));
    for (let round = 0; round < 4; round += 1) {
      const steps = (async () => {
        for (let step = 0; step < 20; step += 1) await harness.settlement().step(50);
      })().catch((error: unknown) => error);
      await new Promise((resolve) => {
        setTimeout(resolve, 60 + 40 * round);
      });
      await own.kill();
      await steps;
      await own.restart();
    }
    await until(() => settleAll(harness, 500));
    const owners = new Map<string, string>();
    for (const { logId, contentHash } of plays) if (!owners.has(logId)) owners.set(logId, contentHash);
    expect(await harness.feed()).toEqual(Array.from(owners, ([id, hash]) => `${id} ${hash}`));
    expect(await harness.archive()).toEqual((await harness.feed()).toSorted());
    const conflicts = plays.filter(({ logId, contentHash }) => owners.get(logId) !== contentHash).length;
    expect((await harness.quarantine()).reduce((sum, { count }) => sum + count, 0)).toBe(conflicts);
    await harness.dispose();
    await own.dispose();
  });
});
