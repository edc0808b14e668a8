import { setTimeout as sleep } from 'node:timers/promises';

/** Waits for what will be true; a test that waits in vain fails by its own time limit. */
export async function waitUntil(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(10);
}
