/** What a MongoDB says whose disk is full: it reads, and refuses every write. */
import { BSON } from 'mongodb';
import type { Chosen } from './proxy.ts';

/** Every command with which the service writes. */
export const WRITES: readonly Chosen[] = ['insert', 'update', 'findAndModify', 'delete'].map((kind) => ({ kind }));

/** https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml */
const OUT_OF_DISK_SPACE = 14_031;
const WHY = 'No space left on device';
const OP_MSG = 2013;
const HEADER_BYTES = 16;
const FLAGS_BYTES = 4;

/** A writeError for each document or statement of the request; a command without such answers fails as a whole. */
export function diskFull(request: Buffer): Buffer {
  const kind = request.toString('latin1', HEADER_BYTES + FLAGS_BYTES + 10, request.indexOf(0, HEADER_BYTES + FLAGS_BYTES + 10));
  const error = { code: OUT_OF_DISK_SPACE, errmsg: WHY };
  const answer =
    kind === 'findAndModify'
      ? { ok: 0, ...error, codeName: 'OutOfDiskSpace' }
      : { ok: 1, n: 0, nModified: 0, writeErrors: Array.from({ length: writesIn(request) }, (_, index) => ({ index, ...error })) };
  return answerTo(request, answer);
}

/** They travel in a section of their own (kind 1: its length, a name, documents), or as a list within the command. */
function writesIn(request: Buffer): number {
  let count = 0;
  for (let at = HEADER_BYTES + FLAGS_BYTES; at < request.length; ) {
    const kind = request[at];
    const begin = at + 1;
    at = begin + request.readInt32LE(begin);
    if (kind === 1) {
      let document = request.indexOf(0, begin + 4) + 1;
      for (; document < at; document += request.readInt32LE(document)) count += 1;
    } else {
      const command = BSON.deserialize(request.subarray(begin, at));
      for (const name of ['documents', 'updates', 'deletes']) count += Array.isArray(command[name]) ? command[name].length : 0;
    }
  }
  return count;
}

function answerTo(request: Buffer, answer: object): Buffer {
  const document = BSON.serialize(answer);
  const frame = Buffer.alloc(HEADER_BYTES + FLAGS_BYTES + 1);
  frame.writeInt32LE(frame.length + document.length, 0);
  frame.writeInt32LE(request.readInt32LE(4), 8);
  frame.writeInt32LE(OP_MSG, 12);
  return Buffer.concat([frame, document]);
}
