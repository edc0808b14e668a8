import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
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
