/**
 * I1, I2, I5: the machine's clock jumps under the running service. What was received stays received when it was, nothing is taken a
 * second time, and plays are judged by the clock of their receipt. The clock is moved by a small library before libc's.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { call, send } from '../support/http.ts';
import { Load } from '../support/load.ts';
import { MovedClock } from '../support/moved-clock.ts';
import { differences, readFeed, waitComplete } from '../support/oracle.ts';
import { idsFrom, importWorld, makeWorld, play, type World } from '../support/registry.ts';
import type { Service } from '../support/service.ts';
import type { SignedLog } from '../support/signing.ts';
import { announceSeed, scaled, Stage, works } from './stage.ts';

const HOUR_MS = 3_600_000;
const compiles = works('gcc', ['--version']);
const seed = announceSeed();

let world: World;
let nextId: () => string;
let stage: Stage;
let clock: MovedClock;

beforeAll(() => {
  world = makeWorld(2, { seed });
  nextId = idsFrom(seed + 1);
});

beforeEach(() => {
  stage = new Stage();
});

afterEach(() => stage.close());

async function start(): Promise<Service> {
  const service = await stage.start({ env: clock.env });
  await importWorld(service, world);
  return service;
}

/** A play that ended five seconds ago by the clock of the service. */
function recent(): SignedLog {
  return play(world, { endedAt: clock.now() - 5_000 }, { log_id: nextId() });
}

type Heard = { readonly outcome: string; readonly at: number } | { readonly code: string };

/** Sends one log into the ledger. */
async function receive(service: Service, load: Load, log: SignedLog): Promise<Heard> {
  load.ledger.sending(log);
  const { json } = await send(service, log.body);
  if (json.outcome === undefined) {
    load.ledger.heard(log, json.code, null);
    return { code: json.code };
  }
  load.ledger.heard(log, json.outcome, json);
  return { outcome: json.outcome, at: Date.parse(json.received_at) };
}

/** Every log is in the feed once, with the instant that was told first. */
async function firstInstantsStand(service: Service, told: ReadonlyMap<SignedLog, number>): Promise<void> {
  const { copies } = await readFeed(service);
  expect(copies.map(({ logId, verdict }) => [logId, Date.parse(verdict.split(' ').at(-1) ?? '')])).toEqual(
    [...told].map(([{ logId }, at]) => [logId, at]),
  );
}

test.skipIf(!compiles)('jumps of two hours forward and back, with repeats of everything: first instants stand', async () => {
  clock = new MovedClock(stage.dataDir);
  let service = await start();
  const load = new Load(world, seed);
  const told = new Map<SignedLog, number>();
  /** As this very process told it. */
  const lately = new Map<SignedLog, number>();
  for (const jump of [0, 2, -2, 2, 0, -2, 0]) {
    clock.moveTo(jump * HOUR_MS);
    const log = recent();
    const got = await receive(service, load, log);
    if (!('at' in got)) throw new Error(`a good log was refused: ${got.code}`);
    // By the clock of the moment, which is how we know that the clock is moved at all.
    expect(Math.abs(got.at - clock.now())).toBeLessThan(HOUR_MS / 2);
    told.set(log, got.at);
    lately.set(log, got.at);
    for (const earlier of told.keys()) {
      const again = await receive(service, load, earlier);
      // After a restart it may be heard as new, which settling knows better. One from the future the archive knows, once it is settled.
      if ('code' in again) expect(again.code).toBeOneOf(['in_future', 'unavailable']);
      else if (again.outcome === 'duplicate') expect(again.at).toBe(lately.get(earlier) ?? told.get(earlier));
      else lately.set(earlier, again.at);
    }
    // Without the memory of what was seen, settling alone knows.
    if (jump !== 0) {
      await service.kill();
      lately.clear();
      service = await start();
    }
  }
  clock.moveTo(0);
  for (const log of told.keys()) await receive(service, load, log);
  expect(await differences(service, load.ledger)).toEqual([]);
  await firstInstantsStand(service, told);
});

const MIDNIGHTS = scaled(
  [
    ['midnight of a leap day', '2028-02-28T23:59:58Z'],
    ['the end of a leap day', '2028-02-29T23:59:58Z'],
    ['the end of a year', '2026-12-31T23:59:58Z'],
  ] as const,
  (_, i) => i === 0,
);

test.skipIf(!compiles).each(MIDNIGHTS)('%s passes under load: each log once, on the day it ended', async (_, instant) => {
  clock = new MovedClock(stage.dataDir);
  const service = await start();
  clock.moveTo(Date.parse(instant) - Date.now());
  const load = new Load(world, seed);
  const told = new Map<SignedLog, number>();
  const days = new Map<string, number>();
  while (clock.now() < Date.parse(instant) + 8_000) {
    const log = recent();
    const got = await receive(service, load, log);
    if (!('at' in got)) throw new Error(`a good log was refused: ${got.code}`);
    told.set(log, got.at);
    const day = (JSON.parse(log.body) as { ended_at: string }).ended_at.slice(0, 10);
    days.set(day, (days.get(day) ?? 0) + 1);
    await sleep(20);
  }
  await waitComplete(service, clock.now());
  const report = await call(service, '/api/v1/reports/plays?by=day');
  const rows = (report.json.rows as { day: string; plays: number }[]).map(({ day, plays }) => [day.slice(0, 10), plays]);
  expect(rows).toEqual([...days]);
  expect(days.size).toBe(2);
  expect(await differences(service, load.ledger)).toEqual([]);
  await firstInstantsStand(service, told);
});
