/**
 * Named places where a crash test stops the whole service as a power cut would: `PLAYPROOF_FAILPOINT=name` kills it with
 * SIGKILL on the first pass, `name:3` on the third. Without the variable a pass costs one comparison.
 */
import { writeSync } from 'node:fs';

const [armed, pass] = (process.env.PLAYPROOF_FAILPOINT ?? '').split(':');
let passesLeft = Number(pass ?? 1);

/** Every name that can be armed on any engines, in the order in which a log meets them. Tests walk this list. */
export const FAILPOINTS = [
  'after-verify',
  'before-journal-commit',
  'after-journal-commit',
  'before-answer',
  'inside-settle',
  'before-settle-commit',
  'after-settle',
  'analytics-before-insert',
  'analytics-after-insert',
  'analytics-after-position',
] as const;

/** These besides, where journal, archive and feed are engines apart. */
export const ENGINE_FAILPOINTS = ['before-archive', 'inside-feed-transaction'] as const;

export type Failpoint = (typeof FAILPOINTS)[number] | (typeof ENGINE_FAILPOINTS)[number];

export function failpoint(name: Failpoint): void {
  if (name !== armed) return;
  passesLeft -= 1;
  if (passesLeft > 0) return;
  // So that a test knows that this was the end, and not another.
  writeSync(2, `failpoint ${name}\n`);
  // In a child process the service itself dies first: its parent must not live on to start the child again.
  if (process.send) process.kill(process.ppid, 'SIGKILL');
  process.kill(process.pid, 'SIGKILL');
}
