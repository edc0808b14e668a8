/** After any sequence of changes, what judges see at any instant equals a model that writes down each instant on its own. */
import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DeviceFacts } from '../../src/domain/facts.ts';
import { Problem } from '../../src/server/problem.ts';
import { deviceFacts, keyOf, type RegistryHarness, STORE } from './registry.contract.ts';

/** Instants of the model are 1 to 39, two seconds apart; 0 stands for all time before. */
const SPAN = 40;
const UNIT = 2_000;
const instant = fc.integer({ min: 1, max: SPAN - 1 });
const perhaps = fc.option(instant, { nil: null });
const which = fc.integer({ min: 0, max: 1 });

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ op: fc.constant('assign'), store: which, active: fc.boolean(), since: perhaps }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('later'), by: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('retireStore'), store: which }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('retireDevice') }) },
  {
    weight: 2,
    arbitrary: fc
      .record({ key: which, from: perhaps, length: perhaps })
      .map(({ key, from, length }) => ({ op: 'key', key, from, until: length === null ? null : (from ?? 0) + length })),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('revoke'), key: which, at: perhaps, compromised: fc.boolean() }) },
);
type Step = { op: string; store?: number; active?: boolean; since?: number | null; by?: number; key?: number } & {
  from?: number | null;
  until?: number | null;
  at?: number | null;
  compromised?: boolean;
};

interface Cell {
  readonly store: number;
  readonly active: boolean;
}

interface ModelKey {
  readonly from: number | null;
  readonly registeredUntil: number | null;
  until: number;
  compromised: number;
  /** For each instant. */
  readonly valid: boolean[];
}

/** For each instant of the span one cell; a change paints the cells that it is about. */
class Model {
  now = 1;
  readonly cells: Cell[] = [];
  /** Where the newest change began; 0 while there was only the first. */
  painted = 0;
  readonly storeGone: [number, number] = [Infinity, Infinity];
  deviceGone = Infinity;
  readonly keys = new Map<number, ModelKey>();

  get registered(): boolean {
    return this.cells.length > 0;
  }

  /** Whether the registry has to take the step. */
  apply({
    op,
    store = 0,
    active = true,
    since = null,
    by = 0,
    key = 0,
    from = null,
    until = null,
    at = null,
    compromised = false,
  }: Step): boolean {
    if (op === 'assign') return this.#assign({ store, active }, since);
    if (op === 'key') return this.#key(key, from, until);
    if (op === 'revoke') return this.#revoke(key, at, compromised);
    if (op === 'later') this.now = Math.min(this.now + by, SPAN - 1);
    if (op === 'retireStore') this.storeGone[store as 0 | 1] = Math.min(this.storeGone[store as 0 | 1], this.now);
    if (op === 'retireDevice' && this.registered) this.deviceGone = Math.min(this.deviceGone, this.now);
    return true;
  }

  #assign(cell: Cell, since: number | null): boolean {
    if (this.deviceGone < Infinity || this.storeGone[cell.store as 0 | 1] < Infinity) return false;
    const last = this.cells.at(-1);
    if (!last) {
      this.cells.push(...Array.from({ length: SPAN }, () => cell));
      return true;
    }
    if (last.store === cell.store && last.active === cell.active) return since === null || since >= this.painted;
    const start = since ?? this.now;
    if (start <= this.painted) return false;
    this.cells.fill(cell, start);
    this.painted = start;
    return true;
  }

  #key(id: number, from: number | null, until: number | null): boolean {
    if (!this.registered || this.deviceGone < Infinity) return false;
    const before = this.keys.get(id);
    if (before) return before.from === from && (before.registeredUntil === until || before.until === until);
    const valid = Array.from({ length: SPAN }, (_, t) => t >= (from ?? 0) && t < (until ?? SPAN));
    this.keys.set(id, { from, registeredUntil: until, until: until ?? Infinity, compromised: Infinity, valid });
    return true;
  }

  #revoke(id: number, at: number | null, compromised: boolean): boolean {
    const key = this.keys.get(id);
    if (!key || (at !== null && at > key.until && !compromised)) return false;
    const end = at ?? this.now;
    key.valid.fill(false, end);
    key.until = Math.max(Math.min(key.until, end), key.from ?? 0);
    if (compromised) key.compromised = Math.min(key.compromised, end);
    return true;
  }

  at(t: number): Cell {
    // From its retirement on a device stays where it stood just before.
    const cell = this.cells[Math.min(t, this.deviceGone - 1)] as Cell;
    return { store: cell.store, active: cell.active && t < this.storeGone[cell.store as 0 | 1] && t < this.deviceGone };
  }
}

export function registryHistoryContract(name: string, open: () => Promise<RegistryHarness>): void {
  let harness: RegistryHarness;
  beforeAll(async () => {
    harness = await open();
  });
  afterAll(() => harness.dispose());

  test(`${name}: facts at any instant equal a model of each instant`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const model = new Model();
        const stores = [randomUUID(), randomUUID()] as const;
        const deviceId = randomUUID();
        harness.setNow(UNIT);
        for (const storeId of stores) await harness.registry.put('store', storeId, STORE);
        for (const drawn of steps as Step[]) {
          // Two changes at one instant get instants of their own: too fine for the model, and tested elsewhere.
          const one = drawn.op === 'assign' && drawn.since === null && model.painted === model.now ? { ...drawn, since: model.now } : drawn;
          const taken = model.apply(one);
          harness.setNow(model.now * UNIT);
          expect(await perform(harness, stores, deviceId, one), JSON.stringify(one)).toBe(taken);
          compare(model, stores, await deviceFacts(harness.view, deviceId));
        }
      }),
      { numRuns: 150 },
    );
  });
}

function scaled(t: number | null): number | null {
  return t === null ? null : t * UNIT;
}

async function perform({ registry }: RegistryHarness, stores: readonly [string, string], deviceId: string, one: Step): Promise<boolean> {
  const { op, store = 0, active = true, since = null, key = 0, from = null, until = null, at = null, compromised = false } = one;
  try {
    if (op === 'assign') await registry.put('device', deviceId, { storeId: stores[store] as string, active, since: scaled(since) });
    else if (op === 'retireStore') await registry.retire('store', stores[store] as string);
    else if (op === 'retireDevice') await registry.retire('device', deviceId);
    else if (op === 'key') await registry.addKey(deviceId, keyOf(`k${key}`, { validFrom: scaled(from), validUntil: scaled(until) }));
    else if (op === 'revoke') await registry.revokeKey(deviceId, `k${key}`, { at: scaled(at), compromised });
    return true;
  } catch (error) {
    if (error instanceof Problem) return false;
    throw error;
  }
}

function compare(model: Model, stores: readonly [string, string], facts: DeviceFacts | null): void {
  expect(facts !== null).toBe(model.registered);
  if (!facts) return;
  for (let t = 0; t < SPAN; t += 1) {
    const seen = facts.assignments.findLast(({ since }) => since === null || since <= t * UNIT);
    const { store, active } = model.at(t);
    expect({ t, store: seen?.store.storeId, active: seen?.active }).toEqual({ t, store: stores[store], active });
  }
  for (const [key, { valid, compromised }] of model.keys) {
    const found = facts.keys.find(({ keyId }) => keyId === `k${key}`);
    const seen = valid.map((_, t) => (found?.validFrom ?? 0) <= t * UNIT && t * UNIT < (found?.validUntil ?? Infinity));
    expect(seen).toEqual(valid);
    expect(found?.compromisedAt ?? Infinity).toBe(compromised * UNIT);
  }
}
