/** The syncs of a service, by a small library before libc's (syncs.c): counted over all its threads, and made to go wrong. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export interface SyncFault {
  /** Names without their directory. */
  readonly files: readonly string[];
  /** The syncs of threads of this name alone. */
  readonly thread?: string;
  /** Which of them, counted from 1. */
  readonly at: number;
  /** The process is killed there, or that sync fails with an I/O error, or each from there on. */
  readonly how: 'kill' | 'fail once' | 'fail on';
}

/** Compiles the library into the directory; gcc has to be there. @returns the library */
export function compileSyncs(directory: string): string {
  const library = path.join(directory, 'syncs.so');
  const source = fileURLToPath(new URL('syncs.c', import.meta.url));
  execFileSync('gcc', ['-O2', '-shared', '-fPIC', '-o', library, source, '-ldl', '-lpthread']);
  return library;
}

/** For the process whose syncs they are. @param log Where they are noted. */
export function syncFaultEnv(library: string, log: string, { files, thread, at, how }: SyncFault): Record<string, string> {
  return {
    LD_PRELOAD: library,
    FAULT_SYNC_LOG: log,
    FAULT_SYNC_FILES: files.join(':'),
    FAULT_SYNC_AT: String(at),
    ...(thread !== undefined && { FAULT_SYNC_THREAD: thread }),
    ...(how !== 'kill' && { FAULT_SYNC_ERROR: how === 'fail once' ? 'once' : 'on' }),
  };
}

/** `file thread` of each sync that was made or tried, in their order. */
export function syncsIn(log: string): string[] {
  return existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : [];
}
