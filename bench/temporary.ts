/** Directories of a measurement. They are removed when it ends, also when it is interrupted: some hold thirty gigabytes. */
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';

const INTERRUPTED = { SIGINT: 130, SIGTERM: 143 } as const;
/** A process that is being killed may still write into it. */
const RETRIES = 10;
const made = new Set<string>();

/** @param directory Where it is made. @param name What its own name begins with. */
export function makeTemporary(directory: string, name: string): string {
  const at = mkdtempSync(path.join(directory, name));
  made.add(at);
  return at;
}

export function removeTemporary(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: RETRIES });
  made.delete(directory);
}

/** Somebody wants it: it is left when the program ends. */
export function keepTemporary(directory: string): void {
  made.delete(directory);
}

/** Called once, where the program begins. */
export function removeAtExit(): void {
  process.once('exit', () => {
    for (const directory of made) removeTemporary(directory);
  });
  for (const [signal, code] of Object.entries(INTERRUPTED)) process.once(signal, () => process.exit(code));
}
