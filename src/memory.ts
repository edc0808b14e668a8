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
