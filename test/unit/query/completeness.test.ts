import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CompletenessTracker } from '../../../src/query/completeness.ts';
import { FeedSignal } from '../../../src/query/feed-signal.ts';

interface Log {
  readonly receivedAt: number;
  /** Where it stands in the journal; null while it is in flight. */
  position: number | null;
}

/** Journal, settler and loader as numbers; logs as what was received. */
class Model {
  now = 1_000;
  end = 0;
  settled = 0;
  loaded: number | null = 0;
  readonly logs: Log[] = [];
  readonly tracker = new CompletenessTracker({
    now: () => this.now,
    oldestInFlight: () => {
      const waiting = this.logs.filter(({ position }) => position === null).map(({ receivedAt }) => receivedAt);
      return waiting.length === 0 ? null : Math.min(...waiting);
    },
    end: () => this.end,
    settled: () => this.settled,
    loaded: () => this.loaded,
  });

  receive(): void {
    this.logs.push({ receivedAt: this.now, position: null });
  }

  /** Any of those in flight: journal order is not the order of receipt. */
  append(which: number): void {
    const waiting = this.logs.filter(({ position }) => position === null);
    const log = waiting[which % Math.max(1, waiting.length)];
    if (!log) return;
    this.end += 1;
    log.position = this.end;
  }

  async assertHonest(): Promise<number> {
    const { instant } = await this.tracker.completeUntil();
    for (const { receivedAt, position } of this.logs) {
      if (receivedAt < instant) expect(position, `received at ${receivedAt}, claimed until ${instant}`).not.toBeNull();
      if (receivedAt < instant) expect(position).toBeLessThanOrEqual(this.loaded ?? 0);
    }
    return instant;
  }
}

describe('how complete the figures are', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const step = fc.oneof(
    fc.record({ kind: fc.constantFrom('receive', 'receive', 'append', 'append', 'settle', 'load', 'away', 'ask'), n: fc.nat(1_000) }),
    fc.record({ kind: fc.constant('pass'), n: fc.nat(400) }),
  );

  it('never claims an instant for which a log received before it is not loaded, and claims everything in the end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        const model = new Model();
        let last = 0;
        for (const { kind, n } of steps) {
          if (kind === 'receive') model.receive();
          else if (kind === 'append') model.append(n);
          else if (kind === 'settle') model.settled = Math.min(model.end, model.settled + n);
          else if (kind === 'load') model.loaded = Math.min(model.settled, (model.loaded ?? 0) + (n % 3));
          else if (kind === 'away') model.loaded = null;
          else if (kind === 'pass') {
            model.now += n;
            vi.advanceTimersByTime(n);
          }
          const instant = await model.assertHonest();
          expect(instant).toBeGreaterThanOrEqual(last);
          last = instant;
        }
        for (const _log of model.logs) model.append(0);
        model.settled = model.end;
        model.loaded = model.end;
        model.now += 1;
        expect(await model.assertHonest()).toBe(model.now);
        expect(await model.tracker.completeUntil()).toEqual({ instant: model.now });
        model.tracker.close();
      }),
    );
  });

  it('takes claims back when the wall clock is set back, as far as it can see', async () => {
    const model = new Model();
    vi.advanceTimersByTime(200);
    expect(await model.assertHonest()).toBe(1_000);
    model.now = 400;
    model.receive();
    expect(await model.assertHonest()).toBe(400);
    model.now = 450;
    model.append(0);
    expect(await model.assertHonest()).toBe(400);
    model.settled = 1;
    model.loaded = 1;
    expect(await model.assertHonest()).toBe(450);
  });

  it('says what is waited for', async () => {
    const model = new Model();
    model.receive();
    model.append(0);
    expect((await model.tracker.completeUntil()).reason).toBe('1 logs wait to be settled.');
    model.settled = 1;
    expect((await model.tracker.completeUntil()).reason).toBe('1 logs wait to be loaded.');
    model.loaded = null;
    expect((await model.tracker.completeUntil()).reason).toMatch(/starting, or away/);
  });

  it('keeps a bounded number of samples however long nothing is loaded, and loses no honesty by it', async () => {
    const model = new Model();
    model.loaded = 0;
    for (let i = 0; i < 50_000; i += 1) {
      model.now += 100;
      model.end += 1;
      vi.advanceTimersByTime(100);
    }
    model.settled = model.end;
    model.loaded = Math.floor(model.end / 2);
    const { instant } = await model.tracker.completeUntil();
    const halfWay = 1_000 + 50 * model.end;
    expect(instant).toBeLessThanOrEqual(halfWay + 100);
    expect(instant).toBeGreaterThan(halfWay - 1_000);
  });
});

describe('the signal of the feed', () => {
  it('wakes those who wait, and lets nobody sleep through what came before', async () => {
    const signal = new FeedSignal();
    const never = new AbortController();
    const seen = signal.count;
    const waits = [signal.wait(seen, 60_000, never.signal), signal.wait(seen, 60_000, never.signal)];
    signal.published();
    await Promise.all(waits);
    await signal.wait(seen, 60_000, never.signal);
    expect(signal.count).toBe(seen + 1);
  });

  it('ends at its time, and when it is aborted', async () => {
    const signal = new FeedSignal();
    await signal.wait(signal.count, 1, new AbortController().signal);
    const abort = new AbortController();
    const wait = signal.wait(signal.count, 60_000, abort.signal);
    abort.abort();
    await wait;
    await signal.wait(signal.count, 60_000, abort.signal);
  });

  it('leaves nothing behind on a signal that many waits share', async () => {
    const signal = new FeedSignal();
    const { signal: abort } = new AbortController();
    const added = vi.spyOn(abort, 'addEventListener');
    const removed = vi.spyOn(abort, 'removeEventListener');
    for (let i = 0; i < 20; i += 1) {
      const wait = signal.wait(signal.count, 60_000, abort);
      signal.published();
      await wait;
    }
    expect([added.mock.calls.length, removed.mock.calls.length]).toEqual([20, 20]);
    expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(added.mock.calls.map(([, listener]) => listener));
  });
});
