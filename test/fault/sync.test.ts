/**
 * I1, I4: the moment of a sync is where a power cut hurts most. The service is killed at every sync of each of its own files, whichever
 * of its threads makes it: one run for each, from the first of a new data directory over checkpoints under load to the last of a
 * graceful stop. And each of them fails with an I/O error.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeCheapKey } from '../support/cheap-key.ts';
import { tellFigure } from '../support/figures.ts';
import { call } from '../support/http.ts';
import { Load, randomFrom } from '../support/load.ts';
import { differences } from '../support/oracle.ts';
import { importWorld, makeWorld, type World } from '../support/registry.ts';
import { type Exit, makeDataDir, removeDataDir, type Service } from '../support/service.ts';
import { announceSeed, smoke, Stage, works } from './stage.ts';
import { compileSyncs, type SyncFault, syncFaultEnv, syncsIn } from './syncs.ts';

const compiles = works('gcc', ['--version']);
const seed = announceSeed();

interface Sending {
  readonly batches: number;
  readonly size: number;
  /** How many are in flight together. */
  readonly together: number;
  readonly pauseMs: number;
}

/** Each batch waits for its sync. */
const FEW: Sending = { batches: 5, size: 5, together: 1, pauseMs: 0 };
/** For as long as it takes the mark to be synced in between, which it is each second. */
const SLOW: Sending = { ...FEW, pauseMs: 500 };
/** So many that checkpoints run meanwhile, and the log is begun again from its start: about 35 MB. */
const MANY: Sending = { batches: 320, size: 100, together: 8, pauseMs: 0 };

interface Place {
  readonly name: string;
  readonly files: readonly string[];
  readonly thread?: string;
  readonly sending: Sending;
  /** A run makes at least so many syncs of these. */
  readonly least: number;
  /** In the short run each so many-th of them alone, from which on the seed says. */
  readonly step: number;
  /** The last that is tried; without it one after the other until a run makes fewer. */
  readonly most?: number;
}

const LOG: Place = { name: 'the write-ahead log', files: ['playproof.db-wal'], sending: FEW, least: 5, step: 4 };
/** A slow machine syncs it as often as it likes. */
const MARK: Place = { name: 'the mark', files: ['playproof.mark.new', 'playproof.mark'], sending: SLOW, least: 3, step: 3, most: 6 };
const REGISTRY: Place = {
  name: 'the registry',
  files: ['registry.db', 'registry.db-journal', 'registry.db-wal'],
  sending: FEW,
  least: 8,
  step: 4,
};
/** Three of them at the first start; then those of checkpoints, of the log begun again, and of the stop. */
const DATABASE: Place = { name: 'the database', files: ['playproof.db', 'playproof.db-journal'], sending: MANY, least: 5, step: 3 };
const CHECKPOINT: Place = {
  name: 'the write-ahead log by a checkpoint under load',
  files: ['playproof.db-wal', 'data'],
  thread: 'checkpoint',
  sending: MANY,
  least: 2,
  step: 2,
};

const ENDS_WITHIN_MS = 20_000;
/** More than any run makes. */
const MAX_SYNCS = 40;

let library: string;
let directory: string;
let world: World;
let stage: Stage;

beforeAll(() => {
  directory = makeDataDir();
  if (compiles) library = compileSyncs(directory);
  const random = randomFrom(seed);
  world = makeWorld(2, { seed, key: () => makeCheapKey('k1', random) });
});

afterAll(() => removeDataDir(directory));

beforeEach(() => {
  stage = new Stage();
});

afterEach(() => stage.close());

type Phase = 'starting' | 'serving' | 'stopping';

interface Life {
  readonly exit: Exit;
  readonly service: Service;
  /** How many of these syncs there were, also the one that went wrong. */
  readonly syncs: number;
  /** When the one that went wrong came; null where none did. */
  readonly struck: { readonly sync: string; readonly phase: Phase } | null;
  /** Codes of registry changes that were refused; each was sent again and taken then. */
  readonly refused: readonly string[];
  /** As the registry answered last that it has it. */
  readonly storeName: string | null;
}

/** Starts, registers, sends, stops, as far as it comes. */
async function live(load: Load, fault: SyncFault, sending: Sending): Promise<Life> {
  const log = path.join(stage.dataDir, 'syncs');
  const service = stage.spawn({ env: syncFaultEnv(library, log, fault) });
  const refused: string[] = [];
  const until = { serving: Infinity, stopping: Infinity };
  let storeName: string | null = null;
  const change = async (ask: () => Promise<{ status: number; code: string }>): Promise<void> => {
    const { status, code } = await ask();
    if (status < 300) return;
    refused.push(`${status} ${code}`);
    expect((await ask()).status).toBeLessThan(300);
  };
  try {
    await service.ready();
    until.serving = syncsIn(log).length;
    const { storeId, supplierId, location } = world.stores[0];
    await change(() => register(service));
    await change(async () => {
      const body = { name: 'Renamed', supplier_id: supplierId, location };
      const { status, json } = await call(service, `/api/v1/stores/${storeId}`, { method: 'PUT', body });
      if (status < 300) storeName = 'Renamed';
      return { status, code: json.code };
    });
    for (let sent = 0; sent < sending.batches && !service.ended; sent += sending.together) {
      await Promise.all(Array.from({ length: sending.together }, () => load.sendGood(service.url, sending.size)));
      await sleep(sending.pauseMs);
    }
    until.stopping = syncsIn(log).length;
    // Of itself, and not because it is told to stop.
    if (fault.how !== 'kill' && fault.files !== REGISTRY.files && fault.at <= until.stopping) {
      await Promise.race([service.exited, sleep(ENDS_WITHIN_MS, null, { ref: false })]);
      expect(service.ended, service.output).not.toBeNull();
    }
  } catch (error) {
    // It ended under our feet: that is the test. Anything else is told.
    if (!service.ended && !(error instanceof TypeError)) throw error;
  }
  const exit = await service.stop();
  const made = syncsIn(log);
  const sync = made[fault.at - 1];
  const phase = fault.at <= until.serving ? 'starting' : fault.at <= until.stopping ? 'serving' : 'stopping';
  return { exit, service, syncs: made.length, struck: sync === undefined ? null : { sync, phase }, refused, storeName };
}

