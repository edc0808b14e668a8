/**
 * I1, I4: the moment of a sync is where a power cut hurts most. The service is killed at every sync of its own files, one run for
 * each, from the first of a new data directory to the last of a graceful stop; and a sync fails with an I/O error.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { tellFigure } from '../support/figures.ts';
import { Load } from '../support/load.ts';
import { differences } from '../support/oracle.ts';
import { importWorld, makeWorld, type World } from '../support/registry.ts';
import type { Exit, Service } from '../support/service.ts';
import { announceSeed, canTrace, smoke, Stage, straceSyncs } from './stage.ts';

const traceable = canTrace();
const seed = announceSeed();
/** Batches that are sent one after the other, each waiting for its sync. */
const BATCHES = 5;
/** In the short run not at each sync. */
const STEP = smoke ? 5 : 1;
/** More syncs than any such run makes. */
const MAX_SYNCS = 120;
const JOURNAL = ['playproof.db', 'playproof.db-journal', 'playproof.db-wal'];
const MARK = ['playproof.mark', 'playproof.mark.new'];
const REGISTRY = ['registry.db', 'registry.db-journal', 'registry.db-wal'];

let world: World;
let stage: Stage;

beforeAll(() => {
  world = makeWorld(2);
});

beforeEach(() => {
  stage = new Stage();
});

afterEach(() => stage.close());

/** Starts, sends, stops, as far as it comes. Answers how it ended. */
async function live(load: Load, fault: string, files: readonly string[]): Promise<{ service: Service; exit: Exit; sent: boolean }> {
  const data = path.join(stage.dataDir, 'data');
  const service = stage.spawn({ under: straceSyncs(fault, [data, ...files.map((name) => path.join(data, name))]) });
  let sent = false;
  try {
    await service.ready();
    await importWorld(service, world);
    for (let i = 0; i < BATCHES; i += 1) {
      sent = true;
      await load.sendGood(service.url, 5);
    }
  } catch (error) {
    // It was killed under our feet: that is the test. Anything else is told.
    if (!service.ended && !(error instanceof TypeError)) throw error;
  }
  return { service, exit: await service.stop(), sent };
}

/** The files are whole, and everything that was told is there once. */
async function recovered(load: Load): Promise<void> {
  const service = await stage.start();
  await importWorld(service, world);
  await load.drain(service.url);
  await load.sendGood(service.url, 5);
  await load.drain(service.url);
  expect(await differences(service, load.ledger)).toEqual([]);
  await service.kill();
}

describe.skipIf(!traceable)('I1: killed at every sync', () => {
  test.each([
    ['of the journal and its mark', [...JOURNAL, ...MARK], 14],
    ['of the registry', REGISTRY, 6],
  ] as const)('%s, nothing acknowledged is lost or counted twice', { timeout: 900_000 }, async (_, files, least) => {
    let killed = 0;
    for (let n = 1; n <= MAX_SYNCS; n += STEP) {
      const load = new Load(world, seed + n);
      const { exit, service } = await live(load, `signal=SIGKILL:when=${n}`, files);
      if (exit.code === 0) break;
      expect([exit, service.output]).toEqual([{ code: null, signal: 'SIGKILL' }, expect.any(String)]);
      killed += 1;
      await recovered(load);
      await stage.close();
      stage = new Stage();
    }
    tellFigure(`killed at ${killed} syncs`);
    expect(killed).toBeGreaterThanOrEqual(Math.floor(least / STEP));
    expect(killed).toBeLessThan(MAX_SYNCS);
  });
});

describe.skipIf(!traceable)('I1, I4: a sync that fails', () => {
  const cases = [
    ['of the write-ahead log, once', ['playproof.db-wal'], 'error=EIO:when=8', 'disk I/O error'],
    ['of the write-ahead log, from then on', ['playproof.db-wal'], 'error=EIO:when=9+', 'disk I/O error'],
    // The first of the writer's thread is the start; the others come each second from threads that are used in turn.
    ['of the mark', MARK, 'error=EIO:when=2', '/playproof.mark: EIO'],
  ] as const;
  test.each(cases)('%s: it stops acknowledging, says why, and ends; what survived is a duplicate', async (_, files, fault, said) => {
    const load = new Load(world, seed);
    const data = path.join(stage.dataDir, 'data');
    const service = stage.spawn({
      under: straceSyncs(
        fault,
        files.map((name) => path.join(data, name)),
      ),
    });
    await service.ready();
    await importWorld(service, world);
    for (let i = 0; i < 1_000 && !service.ended; i += 1) {
      await load.sendGood(service.url, 5);
      await sleep(20);
    }
    expect(await service.exited).toEqual({ code: 1, signal: null });
    expect(service.output).toContain('the service cannot go on and stops acknowledging');
    expect(service.output).toContain(said);
    await recovered(load);
    const { logs, acknowledged } = load.ledger.summary();
    expect(acknowledged).toBe(logs);
  });
});
