import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MAX_RUNNING, MAX_WAIT_MS, MAX_WAITING, QuerySlots } from '../../../src/analytics/query-slots.ts';
import { Problem } from '../../../src/server/problem.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test('some run, some wait in their order, more are refused', async () => {
  const slots = new QuerySlots();
  for (let i = 0; i < MAX_RUNNING; i += 1) await slots.take();
  const order: number[] = [];
  const waiting = Array.from({ length: MAX_WAITING }, (_, i) => slots.take().then(() => order.push(i)));
  await expect(slots.take()).rejects.toMatchObject({ code: 'overloaded' });
  for (let i = 0; i < MAX_WAITING; i += 1) slots.give();
  await Promise.all(waiting);
  expect(order).toEqual(Array.from({ length: MAX_WAITING }, (_, i) => i));
  // All slots come back: as many may run again as before.
  for (let i = 0; i < MAX_RUNNING; i += 1) slots.give();
  for (let i = 0; i < MAX_RUNNING; i += 1) await slots.take();
});

test('nobody waits longer than the bound, and who left takes no slot', async () => {
  const slots = new QuerySlots();
  for (let i = 0; i < MAX_RUNNING; i += 1) await slots.take();
  const late = slots.take();
  const told = expect(late).rejects.toMatchObject({ code: 'overloaded' });
  await vi.advanceTimersByTimeAsync(MAX_WAIT_MS);
  await told;
  slots.give();
  await slots.take();
});

test('those that wait hear why when analytics goes away', async () => {
  const slots = new QuerySlots();
  for (let i = 0; i < MAX_RUNNING; i += 1) await slots.take();
  const waiting = slots.take();
  slots.refuseWaiting(new Problem('unavailable', 'gone'));
  await expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
});
