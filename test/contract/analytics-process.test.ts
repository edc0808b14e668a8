/** The analytics process of the embedded profile: real processes, real signals. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EmbeddedAnalytics, type EmbeddedAnalyticsOptions } from '../../src/analytics/embedded/process.ts';
import type { Play } from '../../src/domain/play.ts';
import { FeedFile, playOf } from '../support/feed-file.ts';
import { waitUntil } from '../support/wait-until.ts';

const STOP_MS = 10_000;

const plays = (from: number, to: number): Play[] => Array.from({ length: to - from }, (_, n) => playOf(from + n));
const loadedIs = async (analytics: EmbeddedAnalytics, offset: number): Promise<void> =>
  waitUntil(() => analytics.status().loadedOffset === offset);
const ids = async (analytics: EmbeddedAnalytics): Promise<string[]> =>
  (await analytics.rows<{ id: string }>('SELECT toString(log_id) AS id FROM playproof.plays FINAL', {})).map(({ id }) => id).sort();

describe('the analytics process', () => {
  let dir: string;
  let feedFile: string;
  let feed: FeedFile;
  const started: EmbeddedAnalytics[] = [];

  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'playproof-process-'));
    feedFile = path.join(dir, 'playproof.db');
    feed = new FeedFile(feedFile);
  });

  afterEach(async () => {
    await Promise.all(started.splice(0).map((analytics) => analytics.stop(STOP_MS)));
    feed.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const make = (over: Partial<EmbeddedAnalyticsOptions> = {}): EmbeddedAnalytics => {
    const analytics = new EmbeddedAnalytics({ directory: path.join(dir, 'analytics'), feedFile, ...over });
    started.push(analytics);
    return analytics;
  };
  test('loads what is settled, passes over what is no play, and goes on where it was after a stop', async () => {
    const first = make();
    feed.add(plays(0, 100));
    feed.skip();
    await first.start();
    await loadedIs(first, 101);
    await loadedIs(first, feed.add(plays(100, 103)));
    await first.stop(STOP_MS);
    expect(first.status().state).toBe('stopped');
    const last = feed.add(plays(103, 105));
    const second = make();
    await second.start();
    await loadedIs(second, last);
    expect(second.status().rowsLoaded).toBe(2);
    expect(await ids(second)).toEqual(
      plays(0, 105)
        .map((play) => play.logId)
        .sort(),
    );
  });

  test('I1: killed with -9 again and again while it loads, every play is there once', async () => {
    const analytics = make();
    await analytics.start();
    const all: Play[] = [];
    for (let round = 0; round < 5; round += 1) {
      const more = plays(round * 3_000, (round + 1) * 3_000);
      all.push(...more);
      feed.add(more);
      // The moment differs from round to round: before, within and after the insert and its position.
      await sleep(50 + round * 35);
      const { pid, restarts } = analytics.status();
      if (pid !== null) process.kill(pid, 'SIGKILL');
      await waitUntil(() => analytics.status().restarts > restarts && analytics.status().state === 'ready');
    }
    await loadedIs(analytics, all.length);
    expect(await ids(analytics)).toEqual(all.map((play) => play.logId).sort());
  });

  test('a query that is out when the process dies hears unavailable, and the next one is answered', async () => {
    const analytics = make();
    await analytics.start();
    const out = analytics.rows('SELECT sum(sipHash64(number)) FROM numbers(20000000000)', {});
    const { pid } = analytics.status();
    if (pid !== null) process.kill(pid, 'SIGKILL');
    await expect(out).rejects.toMatchObject({ code: 'unavailable' });
    await expect(analytics.rows('SELECT 1', {})).rejects.toMatchObject({ code: 'unavailable' });
    await waitUntil(() => analytics.status().state === 'ready');
    expect(await analytics.rows('SELECT 7 AS x', {})).toEqual([{ x: 7 }]);
  });

  test('SIGINT and SIGTERM, which a terminal sends to the whole group, leave it to its parent', async () => {
    const analytics = make();
    await analytics.start();
    const { pid } = analytics.status();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) if (pid !== null) process.kill(pid, signal);
    expect(await analytics.rows('SELECT 1 AS x', {})).toEqual([{ x: 1 }]);
    expect(analytics.status()).toMatchObject({ pid, restarts: 0 });
  });

  test('ends when its parent is killed with -9, and its directory can be opened at once', async () => {
    const script = path.join(dir, 'parent.mjs');
    const module = path.resolve('src/analytics/embedded/process.ts');
    writeFileSync(
      script,
      `import { EmbeddedAnalytics } from ${JSON.stringify(module)};
       const analytics = new EmbeddedAnalytics(${JSON.stringify({ directory: path.join(dir, 'analytics'), feedFile })});
       await analytics.start();
       console.log(analytics.status().pid);`,
    );
    const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'ignore'] });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    expect(pid).toBeGreaterThan(0);
    parent.kill('SIGKILL');
    const analytics = make();
    await analytics.start();
    expect(await analytics.rows('SELECT 1 AS x', {})).toEqual([{ x: 1 }]);
    // Gone, or a zombie where nobody collects it.
    expect(existsSync(`/proc/${pid}`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : ') Z').toContain(') Z');
  });

  test('a damaged record stops loading loudly before it, and nothing behind it is loaded', async () => {
    feed.add(plays(0, 10));
    feed.db.exec("UPDATE journal SET record = CAST(substr(record, 1, 200) || x'FF' || substr(record, 202) AS BLOB) WHERE seq = 6");
    const told: string[] = [];
    const analytics = make({ log: (message) => told.push(message) });
    await analytics.start();
    await waitUntil(() => analytics.status().stopped);
    expect(analytics.status().lastError).toContain('record 6 of the feed is damaged');
    expect(told.some((message) => message.includes('record 6'))).toBe(true);
    expect(await ids(analytics)).toEqual([]);
  });

  test('a feed that is older than what was loaded, or another one, is refused with a sentence', async () => {
    feed.add(plays(0, 10));
    const first = make();
    await first.start();
    await loadedIs(first, 10);
    await first.stop(STOP_MS);
    feed.db.exec("UPDATE positions SET seq = 4 WHERE name = 'settle'");
    const second = make();
    await second.start();
    await waitUntil(() => second.status().stopped);
    expect(second.status().lastError).toContain('the feed ends at 4');
    await second.stop(STOP_MS);
    feed.db.exec("UPDATE positions SET journal_id = 'another'");
    const third = make();
    await third.start();
    await waitUntil(() => third.status().stopped);
    expect(third.status().lastError).toContain('loaded from another feed');
  });

  test('I3: a feed that was put back and has reached the position again with other plays is refused, and loaded whole once analytics is deleted', async () => {
    feed.add(plays(0, 10));
    const first = make();
    await first.start();
    await loadedIs(first, 10);
    await first.stop(STOP_MS);
    feed.db.exec('DELETE FROM journal WHERE seq > 5');
    feed.close();
    feed = new FeedFile(feedFile);
    feed.add(plays(100, 108));

    const second = make();
    await second.start();
    await waitUntil(() => second.status().stopped);
    expect(second.status().lastError).toMatch(/as record 10 of the feed.*older than its analytics.*delete the folder "analytics"/);
    expect(second.status().rowsLoaded).toBe(0);
    await second.stop(STOP_MS);
    rmSync(path.join(dir, 'analytics'), { recursive: true });
    const third = make();
    await third.start();
    await loadedIs(third, 13);
    expect(await ids(third)).toEqual([...plays(0, 5), ...plays(100, 108)].map((play) => play.logId).sort());
  });

  test('more queries than can wait hear overloaded; those that wait are answered', async () => {
    const analytics = make();
    await analytics.start();
    const results = await Promise.allSettled(
      Array.from({ length: 80 }, () => analytics.rows('SELECT sleepEachRow(0.02) AS x FROM numbers(5)', {})),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.length).toBe(80 - 4 - 64);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'overloaded' });
  });

  test('works in a directory whose name chDB would take for a pattern', async () => {
    const odd = path.join(dir, "a {b,c}* 'd'?");
    mkdirSync(odd);
    const analytics = make({ directory: path.join(odd, 'analytics') });
    const last = feed.add(plays(0, 20));
    await analytics.start();
    await loadedIs(analytics, last);
    expect(await ids(analytics)).toHaveLength(20);
  });

  test('a stop while it starts ends it, and the start says so', async () => {
    const analytics = make();
    const start = expect(analytics.start()).rejects.toThrow('stopped before it was ready');
    await analytics.stop(STOP_MS);
    await start;
    await waitUntil(() => analytics.status().pid === null);
  });

  test('waits for a feed that is made later', async () => {
    const later = path.join(dir, 'later.db');
    const analytics = make({ feedFile: later });
    await analytics.start();
    await waitUntil(() => analytics.status().lastError !== null);
    const other = new FeedFile(later);
    const last = other.add(plays(0, 3));
    await loadedIs(analytics, last);
    expect(analytics.status().lastError).toBeNull();
    other.close();
  });
});
