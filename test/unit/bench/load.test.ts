import { describe, expect, it } from 'vitest';
import { Fleet } from '../../../bench/load/fleet.ts';
import { outcomeOf } from '../../../bench/load/loops.ts';
import { seeded, uuids } from '../../../bench/load/random.ts';
import { Requests } from '../../../bench/load/requests.ts';
import { verifyColumn } from '../../../bench/machine.ts';
import { readOptions } from '../../../bench/options.ts';
import { DEFAULT_RULES } from '../../../src/domain/limits.ts';
import { decodeLog } from '../../../src/domain/playback-log.ts';
import { readBatch, readSingleLog } from '../../../src/domain/strict-json.ts';
import { isUuid } from '../../../src/domain/uuid.ts';

describe('ids of a load', () => {
  it('of version 7 grow, also within a millisecond and when the clock goes back', () => {
    const times = [1_700_000_000_000, ...Array.from({ length: 5_000 }, () => 1_700_000_000_001), 1_600_000_000_000];
    const next = uuids('v7', seeded(1), () => times.shift() ?? 0);
    const ids = Array.from({ length: 5_002 }, next);
    expect(ids.every((id) => isUuid(id) && id[14] === '7' && '89ab'.includes(id[19] ?? ''))).toBe(true);
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('of version 4 are well formed and different', () => {
    const next = uuids('v4', seeded(1), () => 0);
    const ids = Array.from({ length: 1_000 }, next);
    expect(ids.every((id) => isUuid(id) && id[14] === '4' && '89ab'.includes(id[19] ?? ''))).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('logs of a load', () => {
  const fleet = new Fleet({ seed: 1, devices: 2, ids: 'v7' });

  it('are taken by the readers of the service', () => {
    const ids: string[] = [];
    const single = readSingleLog(Buffer.from(fleet.single(ids)));
    const batch = readBatch(Buffer.from(fleet.batch(3, ids)), 100);
    if (!single.ok || !batch.ok) throw new Error('a body was not read');
    const decoded = [single.value, ...batch.value.logs].map(({ value }) => decodeLog(value as object, DEFAULT_RULES));
    expect(decoded.map((result) => (result.ok ? result.log.logId : result.detail))).toEqual(ids);
  });

  it('are made beforehand within the memory given, and otherwise when needed', () => {
    const requests = new Requests(fleet);
    const ready = requests.prepare(10, 1_000, 40_000);
    expect(ready).toBeGreaterThan(10);
    expect(ready).toBeLessThan(100);
    const ids = Array.from({ length: ready / 10 + 2 }, () => requests.take(10).logId);
    expect([...ids].sort()).toEqual(ids);
    expect(requests.signedLate).toBe(20);
  });
});

describe('answers', () => {
  it('are counted by what they say', () => {
    expect(outcomeOf(1, 202, '{')).toEqual({ accepted: 1, duplicates: 0, rejected: 0 });
    expect(outcomeOf(1, 200, '{')).toEqual({ accepted: 0, duplicates: 1, rejected: 0 });
    expect(outcomeOf(1, 422, '{')).toEqual({ accepted: 0, duplicates: 0, rejected: 1 });
    expect(outcomeOf(100, 207, '{"accepted":97,"duplicates":2,"rejected":1,"results":[')).toEqual({
      accepted: 97,
      duplicates: 2,
      rejected: 1,
    });
  });

  it.each([
    [1, 503],
    [1, 429],
    [1, 500],
    [100, 503],
    [100, 400],
  ])('to %i logs with status %i say nothing of them', (logs, status) => {
    expect(outcomeOf(logs, status, '{"accepted":1,"duplicates":0,"rejected":0,')).toBeNull();
  });
});

describe('the speed of openssl', () => {
  it('is read under its head, in the older form and the newer one', () => {
    const older = '                  sign    verify    sign/s verify/s\nrsa 2048 bits 0.000219s 0.000013s   4562.0  74785.7\n';
    const newer =
      '                     sign    verify    encrypt   decrypt   sign/s verify/s  encr./s  decr./s\n' +
      'rsa  2048 bits 0.000220s 0.000013s 0.000014s 0.000230s   4541.2  76000.5  71000.1   4300.9\n';
    expect(verifyColumn(older)).toBe(74_785.7);
    expect(verifyColumn(newer)).toBe(76_000.5);
  });

  it('is not guessed from another form', () => {
    expect(() => verifyColumn('rsa 2048 bits 1 2 3')).toThrow('another form');
  });
});

describe('options of the benchmark', () => {
  it('have defaults', () => {
    expect(readOptions([])).toMatchObject({
      mode: { name: 'loads', only: ['batch', 'single', 'single-open', 'open'] },
      seconds: 12,
      ids: 'v7',
      rate: 10_000,
    });
  });

  it('choose what is measured', () => {
    const mode = (...args: string[]) => readOptions(args).mode;
    expect(mode('--table')).toEqual({ name: 'table', quick: false });
    expect(mode('--table', '--quick')).toEqual({ name: 'table', quick: true });
    expect(mode('--grow', '20')).toEqual({ name: 'grow', logs: 20_000_000, keep: false });
    expect(mode('--grow', '0.25', '--keep')).toEqual({ name: 'grow', logs: 250_000, keep: true });
    expect(mode('--memory', '10')).toEqual({ name: 'memory', minutes: 10 });
    expect(mode('--ramp', '2000:40000:8')).toEqual({ name: 'ramp', plan: { from: 2_000, to: 40_000, steps: 8 } });
    expect(mode('--only', 'single')).toEqual({ name: 'loads', only: ['single'] });
    expect(mode('--wrk')).toEqual({ name: 'wrk' });
  });

  it.each([
    ['--seconds', '0'],
    ['--seconds', '1.5'],
    ['--only', 'batch,slow'],
    ['--ids', 'v1'],
    ['--unknown'],
    ['stray'],
    ['--quick'],
    ['--keep'],
    ['--table', '--overload'],
    ['--wrk', '--only', 'batch'],
    ['--grow', '0'],
    ['--grow', 'many'],
    ['--ramp', '1000:500:3'],
    ['--ramp', '1000:2000'],
  ])('refuse %s %s', (...args) => {
    expect(() => readOptions(args)).toThrow();
  });
});
