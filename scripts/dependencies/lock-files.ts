/** The folders that have a lock file of their own, and npm asked about one of them. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** From the project's root, which comes first. */
export const LOCKED = ['.', 'engines/kafka-client'] as const;

export const lockFileOf = (folder: string): string => path.join(folder, 'package-lock.json');

/** Reads what npm writes to its standard output, whatever its exit code: by the lock file alone, nothing need be installed. */
export function askNpm(folder: string, args: readonly string[]): { readonly output: string; readonly said: string } {
  const { stdout, stderr, error } = spawnSync('npm', [...args, '--package-lock-only'], {
    cwd: path.join(ROOT, folder),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error) throw error;
  return { output: stdout, said: stderr.trim() };
}

export function readProject(file: string): unknown {
  return JSON.parse(readFileSync(path.join(ROOT, file), 'utf8'));
}
