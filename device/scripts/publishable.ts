/** Writes `dist/package.json`: what is published is the compiled output, which runs on Node 20 and later. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const source = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
const { name, version, description, license, type } = source;
const published = {
  name,
  version,
  description,
  license,
  type,
  engines: { node: '>=20' },
  sideEffects: false,
  types: './index.d.ts',
  exports: { '.': { types: './index.d.ts', default: './index.js' } },
};
await writeFile(path.join(root, 'dist', 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
await copyFile(path.join(root, 'README.md'), path.join(root, 'dist', 'README.md'));
