import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
const TEXT = readFileSync(path.join(ROOT, 'docs/security.md'), 'utf8');

it('docs/security.md names tests that exist, by file and title', () => {
  const named = [...TEXT.matchAll(/`(test\/[\w./-]+\.ts)`((?:,? "[^"]+")+)/g)].flatMap(([, file = '', titles = '']) =>
    [...titles.matchAll(/"([^"]+)"/g)].map(([, title = '']) => ({ file, title })),
  );
  expect(named.length).toBeGreaterThan(20);
  const missing = named.filter(({ file, title }) => {
    const full = path.join(ROOT, file);
    return !existsSync(full) || !readFileSync(full, 'utf8').includes(title);
  });
  expect(missing).toEqual([]);
});
