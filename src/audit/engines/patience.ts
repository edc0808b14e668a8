import { setTimeout as sleep } from 'node:timers/promises';
import { AuditImpossible } from '../http-analytics.ts';

const ATTEMPTS = 8;
const FIRST_PAUSE_MS = 250;

/** Reading repeated for about half a minute: an audit of hours does not end because an engine was started anew. @throws AuditImpossible */
export async function patiently<T>(what: string, read: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await read();
    } catch (error) {
      if (attempt < ATTEMPTS) {
        await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1));
        continue;
      }
      const told = error instanceof Error ? error.message : String(error);
      throw new AuditImpossible(`${what} cannot be read: ${told}. Audit again when it is there`, { cause: error });
    }
  }
}
