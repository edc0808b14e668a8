/**
 * House rules that a machine can hold. To add one, add a line to a table.
 */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');

interface Source {
  /** From the root of the repository, with slashes. */
  readonly file: string;
  /** Without comments. */
  readonly code: string;
  /** Files of ours from the root, and packages by name. */
  readonly imports: readonly string[];
}

function sourcesOf(pattern: string): Source[] {
  return globSync(pattern, { cwd: root })
    .filter((file) => !file.includes('node_modules'))
    .sort()
    .map((file) => {
      const code = withoutComments(readFileSync(path.join(root, file), 'utf8'));
      const imports = Array.from(code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g), ([, specifier = '']) =>
        specifier.startsWith('.') ? path.posix.join(path.posix.dirname(file), specifier) : specifier,
      );
      return { file, code, imports };
    });
}

/** Good enough for our own sources: a comment begins a line or follows a space. */
function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1');
}

/** What the code under a folder must not hold, and why. */
const BANNED: readonly { readonly under: string; readonly pattern: RegExp; readonly why: string }[] = [
  { under: 'src/domain', pattern: /\bDate\.now\b|\bnew Date\(\s*\)|\bDate\(\s*\)/, why: 'the domain has no clock: instants are handed in' },
  { under: 'src/domain', pattern: /\bperformance\.|\bprocess\.|\bsetTimeout\b|\bsetInterval\b/, why: 'the domain is pure' },
  {
    under: 'src/domain',
    pattern: /\bMath\.random\b|\brandomUUID\b|\brandomBytes\b|\bgetRandomValues\b/,
    why: 'the domain decides the same each time',
  },
  { under: 'src/domain', pattern: /\bDate\.parse\b/, why: 'Date.parse takes dates that do not exist: parseTimestamp reads them' },
  { under: 'src', pattern: /@ts-(ignore|nocheck|expect-error)/, why: 'the types are right or they are corrected' },
];

/** Packages and parts of Node that a folder may import; everything else there is refused. */
const ALLOWED_PACKAGES: readonly { readonly under: string; readonly packages: readonly string[] }[] = [
  { under: 'src/domain', packages: ['node:buffer', 'node:crypto', 'typebox'] },
];

/** Files that only some others may import. */
const BACKEND = /^src\/(.*\/(sqlite|mongo|kafka|edge)-[a-z-]+\.ts|analytics\/embedded\/)/;
/** Where a thread, a process or a command begins: each composes what runs in it. */
const ROOT = /^src\/(compose\/|cli\/|.*-worker\.ts|.*-process\.ts|analytics\/embedded\/child\.ts)/;

const GUARDED: readonly { readonly target: RegExp; readonly importers: RegExp; readonly why: string }[] = [
  { target: /^(?!src\/domain\/)/, importers: /^(?!src\/domain\/)/, why: 'the domain imports nothing of ours' },
  {
    target: BACKEND,
    importers: new RegExp(`${ROOT.source}|${BACKEND.source}`),
    why: 'only composition roots and other backends name a backend',
  },
];

const sources = sourcesOf('src/**/*.ts');

describe('house rules', () => {
  it('look at the sources', () => {
    expect(sources.length).toBeGreaterThan(20);
    expect(sources.find(({ file }) => file === 'src/domain/rules.ts')?.imports).toContain('src/domain/keys.ts');
  });

  it.each(BANNED)('nothing under $under matches $pattern: $why', ({ under, pattern }) => {
    expect(sources.filter(({ file, code }) => file.startsWith(`${under}/`) && pattern.test(code)).map(({ file }) => file)).toEqual([]);
  });

  it.each(ALLOWED_PACKAGES)('$under imports only $packages from outside', ({ under, packages }) => {
    const strangers = sources
      .filter(({ file }) => file.startsWith(`${under}/`))
      .flatMap(({ file, imports }) =>
        imports.filter((name) => !name.startsWith('src/') && !packages.includes(name)).map((name) => `${file}: ${name}`),
      );
    expect(strangers).toEqual([]);
  });

  it.each(GUARDED)('$why', ({ target, importers }) => {
    const wrong = sources
      .filter(({ file }) => !importers.test(file))
      .flatMap(({ file, imports }) =>
        imports.filter((name) => name.startsWith('src/') && target.test(name)).map((name) => `${file}: ${name}`),
      );
    expect(wrong).toEqual([]);
  });
});
