/** The edge profile: a SQLite journal published to Kafka. A copied, restored or wiped data directory is fenced or refused, never billed again. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Play } from '../../../src/domain/play.ts';
import { SqliteJournal } from '../../../src/journal/sqlite-journal.ts';
import { EdgeSettleLog } from '../../../src/settle/edge-settle-log.ts';
import { EngineSettlement } from '../../../src/settle/engine-settlement.ts';
import { Fenced } from '../../../src/settle/ports.ts';
import { PositionLost } from '../../../src/settle/settlement.ts';
import { playOf } from '../../support/feed-file.ts';
import { playEntry } from '../../support/journal-entries.ts';
import { startKafka } from '../support/engines.ts';
import { MemoryArchive } from './memory-archive.ts';
import { freshPlace, idAndHash, loseTopic, type Place, put, witnessFeed } from './support.ts';

let kafka: Awaited<ReturnType<typeof startKafka>>;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1 });
});
afterAll(() => kafka.dispose());

const directories: string[] = [];
const nodes: EdgeNode[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function temporary(): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'playproof-edge-'));
  directories.push(directory);
  return directory;
}

/** One box: its journal, and a settler that works into a shared archive and feed. */
class EdgeNode {
  readonly directory: string;
  readonly settledUpTo: number[] = [];
  readonly #place: Place;
  readonly #archive: MemoryArchive;
  #journal: SqliteJournal | null = null;
  #log: EdgeSettleLog | null = null;

  constructor(place: Place, archive: MemoryArchive, directory = temporary()) {
    this.directory = directory;
    this.#place = place;
    this.#archive = archive;
    nodes.push(this);
  }

  get journal(): SqliteJournal {
    this.#journal ??= new SqliteJournal(this.directory);
    return this.#journal;
  }

  async take(plays: readonly Play[]): Promise<void> {
    await this.journal.append(plays.map(playEntry));
  }

  async step(limit = 1_000) {
    void this.journal;
    const { client, config, topics } = this.#place;
    this.#log ??= await EdgeSettleLog.open({
      client,
      config,
      file: path.join(this.directory, 'playproof.db'),
      feedTopic: topics.feed,
      positionsTopic: topics.positions,
      settledUpTo: (seq) => this.settledUpTo.push(seq),
    });
    const settlement = new EngineSettlement({ log: this.#log, archive: this.#archive, onPoison: () => {}, now: () => 0 });
    return settlement.step(limit);
  }

  async backlog(): Promise<number | null | undefined> {
    return this.#log?.backlog();
  }

  async settle(limit?: number): Promise<void> {
    while ((await this.step(limit)).taken > 0);
  }

  /** As the writer does it with what is settled. */
  deleteSettled(): void {
    this.journal.db.prepare('DELETE FROM journal WHERE seq <= ?').run((this.settledUpTo.at(-1) ?? 1) - 1);
  }

  async stop(): Promise<void> {
    await this.#log?.close();
    this.#log = null;
    this.#journal?.close();
    this.#journal = null;
  }

  /** The stopped box's data directory, as a backup holds it. */
  copy(): string {
    const directory = temporary();
    cpSync(this.directory, directory, { recursive: true });
    return directory;
  }
}

const plays = (from: number, to: number): Play[] => Array.from({ length: to - from }, (_, i) => playOf(from + i));

async function expectFeed(place: Place, expected: readonly Play[]): Promise<void> {
  expect((await witnessFeed(place, expected.length)).map(idAndHash).sort()).toEqual(expected.map(idAndHash).sort());
}