async function register(service: Service): Promise<{ status: number; code: string }> {
  try {
    await importWorld(service, world);
    return { status: 200, code: '' };
  } catch (error) {
    const [, status, code] = /answered (\d+): .*"code":"(\w+)"/.exec(String(error)) ?? [];
    if (status === undefined) throw error;
    return { status: Number(status), code: code ?? '' };
  }
}

/** The files are whole, and everything that was told is there once. */
async function recovered(load: Load, { storeName }: Life): Promise<void> {
  const service = await stage.start();
  if (storeName !== null) {
    expect((await call(service, `/api/v1/stores/${world.stores[0].storeId}`)).json.name).toBe(storeName);
  }
  await importWorld(service, world);
  await load.drain(service.url);
  await load.sendGood(service.url, 5);
  await load.drain(service.url);
  expect(await differences(service, load.ledger)).toEqual([]);
  await service.kill();
}

/** One life for each sync, until one makes fewer of them. @returns those that were struck */
async function atEach(
  { name, files, thread, sending, least, step, most = Infinity }: Place,
  how: SyncFault['how'],
  ended: (life: Life) => void,
): Promise<NonNullable<Life['struck']>[]> {
  const stride = smoke ? step : 1;
  const all: NonNullable<Life['struck']>[] = [];
  for (let at = smoke ? 1 + (seed % step) : 1; at <= most; at += stride) {
    expect(at, `syncs of ${name}`).toBeLessThan(MAX_SYNCS);
    const load = new Load(world, seed + at);
    const life = await live(load, { files, at, how, ...(thread !== undefined && { thread }) }, sending);
    if (life.struck === null) {
      // It was let live, and made fewer: none was passed over.
      expect([life.exit, life.syncs < at, life.service.output]).toEqual([{ code: 0, signal: null }, true, expect.any(String)]);
      break;
    }
    all.push(life.struck);
    ended(life);
    await recovered(load, life);
    await stage.close();
    stage = new Stage();
  }
  console.log(all.map(({ sync, phase }) => `${phase}: ${sync}`).join('\n'));
  expect(all.length).toBeGreaterThanOrEqual(Math.floor(least / stride));
  return all;
}

describe.skipIf(!compiles)('I1: killed at every sync', () => {
  const PLACES = [LOG, MARK, REGISTRY, DATABASE, CHECKPOINT].map((place) => [place.name, place] as const);
  test.each(PLACES)('of %s, nothing acknowledged is lost or counted twice', { timeout: 1_800_000 }, async (name, place) => {
    const all = await atEach(place, 'kill', ({ exit, service }) =>
      expect([exit, service.output]).toEqual([{ code: null, signal: 'SIGKILL' }, expect.any(String)]),
    );
    tellFigure(`killed at ${all.length} syncs of ${name}`);
    // Without a checkpoint that ran while logs came, these would say nothing.
    if (place.sending === MANY && !smoke) expect(all.some(({ phase }) => phase === 'serving')).toBe(true);
  });
});

describe.skipIf(!compiles)('I1, I4: a sync that fails', () => {
  const CASES = [
    ['the write-ahead log, once', LOG, 'fail once'],
    ['the write-ahead log, from then on', LOG, 'fail on'],
    ['the mark', MARK, 'fail once'],
    ['the database', { ...DATABASE, sending: FEW, least: 4, step: 1 }, 'fail once'],
    // SQLite lets the sync of a directory fail.
    ['the write-ahead log by a checkpoint', { ...CHECKPOINT, files: LOG.files, least: 1, step: 1 }, 'fail once'],
  ] as const;
  test.each(CASES)(
    'of %s: it stops acknowledging, says why, and ends; what survived is a duplicate',
    { timeout: 1_800_000 },
    async (_, place, how) => {
      const all = await atEach(place, how, ({ exit, service, struck }) => {
        expect([exit, service.output]).toEqual([{ code: 1, signal: null }, expect.any(String)]);
        expect(service.output).toMatch(/disk I\/O error|EIO: i\/o error/);
        if (struck?.phase !== 'starting') expect(service.output).toContain('the service cannot go on and stops acknowledging');
      });
      tellFigure(`failed at ${all.length} syncs of ${place.name}`);
    },
  );

  test('of the registry: no change is answered that is not durable, and logs are taken', { timeout: 1_800_000 }, async () => {
    const all = await atEach(REGISTRY, 'fail once', ({ exit, service, struck, refused }) => {
      if (struck?.phase === 'starting') {
        expect([exit.code, service.output]).toEqual([1, expect.stringContaining('cannot start: disk I/O error')]);
      } else {
        // As it closes, what the log holds stays there, and the next start reads it.
        expect([exit.code, refused]).toEqual([0, struck?.phase === 'serving' ? ['503 unavailable'] : []]);
      }
    });
    tellFigure(`failed at ${all.length} syncs of the registry`);
    if (!smoke) expect(all.filter(({ phase }) => phase === 'serving').length).toBeGreaterThanOrEqual(2);
  });
});
