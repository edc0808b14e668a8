import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { controlOf, judgeControl, judgeWithout, type Report } from '../../scripts/protections/verdict.ts';
import { EMBEDDED } from '../protections/embedded.ts';
import { DISTRIBUTED } from '../protections/engines.ts';

const root = path.resolve(import.meta.dirname, '../..');
const protections = [...EMBEDDED, ...DISTRIBUTED];

describe('the list of protections that are taken away to see a test fail', () => {
  it.each(protections)('$name: its text stands once in $file, its test is there', ({ file, find, replace, test, config }) => {
    expect(readFileSync(path.join(root, file), 'utf8').split(find)).toHaveLength(2);
    expect(replace).not.toBe(find);
    for (const used of [test, ...(config ? [config] : [])]) expect(existsSync(path.join(root, used)), used).toBe(true);
  });

  it('names each once', () => {
    expect(new Set(protections.map(({ name }) => name)).size).toBe(protections.length);
  });
});

describe('a protection counts as held', () => {
  const report = (...statuses: string[]): Report => ({
    success: !statuses.includes('failed'),
    testResults: [{ assertionResults: statuses.map((status) => ({ status, fullName: 'x', failureMessages: ['why\nwhere'] })) }],
  });

  it('where its test passes on untouched sources: something ran, and nothing failed', () => {
    expect(judgeControl(report('passed', 'skipped'))).toEqual({ ok: true, told: '1 passed' });
    expect(judgeControl(report('passed', 'failed'))).toEqual({ ok: false, told: '1 of 2 failed, first "x": why' });
    expect(judgeControl(report('skipped')).ok).toBe(false);
    expect(judgeControl({ ...report('passed'), success: false }).ok).toBe(false);
    expect(judgeControl(null).ok).toBe(false);
  });

  it('and fails without it, by a test that ran', () => {
    expect(judgeWithout(report('passed', 'failed')).ok).toBe(true);
    expect(judgeWithout(report('passed', 'skipped')).ok).toBe(false);
    expect(judgeWithout({ success: false, testResults: [{ message: 'cannot be loaded', assertionResults: [] }] }).ok).toBe(false);
    expect(judgeWithout(null).ok).toBe(false);
  });

  it('one run before serves all that use its file', () => {
    const a = { test: 'a.test.ts', named: 'one' };
    const b = { test: 'a.test.ts', named: 'two' };
    const whole = { test: 'a.test.ts' };
    const other = { test: 'a.test.ts', named: 'three', config: 'fault.ts' };
    expect(controlOf(a, [a, b, other])).toMatchObject({ test: 'a.test.ts', named: 'one|two' });
    expect(controlOf(a, [a, b]).key).toBe(controlOf(b, [a, b]).key);
    expect(controlOf(other, [a, b, other])).toMatchObject({ named: 'three', config: 'fault.ts' });
    expect(controlOf(a, [a, whole])).not.toHaveProperty('named');
  });
});
