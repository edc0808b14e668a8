import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileFigures } from '../../scripts/reliability/test-figures.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
let place = '';

function runFixture(args: readonly string[], env: Record<string, string> = {}): string {
  return execFileSync(
    path.join(ROOT, 'node_modules/.bin/vitest'),
    ['run', '-c', 'test/support/figures-fixture/vitest.config.ts', ...args],
    {
      cwd: ROOT,
      encoding: 'utf8',
      env: { ...process.env, FIGURES_PLACE: place, FAULT_SCALE: '', ...env },
    },
  );
}

const kept = () => JSON.parse(readFileSync(path.join(place, 'cases.json'), 'utf8')) as FileFigures[];

describe("what is kept of the runner's tests", () => {
  beforeAll(() => {
    place = mkdtempSync(path.join(tmpdir(), 'playproof-figures-'));
  });

  afterAll(() => rmSync(place, { recursive: true, force: true }));

  it.each([[['-t', 'passes']], [['test/support/figures-fixture/cases.ts:6']]])('nothing of a run by name or line: %s', (filter) => {
    expect(runFixture(filter)).toContain('keeps nothing of this run');
    expect(existsSync(path.join(place, 'cases.json'))).toBe(false);
  });

  it('state, retries, the lines of the last attempt, and the scale; a short run beside the full one', () => {
    runFixture([]);
    runFixture([], { FAULT_SCALE: 'smoke' });
    const [full, short, ...others] = kept();
    expect(others).toEqual([]);
    expect([full?.scale, short?.scale]).toEqual(['full', 'smoke']);
    expect(full?.tests.map(({ name, state, retries, said }) => ({ name, state, retries, said }))).toEqual([
      { name: 'passes', state: 'passed', retries: 0, said: ['figure: once'] },
      { name: 'passes the second time', state: 'passed', retries: 1, said: ['figure: attempt 2'] },
      { name: 'is skipped', state: 'skipped', retries: 0, said: [] },
    ]);
  });
});
