/** The machine that a figure was measured on, and how fast it verifies signatures at that moment. */
import { execFile } from 'node:child_process';
import { createVerify, generateKeyPairSync, sign, verify } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { promisify } from 'node:util';
import { VERSION } from '../src/version.ts';

const run = promisify(execFile);

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly os: string;
  readonly node: string;
  readonly sqlite: string;
  readonly openssl: string;
  readonly chdb: string;
  readonly playproof: string;
  /** Of the directory that the data lies in; on `tmpfs` a sync costs nothing and figures say little. */
  readonly fileSystem: string;
  readonly loadAverage: number;
}

export interface VerifySpeed {
  /** RSA-2048 verifications a second on one core. */
  readonly perSecond: number;
  readonly source: 'openssl speed' | 'node:crypto';
}

const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0x01021994: 'tmpfs',
  0xef53: 'ext4',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x794c7630: 'overlayfs',
  0x2fc12fc1: 'zfs',
};

export function describeMachine(directory: string): Machine {
  const chdb = createRequire(import.meta.url)('chdb/package.json') as { version: string };
  const { type } = statfsSync(directory);
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    os: `${os.type()} ${os.release()} ${os.arch()}`,
    node: process.versions.node,
    sqlite: process.versions.sqlite ?? 'unknown',
    openssl: process.versions.openssl,
    chdb: chdb.version,
    playproof: VERSION,
    fileSystem: FILE_SYSTEMS[type] ?? `0x${type.toString(16)}`,
    loadAverage: os.loadavg()[0] ?? 0,
  };
}

/** Two seconds of `openssl speed`, or of Node's own OpenSSL where the command is not there. */
export async function measureVerifySpeed(seconds = 2): Promise<VerifySpeed> {
  let output: string;
  try {
    ({ stdout: output } = await run('openssl', ['speed', '-seconds', String(seconds), 'rsa2048']));
  } catch {
    return { perSecond: verifyLoop(seconds), source: 'node:crypto' };
  }
  return { perSecond: verifyColumn(output), source: 'openssl speed' };
}

/** The figure under `verify/s`. Columns are found by their heads: OpenSSL 3.2 and later print more of them. */
export function verifyColumn(output: string): number {
  const lines = output.split('\n');
  const head = lines.find((line) => line.includes('verify/s'));
  const row = lines.find((line) => /^rsa\s+2048 bits/.test(line));
  const names = head?.trim().split(/\s+/) ?? [];
  const values =
    row
      ?.replace(/^rsa\s+2048 bits/, '')
      .trim()
      .split(/\s+/) ?? [];
  const value = Number(values[names.indexOf('verify/s')]);
  if (!(value > 0) || names.length !== values.length) throw new Error('the output of `openssl speed` has another form than expected');
  return value;
}

function verifyLoop(seconds: number): number {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const data = Buffer.alloc(32, 1);
  const signature = sign('sha256', data, privateKey);
  if (!createVerify('sha256').update(data).verify(publicKey, signature)) throw new Error('node:crypto does not verify its own signature');
  const start = performance.now();
  let count = 0;
  for (; performance.now() - start < seconds * 1000; count += 1) verify('sha256', data, publicKey, signature);
  return count / ((performance.now() - start) / 1000);
}
