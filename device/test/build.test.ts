import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from './support/temporary.ts';

const root = path.join(import.meta.dirname, '..');
const tsc = path.join(root, '..', 'node_modules', '.bin', 'tsc');

describe('the published package', () => {
  it('is compiled by plain tsc, and runs and delivers types without the sources', async () => {
    const directory = path.join(await temporaryDirectory(), 'node_modules', '@playproof', 'device');
    await mkdir(directory, { recursive: true });
    execFileSync(tsc, ['-p', path.join(root, 'tsconfig.build.json'), '--outDir', directory]);
    await writeFile(
      path.join(directory, 'package.json'),
      JSON.stringify({ name: '@playproof/device', type: 'module', exports: { '.': './index.js' } }),
    );
    const files = await readdir(directory);
    expect(files).toContain('index.d.ts');
    expect(files.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual([]);
    expect(await readFile(path.join(directory, 'index.js'), 'utf8')).not.toContain(".ts'");
    const consumer = path.join(directory, '..', '..', '..', 'player.mjs');
    await writeFile(
      consumer,
      `import * as sdk from '@playproof/device'; console.log(sdk.canonicalize({ b: typeof sdk.openDevice, a: 1 }));`,
    );
    const run = spawnSync(process.execPath, [consumer], { encoding: 'utf8' });
    expect(run.stderr).toBe('');
    expect(run.stdout.trim()).toBe('{"a":1,"b":"function"}');
  });

  it('depends on nothing but Node', async () => {
    const manifest = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as object;
    expect(Object.keys(manifest).filter((name) => /dependencies/i.test(name))).toEqual([]);
    for (const file of await readdir(path.join(root, 'src'))) {
      const text = await readFile(path.join(root, 'src', file), 'utf8');
      for (const [, from] of text.matchAll(/from '([^']+)'/g)) expect(from).toMatch(/^(?:node:|\.\/)/);
    }
  });
});
