import { setFlagsFromString } from 'node:v8';

/**
 * Lets the heaps of this process grow to nine tenths of their limit before V8 begins to mark them. Left alone it begins as soon as less
 * than a young generation is left, which a small heap with buffers in flight reaches several times a second, at a core's time of
 * 50 ms each (docs/decisions/0016). Threads that start later have it too.
 */
export function markLate(): void {
  setFlagsFromString('--incremental-marking-soft-trigger=90');
  setFlagsFromString('--incremental-marking-hard-trigger=97');
}

/**
 * Gives the memory of a buffer back at once, when its content was copied or sent and nothing else looks at it. Left to the
 * garbage collector it would count as external memory, and some hundred megabytes a second of it make V8 mark its whole heap
 * several times a second.
 *
 * A view of a part of a larger buffer is left alone: the rest may be somebody else's.
 */
export function release(view: Uint8Array): void {
  const { buffer } = view;
  if (buffer instanceof ArrayBuffer && !buffer.detached && view.byteLength === buffer.byteLength) buffer.transfer(0);
}
