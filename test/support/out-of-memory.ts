/** How a service may end that has too little memory. */
import type { Service } from './service.ts';

/** V8 says this before it aborts; nothing of ours can run any more then. What is not durable was not acknowledged. */
const V8_SAYS = /JavaScript heap out of memory|Allocation failed/;
const WE_SAY = /the service cannot go on and stops acknowledging|playproof: cannot start: /;

/**
 * Null while it runs. Two ends count: exit code 1 with a sentence of ours, or SIGABRT after V8 said that the heap is full.
 *
 * @throws Error for any other end: code 0 under load, another signal, or silence.
 */
export function endForWantOfMemory({ ended, output }: Service): string | null {
  if (ended === null) return null;
  const { code, signal } = ended;
  if (code === 1 && WE_SAY.test(output)) return 'ended with code 1 and a sentence';
  if (signal === 'SIGABRT' && V8_SAYS.test(output)) return 'aborted, out of memory';
  throw new Error(`it ended with ${JSON.stringify(ended)}, which is no end for want of memory:\n${output.slice(-4_000)}`);
}
