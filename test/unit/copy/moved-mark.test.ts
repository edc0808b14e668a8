import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assertNotMoved, Moved, type MovedMark, readMovedMark, writeMovedMark } from '../../../src/copy/moved-mark.ts';
import { playproof } from '../cli/run-cli.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'playproof-moved-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const MARK: MovedMark = { state: 'copying', feedId: 'f', begun: ['f'], since: '2026-01-02T03:04:05.678Z' };

describe('the mark of a data directory that is moved', () => {
  it('is read as it was written, and replaced as a whole', () => {
    expect(readMovedMark(dir)).toBe(null);
    assertNotMoved(dir);
    writeMovedMark(dir, MARK);
    expect(readMovedMark(dir)).toEqual(MARK);
    writeMovedMark(dir, { ...MARK, state: 'open' });
    assertNotMoved(dir);
    expect(readdirSync(dir)).toEqual(['moved.json']);
  });

  it.each([
    ['copying', /is being copied to other engines since 2026-01-02.*playproof copy --from .*--undo/],
    ['copied', /was moved to other engines on 2026-01-02.*--undo/],
  ] as const)('%s: nothing is written into the directory, with what to do', (state, told) => {
    writeMovedMark(dir, { ...MARK, state });
    expect(() => assertNotMoved(dir)).toThrow(Moved);
    expect(() => assertNotMoved(dir)).toThrow(told);
  });

  it.each(['', '{', 'null', '{"state":"gone"}', '{"state":"open"}'])('%j is no mark: refused, as it may have been one', (text) => {
    writeFileSync(path.join(dir, 'moved.json'), text);
    expect(() => assertNotMoved(dir)).toThrow(/cannot be read.*docs\/operations\.md/);
  });

  it.each([[['start']], [['registry', 'import', 'x.json']], [['token', 'create', '--role', 'operator']]])(
    '%j refuses, exit 1',
    async (args) => {
      writeMovedMark(dir, { ...MARK, state: 'copied' });
      writeFileSync(path.join(dir, 'x.json'), '{}');
      const { code, stderr } = await playproof(args, { cwd: dir, env: { PLAYPROOF_DATA_DIR: dir, PLAYPROOF_HTTP_PORT: '0' } });
      expect(code).toBe(1);
      expect(stderr).toMatch(/was moved to other engines/);
      expect(readdirSync(dir).filter((name) => name.endsWith('.db'))).toEqual([]);
    },
  );
});

describe('playproof copy', () => {
  it.each([
    ['without a source', ['copy'], 2, /--from/],
    ['--undo with another option', ['copy', '--from', '.', '--undo', '--json'], 2, /--undo goes with --from alone/],
    ['to embedded engines', ['copy', '--from', '.'], 1, /set PLAYPROOF_PROFILE to cluster or edge/],
    ['--undo where nothing is', ['copy', '--from', '.', '--undo'], 1, /there is no .*playproof\.db to copy/],
  ])('%s: a sentence and its exit code', async (_what, args, exit, told) => {
    const { code, stderr } = await playproof(args, { cwd: dir });
    expect(code).toBe(exit);
    expect(stderr).toMatch(told);
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});
