import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Counters } from '../../../src/counters.ts';
import { SettleLoop } from '../../../src/settle/settle-loop.ts';
import { PositionLost, type SettleStep } from '../../../src/settle/settlement.ts';

class FakeSettlement {
  waiting = 0;
  steps = 0;
  atOnce = 0;
  most = 0;
  fault: Error | null = null;
  gate: Promise<void> = Promise.resolve();

  async step(limit: number): Promise<SettleStep> {
    this.steps += 1;
    this.atOnce += 1;
    this.most = Math.max(this.most, this.atOnce);
    await this.gate;
    this.atOnce -= 1;
    if (this.fault) throw this.fault;
    const taken = Math.min(limit, this.waiting);
    this.waiting -= taken;
    return { taken, owners: taken, duplicates: 0, conflicts: 0, quarantined: 0 };
  }
}

let settlement: FakeSettlement;
let counters: Counters;
let failures: Error[];
let loop: SettleLoop;
let backlogFault: Error | null;

beforeEach(() => {
  vi.useFakeTimers();
  settlement = new FakeSettlement();
  counters = new Counters();
  failures = [];
  backlogFault = null;
  loop = new SettleLoop({
    settlement,
    backlog: () => {
      if (backlogFault) throw backlogFault;
      return settlement.waiting;
    },
    counters,
    onStep: () => {},
    onFailure: (error) => failures.push(error),
  });
});
afterEach(() => {
  loop.stop();
  vi.useRealTimers();
});

function append(rows: number): void {
  settlement.waiting += rows;
  loop.nudge();
}

describe('the settling loop', () => {
  it('says that the read position is lost', async () => {
    settlement.fault = new Error('the disk is full');
    append(1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(counters.get('positionLost')).toBe(0);
    settlement.fault = new PositionLost('it is gone');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(counters.get('positionLost')).toBe(1);
  });

  it('settles what was appended, soon while little waits and at once while much does', async () => {
    append(5);
    expect(settlement.steps).toBe(0);
    await vi.advanceTimersByTimeAsync(20);
    expect(settlement.waiting).toBe(0);
    append(5_000);
    expect(settlement.steps).toBe(2);
    await vi.advanceTimersByTimeAsync(100);
    expect([settlement.waiting, counters.get('settledPlays')]).toEqual([0, 5_005]);
    const { steps } = settlement;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(settlement.steps).toBe(steps);
  });

  it('goes on by itself after a failure, with pauses that grow, and tells each', async () => {
    settlement.fault = new Error('the disk is full');
    append(3);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(failures.length).toBeGreaterThan(5);
    expect(failures.length).toBeLessThan(25);
    expect(counters.get('settleFailures')).toBe(failures.length);
    settlement.fault = null;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(settlement.waiting).toBe(0);
    append(1);
    await vi.advanceTimersByTimeAsync(20);
    expect(settlement.waiting).toBe(0);
  });

  it.each(['a step', 'the backlog'])('stops for good when %s finds the position lost', async (where) => {
    const lost = new PositionLost('it is missing');
    if (where === 'a step') settlement.fault = lost;
    else backlogFault = lost;
    expect(() => append(3)).not.toThrow();
    await vi.advanceTimersByTimeAsync(60_000);
    append(5_000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(failures).toEqual([lost]);
    expect(settlement.steps).toBe(where === 'a step' ? 1 : 0);
  });

  it('never has two steps under way, also while it drains', async () => {
    const gate = Promise.withResolvers<void>();
    settlement.gate = gate.promise;
    append(4_000);
    loop.stop();
    const drained = loop.drain();
    await vi.advanceTimersByTimeAsync(100);
    gate.resolve();
    await drained;
    expect([settlement.waiting, settlement.most]).toEqual([0, 1]);
  });

  it('rejects a drain with the first failure', async () => {
    settlement.fault = new Error('away');
    settlement.waiting = 1;
    await expect(loop.drain()).rejects.toThrow('away');
  });
});
