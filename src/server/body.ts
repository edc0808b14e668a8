/**
 * Reading request bodies within bounds: each body has a limit, and all bodies held at once share a budget, so that neither
 * one large body nor many slow ones can grow the memory of the process.
 */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { release } from '../memory.ts';
import { Problem } from './problem.ts';
import { compileValidator } from './validation.ts';

/** A shared count of bytes. `take` answers false, and takes nothing, where the bytes would not fit. */
export interface Budget {
  take(bytes: number): boolean;
  give(bytes: number): void;
}

/** At most `limitBytes` are taken at any time. `used` is for metrics. */
export class ByteBudget implements Budget {
  readonly limitBytes: number;
  used = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  take(bytes: number): boolean {
    if (this.used + bytes > this.limitBytes) return false;
    this.used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.used -= bytes;
  }
}

/** The first piece of memory for a body that does not come in one chunk; it doubles from here. */
const FIRST_CAPACITY = 16 * 1024;

type Fail = (problem: Problem) => void;

/** Bodies being read now, so that a fault of the connection (a timeout, bad chunking) can end the reading with an answer. */
const readers = new WeakMap<IncomingMessage, Fail>();

/** Clients that wait to be told to send their body (`Expect: 100-continue`). */
const waiting = new WeakMap<IncomingMessage, () => void>();

/** Says how this request's client is told to go on; `readBody` does it once nothing speaks against the body. */
export function whenBodyIsWanted(request: IncomingMessage, goOn: () => void): void {
  waiting.set(request, goOn);
}

/** Ends the reading of this request's body with `problem`. Returns false where no body is being read, or it is all here. */
export function failBody(request: IncomingMessage, problem: Problem): boolean {
  if (request.complete) return false;
  const fail = readers.get(request);
  fail?.(problem);
  return fail !== undefined;
}

/** Whether the request announces a body of at least one byte. */
export function announcesBody(request: IncomingMessage): boolean {
  if (request.headers['transfer-encoding'] !== undefined) return true;
  const length = request.headers['content-length'];
  return length !== undefined && Number(length) !== 0;
}

/**
 * Reads the whole body. The buffer owns its ArrayBuffer (byteOffset 0, exact length), so it can be transferred to a thread.
 *
 * What is read is taken from `budget` as memory is needed for it. When the promise resolves, `length` bytes are still taken
 * and the caller gives them back once it is done with the buffer; when it rejects, nothing is.
 *
 * @throws Problem too_large as soon as more than `limitBytes` are announced or read; overloaded where the budget is used up;
 *   malformed where the connection ends before the body does. What the client still sends is then discarded.
 */
export function readBody(stream: IncomingMessage, limitBytes: number, budget: Budget): Promise<Buffer<ArrayBuffer>> {
  const declared = stream.headers['content-length'] === undefined ? null : Number(stream.headers['content-length']);
  if (declared !== null && declared > limitBytes) {
    stream.resume();
    return Promise.reject(tooLarge(limitBytes));
  }
  waiting.get(stream)?.();
  return new Promise((resolve, reject) => {
    let memory: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(0);
    let length = 0;

    const stop = (): void => {
      readers.delete(stream);
      stream.off('data', onData);
      stream.off('end', onEnd);
      stream.off('error', onAbort);
      stream.off('close', onAbort);
    };
    const fail: Fail = (problem) => {
      stop();
      budget.give(memory.length);
      memory = Buffer.allocUnsafeSlow(0);
      // The rest is read and thrown away: a client that is still sending would otherwise not look at the answer.
      stream.on('error', ignore);
      stream.resume();
      reject(problem);
    };
    /** Makes room for `needed` bytes: all that was announced when it is small or nearly there, else by doubling. */
    const grow = (needed: number): boolean => {
      let capacity = Math.max(needed, memory.length * 2, FIRST_CAPACITY);
      capacity = Math.min(capacity, Math.max(needed, declared ?? limitBytes));
      if (!budget.take(capacity)) return false;
      const next = Buffer.allocUnsafeSlow(capacity);
      memory.copy(next, 0, 0, length);
      budget.give(memory.length);
      memory = next;
      return true;
    };
    const onData = (chunk: Buffer): void => {
      const needed = length + chunk.length;
      if (needed > limitBytes) fail(tooLarge(limitBytes));
      else if (needed > memory.length && !grow(needed)) fail(noRoom());
      else {
        chunk.copy(memory, length);
        length = needed;
        release(chunk);
      }
    };
    const onEnd = (): void => {
      stop();
      if (memory.length !== length) {
        const exact = Buffer.allocUnsafeSlow(length);
        memory.copy(exact, 0, 0, length);
        budget.give(memory.length - length);
        memory = exact;
      }
      resolve(memory);
    };
    const onAbort = (): void => fail(cutShort());

    readers.set(stream, fail);
    stream.on('data', onData);
    stream.on('end', onEnd);
    stream.on('error', onAbort);
    stream.on('close', onAbort);
  });
}

function ignore(): void {
  // The body was refused already; how its connection ends after that changes nothing.
}

/**
 * Makes the routes of this scope take their body as the raw stream: `request.body` is the IncomingMessage, unread, and goes to
 * `readBody`. The body schemas of these routes are documentation; parameters are validated as everywhere.
 */
export function useRawBodies(scope: FastifyInstance, contentTypes: readonly string[] = ['application/json']): void {
  scope.removeAllContentTypeParsers();
  for (const type of contentTypes) {
    scope.addContentTypeParser(type, (request: FastifyRequest, stream, done) => {
      const fault = charsetFault(request);
      done(fault, fault === null ? stream : undefined);
    });
  }
  scope.setValidatorCompiler((part) => (part.httpPart === 'body' ? () => true : compileValidator(part)));
}

/** JSON is UTF-8 (RFC 8259); a charset that says otherwise is not read. */
export function charsetFault(request: FastifyRequest): Problem | null {
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(request.headers['content-type'] ?? '')?.[1];
  if (charset === undefined || /^utf-?8$/i.test(charset)) return null;
  return new Problem('unsupported_media_type', 'Send the body as UTF-8; no other charset is read.');
}

function tooLarge(limitBytes: number): Problem {
  return new Problem('too_large', `The body may have ${limitBytes} bytes; send less at once.`);
}

function noRoom(): Problem {
  return new Problem('overloaded', 'Too many request bodies are being held; send again later.', { retryAfter: 1 });
}

function cutShort(): Problem {
  return new Problem('malformed', 'The connection ended before the body did; send the request again.');
}
