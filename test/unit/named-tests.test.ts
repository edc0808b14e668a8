import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { namedTests, titlePattern } from '../support/named-tests.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

describe('the tests that a document names', () => {
  it.each(['docs/security.md', 'docs/reliability.md'])('%s: exist, by file and title', (document) => {
    const titles = namedTests(readFileSync(path.join(ROOT, document), 'utf8')).flatMap(({ file, titles: quoted }) =>
      quoted.map((title) => ({ file, title })),
    );
    expect(titles.length).toBeGreaterThan(20);
    const missing = titles.filter(({ file, title }) => {
      const full = path.join(ROOT, file);
      return !existsSync(full) || !titlePattern(title).test(readFileSync(full, 'utf8'));
    });
    expect(missing).toEqual([]);
  });

  it('are read with every title that is quoted behind the file', () => {
    expect(namedTests('by `test/a.test.ts`: "one …", "two"; `b.contract.ts` "three", `c.test.ts`: x "no title"')).toEqual([
      { file: 'test/a.test.ts', titles: ['one …', 'two'] },
      { file: 'b.contract.ts', titles: ['three'] },
      { file: 'c.test.ts', titles: [] },
    ]);
    expect(titlePattern('killed at … , nothing').test("it('killed at $stage, nothing is lost'")).toBe(true);
    expect(titlePattern('a … c').test('a b\nc')).toBe(false);
  });
});
