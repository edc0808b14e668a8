/**
 * Runs a fleet of simulated screens against a service: registers the world, plays at a steady rate (time-compressed: a play
 * claims seconds of the recent past and takes none), and ends when every queue is empty or the bound on that has passed.
 */
import { performance } from 'node:perf_hooks';
import { createDirectSender } from './direct.ts';
import { Ledger, type LedgerCounts, type LedgerEntry, type ToldAnswer } from './ledger.ts';
import { screenPlan, type Step } from './plan.ts';
import { createRandom, type Random } from './random.ts';
import { FleetScreen } from './screen.ts';
import { type KeyPair, makeKeys, makeWorld, type World } from './world.ts';

export interface FleetOptions {
  /** `http://127.0.0.1:8080`. */
  readonly baseUrl: string;
  readonly adminToken: string;
  readonly seed: string;
  /** How many screens. */
  readonly screens: number;
  /** How long to play; Infinity: until `signal`. */
  readonly durationMs: number;
  /** Steps a second, over all screens. */
  readonly rate: number;
  /** At most so many steps; no bound by default. */
  readonly steps?: number;
  /** For the queues of the screens. */
  readonly dir: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: FleetProgress) => void;
  readonly onAnswer?: (entry: LedgerEntry, answer: ToldAnswer) => void;
  readonly onWorld?: (world: World) => void;
  readonly progressMs?: number;
  /** Bound on emptying the queues at the end; 30 s, or 5 s after `signal`. */
  readonly drainMs?: number;
  readonly salt?: string;
  /** Given where they are to be used again; otherwise made. One more than screens. */
  readonly keys?: readonly KeyPair[];
  readonly ledger?: Ledger;
  readonly backoff?: { readonly minMs: number; readonly maxMs: number };
}

export interface FleetProgress extends LedgerCounts {
  readonly elapsedMs: number;
  readonly queued: number;
  readonly offline: number;
  readonly clockSkews: number;
}

export interface FleetResult extends FleetProgress {
  readonly world: World;
  readonly ledger: Ledger;
  /** Every queue was empty at the end. */
  readonly drained: boolean;
}

const BURST = 5;
const TICK_MS = 25;
/** While so much waits in the queues, no more is played: a service that is away must not fill the disk of a demonstration. */
const MAX_QUEUED = 50_000;
const MAX_RUNNING = 256;
const INTERRUPTED_DRAIN_MS = 5_000;

/** @throws Error when the service does not take the world. */
export async function runFleet(options: FleetOptions): Promise<FleetResult> {
  const { seed, baseUrl } = options;
  const keys = options.keys ?? (await makeKeys(options.screens + 1));
  const world = makeWorld({ seed, screens: options.screens, keys, ...(options.salt !== undefined && { salt: options.salt }) });
  await callAdmin(options, 'POST', '/api/v1/registry/import', world.registry);
  options.onWorld?.(world);
  const ledger = options.ledger ?? new Ledger();
  const ending = new AbortController();
  const direct = createDirectSender(baseUrl, ending.signal);
  const root = createRandom(seed);
  const screens = world.screens.map((spec) => {
    const random = root.fork(`network ${spec.index}`);
    const { dir } = options;
    const backoff = options.backoff ?? { minMs: 250, maxMs: 2000 };
    return new FleetScreen({ spec, world, baseUrl, dir, ledger, direct, random, onAnswer: options.onAnswer ?? (() => {}), backoff });
  });
  const started = performance.now();
  const progress = (): FleetProgress => snapshot(ledger, screens, performance.now() - started);
  const timer = options.onProgress && setInterval(() => options.onProgress?.(progress()), options.progressMs ?? 1000);
  try {
    await Promise.all(screens.map((screen) => screen.open()));
    await play(options, world, screens, root);
    ending.abort();
    const bound = options.signal?.aborted ? INTERRUPTED_DRAIN_MS : (options.drainMs ?? 30_000);
    const drained = await drain(screens, bound, options.signal);
    return { ...progress(), world, ledger, drained };
  } finally {
    clearInterval(timer);
    await Promise.all(screens.map((screen) => screen.close()));
    direct.close();
  }
}

