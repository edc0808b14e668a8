/** Disks that can be filled: small ones of their own, mounted for one directory. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, statfsSync, truncateSync, writeSync } from 'node:fs';
import path from 'node:path';
import { makeDataDir, removeDataDir } from './service.ts';

const FILLER = 'filler';
const MEBIBYTE = 1024 * 1024;
/** Left for writing byte by byte, since a file system takes less than it says is free. */
const LEFT_MEBIBYTES = 8;

/** Writes a file until the disk of the directory has no byte left. */
export function fillDisk(directory: string): void {
  const name = path.join(directory, FILLER);
  const file = openSync(name, 'a');
  const { bavail, bsize } = statfsSync(directory);
  const mebibytes = Math.floor((bavail * bsize) / MEBIBYTE) - LEFT_MEBIBYTES;
  // Without writing it, where the file system can: a large disk is full at once.
  if (mebibytes > LEFT_MEBIBYTES) execFileSync('fallocate', ['-l', `${mebibytes}MiB`, name], { stdio: 'pipe' });
  for (let size = MEBIBYTE; size >= 1; size = Math.floor(size / 4)) {
    try {
      for (;;) writeSync(file, Buffer.alloc(size));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
  closeSync(file);
}

export function freeDisk(directory: string): void {
  rmSync(path.join(directory, FILLER), { force: true });
}

/** Mounts a file system in a file, which takes space on the real disk as it is used. @throws Error where that is not allowed. */
export function mountImage(image: string, directory: string, bytes: number): void {
  closeSync(openSync(image, 'w'));
  truncateSync(image, bytes);
  execFileSync('mkfs.ext4', ['-q', '-m', '0', image], { stdio: 'pipe' });
  execFileSync('mount', ['-o', 'loop', image, directory], { stdio: 'pipe' });
}

/** Mounts a small disk in memory. */
export function mountMemory(directory: string, mebibytes: number): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', directory], { stdio: 'pipe' });
}

/** Whether a file system can be mounted here; says why not. */
export function canMount(): boolean {
  const directory = makeDataDir();
  try {
    mountMemory(directory, 1);
    unmount(directory);
    return true;
  } catch (error) {
    console.log(`skipped: no small disk can be mounted here (${error instanceof Error ? error.message.trim() : String(error)})`);
    return false;
  } finally {
    removeDataDir(directory);
  }
}

/** @param directory Where it was mounted; also with files open. */
export function unmount(directory: string): void {
  execFileSync('umount', ['-l', directory], { stdio: 'pipe' });
}
