/**
 * One process per directory. The lock is a file with the holder's process id and start time, put in place by link(2), which
 * fails when the name is taken. What a dead process left behind is moved aside by rename(2), which only one of two can win.
 */
import { randomBytes } from 'node:crypto';
import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DeviceError } from './errors.ts';

/** Locks of this very process: its own id in a file says nothing about them. */
const held = new Set<string>();

export interface DirectoryLock {
  release(): Promise<void>;
}

/** @throws DeviceError `queue_locked` while a living process has the directory. */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const file = path.join(path.resolve(directory), 'lock');
  if (held.has(file)) throw new DeviceError('queue_locked', `${directory} is already open in this process; close it first`);
  held.add(file);
  const own = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    await writeFile(own, JSON.stringify({ pid: process.pid, started: await startOf(process.pid) }));
    await take(file, own, directory);
  } catch (error) {
    held.delete(file);
    throw error;
  } finally {
    await unlink(own).catch(ignoreMissing);
  }
  return {
    async release() {
      await unlink(file).catch(ignoreMissing);
      held.delete(file);
    },
  };
}

async function take(file: string, own: string, directory: string): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    try {
      await link(own, file);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = await readFile(file, 'utf8').catch(ignoreMissing);
    if (holder === undefined) continue;
    if (await isAlive(holder)) {
      throw new DeviceError('queue_locked', `${directory} is in use by another process (${holder}); one process may use a queue`);
    }
    const aside = `${own}.stale`;
    await rename(file, aside).catch(ignoreMissing);
    const moved = await readFile(aside, 'utf8').catch(ignoreMissing);
    // Another process may have taken over between the look and the move: then its lock goes back.
    if (moved !== undefined && moved !== holder) await link(aside, file).catch(ignoreTaken);
    await unlink(aside).catch(ignoreMissing);
  }
  throw new DeviceError('queue_locked', `${directory} changes hands all the time; one process may use a queue`);
}

async function isAlive(holder: string): Promise<boolean> {
  let pid = 0;
  let started: string | null = null;
  try {
    const parsed = JSON.parse(holder) as { pid?: unknown; started?: unknown };
    if (typeof parsed.pid === 'number') pid = parsed.pid;
    if (typeof parsed.started === 'string') started = parsed.started;
  } catch {
    // An unreadable lock was written by a process that died while writing: link(2) never shows a half-written one.
    return false;
  }
  // Our own id in a lock that we do not hold: an earlier process had the same id (usual in containers).
  if (pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const now = await startOf(pid);
  return started === null || now === null || now === started;
}

/** When the process started, as Linux tells it; null where this cannot be known; '' for one that is dead and not yet reaped. */
async function startOf(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? '' : (fields[19] ?? null);
  } catch {
    return null;
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}

function ignoreTaken(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'EEXIST' && error.code !== 'ENOENT') throw error;
  return undefined;
}