function snapshot(ledger: Ledger, screens: readonly FleetScreen[], elapsedMs: number): FleetProgress {
  let [queued, offline, clockSkews] = [0, 0, 0];
  for (const { state } of screens) {
    queued += state.queued;
    offline += state.offline ? 1 : 0;
    clockSkews += state.clockSkews;
  }
  return { ...ledger.counts(), elapsedMs, queued, offline, clockSkews };
}

/** The order in which screens act, and what they do, come from the seed; the clock decides only how far it gets. */
export function* schedule(world: World, root: Random): Generator<{ readonly screen: number; readonly steps: readonly Step[] }, never> {
  const order = root.fork('schedule');
  const plans = world.screens.map((spec) => screenPlan(world, spec.index, root.fork(`screen ${spec.index}`)));
  for (;;) {
    const screen = order.integer(0, plans.length - 1);
    const plan = plans[screen] as (typeof plans)[number];
    yield { screen, steps: Array.from({ length: BURST }, () => plan.next().value) };
  }
}

async function play(options: FleetOptions, world: World, screens: readonly FleetScreen[], root: Random): Promise<void> {
  const { durationMs, rate, steps: maxSteps = Number.POSITIVE_INFINITY, signal } = options;
  const bursts = schedule(world, root);
  const running = new Set<Promise<void>>();
  const faults: unknown[] = [];
  const started = performance.now();
  let late: Promise<void> | null = null;
  let steps = 0;
  const goesOn = (): boolean => steps < maxSteps && signal?.aborted !== true && faults.length === 0;
  while (goesOn()) {
    const elapsed = performance.now() - started;
    if (elapsed >= durationMs) break;
    if (late === null && (elapsed > Math.min(durationMs / 2, 10_000) || steps > maxSteps / 2)) {
      late = registerLate(options, world, screens);
    }
    const waiting = screens.reduce((sum, screen) => sum + screen.state.queued, 0);
    const due = waiting < MAX_QUEUED ? Math.min(maxSteps, (elapsed * rate) / 1000) : 0;
    while (steps < due && running.size < MAX_RUNNING) {
      const burst = bursts.next().value;
      const screen = screens[burst.screen] as FleetScreen;
      for (const step of burst.steps.slice(0, maxSteps - steps)) {
        const one = screen.perform(step).catch((error: unknown) => void faults.push(error));
        const counted: Promise<void> = one.then(() => void running.delete(counted));
        running.add(counted);
        steps += 1;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await (late ?? registerLate(options, world, screens));
  for (const screen of screens) screen.recover();
  await Promise.all(running);
  if (faults.length > 0) throw new Error('a screen could not record its play', { cause: faults[0] });
}

/** A campaign that the service hears of after its first plays. */
async function registerLate(options: FleetOptions, world: World, screens: readonly FleetScreen[]): Promise<void> {
  const { campaignId, advertiserId, name } = world.lateCampaign;
  await callAdmin(options, 'PUT', `/api/v1/campaigns/${campaignId}`, { advertiser_id: advertiserId, name });
  for (const screen of screens) screen.kick();
}

async function drain(screens: readonly FleetScreen[], boundMs: number, signal: AbortSignal | undefined): Promise<boolean> {
  const until = performance.now() + boundMs;
  for (;;) {
    const empty = await Promise.all(screens.map((screen) => screen.flush(Math.min(1000, Math.max(0, until - performance.now())))));
    if (empty.every(Boolean)) return true;
    if (performance.now() >= until || (signal?.aborted && boundMs > INTERRUPTED_DRAIN_MS)) return false;
  }
}

class Refused extends Error {
  override readonly name = 'Refused';
}

/** A service that restarts under the fleet (as in crash tests) gets a minute to come back. */
async function callAdmin(options: FleetOptions, method: string, path: string, body: object): Promise<void> {
  const until = performance.now() + 60_000;
  for (;;) {
    let trouble: string;
    try {
      const response = await fetch(options.baseUrl + path, {
        method,
        headers: { authorization: `Bearer ${options.adminToken}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(15_000),
      });
      const text = await response.text();
      if (response.ok) return;
      trouble = `HTTP ${response.status}: ${text.slice(0, 2000)}`;
      if (response.status < 500) throw new Refused(`${method} ${path} was refused with ${trouble}`);
    } catch (error) {
      if (error instanceof Refused) throw error;
      trouble = error instanceof Error ? error.message : String(error);
    }
    if (performance.now() >= until || options.signal?.aborted) throw new Error(`${method} ${path} was not answered: ${trouble}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
