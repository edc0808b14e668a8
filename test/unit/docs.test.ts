import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
const DOCUMENTS = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  ...readdirSync(path.join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

/** Paths of the repository that a document names between backticks, and files that it links to. */
function pathsIn(document: string): string[] {
  const text = readFileSync(path.join(ROOT, document), 'utf8');
  const named = [...text.matchAll(/`((?:src|test|device|bench|docs)\/[\w./*-]*)`/g)].map(([, name]) => name as string);
  const linked = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(([, target]) =>
    path.relative(ROOT, path.resolve(ROOT, path.dirname(document), target as string)),
  );
  return [...named, ...linked];
}

/** `src/accept/judge-*` names every file that begins so. */
function exists(name: string): boolean {
  if (!name.includes('*')) return existsSync(path.join(ROOT, name));
  const folder = path.join(ROOT, path.dirname(name));
  const start = path.basename(name).split('*')[0] as string;
  return existsSync(folder) && readdirSync(folder).some((file) => file.startsWith(start));
}

describe('the documents are true', () => {
  it.each(DOCUMENTS)('every file that %s names exists', (document) => {
    expect(pathsIn(document).filter((name) => !exists(name))).toEqual([]);
  });

  it('ARCHITECTURE.md names every folder of src', () => {
    const text = readFileSync(path.join(ROOT, 'ARCHITECTURE.md'), 'utf8');
    const folders = readdirSync(path.join(ROOT, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map(({ name }) => `src/${name}/`).filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });
});