describe('edge', () => {
  it('I1: publishes once over stops and starts, keeps its last settled row, and never uses a position again', async () => {
    const place = await freshPlace(kafka.bootstrap, 3, false);
    const archive = new MemoryArchive();
    const node = new EdgeNode(place, archive);
    await node.take(plays(0, 50));
    await node.settle(20);
    node.deleteSettled();
    expect(node.settledUpTo.at(-1)).toBe(50);
    await node.stop();
    await node.take(plays(40, 70));
    await node.settle(7);
    node.deleteSettled();
    await node.stop();
    await node.take(plays(70, 71));
    await node.settle();
    expect(node.journal.end).toBe(81);
    await expectFeed(place, plays(0, 71));
    expect(new Set((await witnessFeed(place, 71)).map(({ position }) => position)).size).toBe(71);
  });

  it('I1: two boxes that took the same retried logs publish each once', async () => {
    const place = await freshPlace(kafka.bootstrap, 2, false);
    const archive = new MemoryArchive();
    const one = new EdgeNode(place, archive);
    const two = new EdgeNode(place, archive);
    await one.take(plays(0, 40));
    await two.take(plays(20, 60));
    await Promise.all([one.settle(5), two.settle(5)]);
    await expectFeed(place, plays(0, 60));
  });

  it('I1: a wiped box begins a journal of its own, and what devices send again counts once', async () => {
    const place = await freshPlace(kafka.bootstrap, 2, false);
    const archive = new MemoryArchive();
    const node = new EdgeNode(place, archive);
    await node.take(plays(0, 30));
    await node.settle();
    await node.stop();
    const wiped = new EdgeNode(place, archive);
    await wiped.take(plays(10, 45));
    await wiped.settle();
    await expectFeed(place, plays(0, 45));
  });

  it('I1: the copy of a data directory fences the box that runs, and both together publish each log once', async () => {
    const place = await freshPlace(kafka.bootstrap, 2, false);
    const archive = new MemoryArchive();
    const node = new EdgeNode(place, archive);
    await node.take(plays(0, 20));
    await node.settle(10);
    await node.take(plays(20, 30));
    await node.stop();
    const copy = new EdgeNode(place, archive, node.copy());
    await node.step(4);
    await copy.settle();
    await expect(node.settle()).rejects.toThrow(Fenced);
    await expectFeed(place, plays(0, 30));
  });

  it('I1: a backup that is restored is refused, also when it went on by itself beyond what was settled', async () => {
    const place = await freshPlace(kafka.bootstrap, 2, false);
    const archive = new MemoryArchive();
    const node = new EdgeNode(place, archive);
    await node.take(plays(0, 10));
    await node.settle();
    await node.stop();
    const backup = node.copy();
    await node.take(plays(10, 20));
    await node.settle();
    await node.stop();
    const restored = new EdgeNode(place, archive, backup);
    await expect(restored.step()).rejects.toThrow(PositionLost);
    await expect(restored.step()).rejects.toThrow(/ends at 10: it is an older copy; .*docs\/operations\.md/);
    await restored.take(plays(100, 140));
    await restored.stop();
    await expect(restored.step()).rejects.toThrow(/another record or none.*docs\/operations\.md/);
    await expectFeed(place, plays(0, 20));
    // The box itself goes on.
    await node.take(plays(20, 25));
    await node.settle();
    await expectFeed(place, plays(0, 25));
  });

  it('what waits is shown as it was last known while nothing can be published, and as unknown where it never was', async () => {
    const place = await freshPlace(kafka.bootstrap, 2, false);
    const archive = new MemoryArchive();
    const node = new EdgeNode(place, archive);
    await node.take(plays(0, 20));
    await node.step(5);
    expect(await node.backlog()).toBe(15);
    // A copy takes over: what this one publishes from now on fails.
    await node.stop();
    const copy = new EdgeNode(place, archive, node.copy());
    await node.step(5);
    await copy.step(1);
    await expect(node.step(5)).rejects.toThrow(Fenced);
    expect(await node.backlog()).toBe(10);
    await node.stop();
    await copy.stop();
    await loseTopic(place, 'positions');
    await expect(node.step()).rejects.toThrow(PositionLost);
    expect(await node.backlog()).toBeNull();
  });

  it('a backup from before the first contact with Kafka is refused as well', async () => {
    const place = await freshPlace(kafka.bootstrap, 2, false);
    const archive = new MemoryArchive();
    const node = new EdgeNode(place, archive);
    await node.take(plays(0, 5));
    await node.stop();
    const backup = node.copy();
    await node.take(plays(5, 10));
    await node.settle();
    await node.stop();
    const restored = new EdgeNode(place, archive, backup);
    await expect(restored.step()).rejects.toThrow(PositionLost);
    await expectFeed(place, plays(0, 10));
  });

  it.each([
    ['gone', 'is gone from the topic'],
    ['out of range', 'it is an older copy'],
    ['of another record', 'another record or none'],
    ['nonsense', 'cannot be read'],
  ])('refuses to work when its position is %s, with a sentence', async (how, sentence) => {
    const place = await freshPlace(kafka.bootstrap, 2, false);
    const node = new EdgeNode(place, new MemoryArchive());
    await node.take(plays(0, 5));
    await node.settle();
    const { journalId } = node.journal;
    await node.stop();
    const { positions } = place.topics;
    if (how === 'gone') await loseTopic(place, 'positions');
    else {
      const values: Record<string, string> = {
        'out of range': JSON.stringify({ next: 50, last_record: 'a'.repeat(64) }),
        'of another record': JSON.stringify({ next: 3, last_record: 'a'.repeat(64) }),
        nonsense: '{"next":"3"}',
      };
      await put(place, positions, 0, [{ key: journalId, value: Buffer.from(values[how] as string) }]);
    }
    await node.take(plays(5, 8));
    await expect(node.step()).rejects.toThrow(PositionLost);
    await expect(node.step()).rejects.toThrow(sentence);
    await expectFeed(place, plays(0, 5));
  });

  it('refuses a data directory that was settled on one machine alone, and one with a hole', async () => {
    const place = await freshPlace(kafka.bootstrap, 2, false);
    const alone = new EdgeNode(place, new MemoryArchive());
    await alone.take(plays(0, 5));
    alone.journal.db.exec("UPDATE positions SET seq = 3 WHERE name = 'settle'");
    await expect(alone.step()).rejects.toThrow(/playproof copy/);
    const holed = new EdgeNode(place, new MemoryArchive());
    await holed.take(plays(0, 5));
    holed.journal.db.exec('DELETE FROM journal WHERE seq = 3');
    await expect(holed.step()).rejects.toThrow(/lost its record 3.*docs\/operations\.md/);
  });
});
