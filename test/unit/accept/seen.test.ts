import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Allowance } from '../../../src/accept/allowance.ts';
import { SeenWindow } from '../../../src/accept/seen.ts';

const WALL = Date.UTC(2026, 8, 1);

/** Sixteen bytes of id and thirty-two of hash, as they lie in a record. */
function bytesOf(id: number, content: number): Buffer {
  const bytes = Buffer.alloc(48);
  bytes.writeUInt32BE(id, 12);
  bytes.writeUInt32BE(content, 16);
  return bytes;
}

describe('the window of logs seen', () => {
  it('knows what a map knows, for as long as it promised, whatever the wall clock does', () => {
    const step = fc.record({
      id: fc.nat(40),
      content: fc.nat(2),
      flags: fc.nat(7),
      pass: fc.nat(400),
      jump: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: -9e9, max: 9e9 }) }),
      add: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const windowMs = 1_000;
        const seen = new SeenWindow(windowMs);
        const model = new Map<number, { content: number; flags: number; receivedAt: number; at: number }>();
        let now = 0;
        let wall = WALL;
        for (const { id, content, flags, pass, jump, add } of steps) {
          now += pass;
          wall += pass + jump;
          const known = model.get(id);
          const found = seen.find(bytesOf(id, content), 0, 16);
          if (known && now - known.at <= windowMs) {
            expect(found).toEqual({ flags: known.flags, receivedAt: known.receivedAt, sameContent: known.content === content });
          } else if (found) {
            // It may remember longer; never something that was not there.
            expect(known).toMatchObject({ flags: found.flags, receivedAt: found.receivedAt });
          }
          if (!found && add) {
            seen.add(bytesOf(id, content), 0, 16, flags, wall, now);
            model.set(id, { content, flags, receivedAt: wall, at: now });
          }
        }
      }),
    );
  });

  it('tells the first verdict also when few logs come for weeks', () => {
    const seen = new SeenWindow();
    const day = 86_400_000;
    for (let n = 0; n < 60; n += 1) {
      seen.add(bytesOf(n, n), 0, 16, 5, WALL + n * day, n * day);
      expect(seen.find(bytesOf(n, n), 0, 16)).toEqual({ flags: 5, receivedAt: WALL + n * day, sameContent: true });
    }
    // What is long past does not stay: a day apart, hardly more than the last of them.
    expect(seen.size).toBeLessThanOrEqual(3);
  });

  it('tells the first verdict also when the wall clock jumps by more than an entry can hold', () => {
    const seen = new SeenWindow();
    const jumps = [0, 6, -6, 400, -400, 3].map((days) => WALL + days * 86_400_000);
    for (const [n, receivedAt] of jumps.entries()) seen.add(bytesOf(n, n), 0, 16, 1, receivedAt, n);
    expect(jumps.map((_receivedAt, n) => seen.find(bytesOf(n, n), 0, 16)?.receivedAt)).toEqual(jumps);
  });

  it('grows to a million logs at a few dozen bytes each, and forgets them', () => {
    const seen = new SeenWindow(1_000);
    const bytes = Buffer.alloc(48);
    const before = process.memoryUsage().arrayBuffers;
    const many = 1_000_000;
    for (let n = 0; n < many; n += 1) {
      bytes.writeUInt32LE(n, 0);
      seen.add(bytes, 0, 16, n % 8, WALL + (n % 1_000), 0);
    }
    expect(seen.size).toBe(many);
    expect((process.memoryUsage().arrayBuffers - before) / many).toBeLessThan(60);
    for (let n = 0; n < many; n += 9_973) {
      bytes.writeUInt32LE(n, 0);
      expect(seen.find(bytes, 0, 16)?.flags).toBe(n % 8);
    }
    bytes.writeUInt32LE(many, 0);
    expect(seen.find(bytes, 0, 16)).toBeNull();
    seen.add(bytes, 0, 16, 0, WALL, 5_000);
    expect(seen.size).toBe(1);
  });
});

describe('the allowance of a device', () => {
  it('is so many an hour, for each device by itself', () => {
    const allowance = new Allowance(2);
    expect([allowance.take('a', 0), allowance.take('a', 1), allowance.take('a', 2)]).toEqual([true, true, false]);
    expect(allowance.take('b', 2)).toBe(true);
    expect(allowance.take('a', 3_599_999)).toBe(false);
    expect([allowance.take('a', 3_600_000), allowance.take('a', 3_600_001), allowance.take('a', 3_600_002)]).toEqual([true, true, false]);
    expect(new Allowance(0).take('a', 0)).toBe(false);
  });

  it('never gives one device more than twice its number in any hour', () => {
    const times = fc.array(fc.nat(4 * 3_600_000), { maxLength: 200 }).map((all) => all.toSorted((a, b) => a - b));
    fc.assert(
      fc.property(times, fc.integer({ min: 1, max: 5 }), (all, perDevice) => {
        const allowance = new Allowance(perDevice);
        const taken = all.filter((time) => allowance.take('a', time));
        for (const start of taken)
          expect(taken.filter((t) => t >= start && t < start + 3_600_000).length).toBeLessThanOrEqual(2 * perDevice);
      }),
    );
  });
});
